"""NumPy's arrays, scalars and dtypes in a state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dalsegno as ds
from dalsegno.core.store import codec
from dalsegno.core.store.layouts import own_copy

dtypes = hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes()
dtypes |= hnp.array_dtypes(dtypes, allow_subarrays=True) | hnp.nested_dtypes(dtypes)


def both_ways(value):
    text, arrays = codec.encode(value)
    yield codec.decode(text, {key: own_copy(array) for key, array in arrays.items()})
    yield codec.loads(codec.dumps(value))


def equal_to_the_bit(one, other):
    assert type(one) is type(other) and one.dtype == other.dtype and one.shape == other.shape
    return one.tobytes() == other.tobytes()


@given(hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4)))
def test_every_array_comes_back_as_it_was(array):
    for back in both_ways(array):
        assert equal_to_the_bit(back, array) and back.flags.writeable


@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_side=4)), st.data())
def test_every_view_comes_back_as_the_array_that_it_shows(array, data):
    view = array[data.draw(hnp.basic_indices(array.shape, allow_newaxis=True))]
    view = view.transpose(data.draw(st.permutations(range(view.ndim)))) if isinstance(view, np.ndarray) else view
    for back in both_ways(view):
        assert equal_to_the_bit(back, view)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4)[:, ::2],
        np.arange(12)[::-1],
        np.arange(6, dtype=">i4"),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
        np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8", (2, 3)), ("c", [("d", "S3")])], align=True)),
        np.zeros(2, dtype={"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 16], "itemsize": 32}),
        np.zeros(2, dtype=[(("a title", "a"), "f4")]),
        np.array(["2026-11-25", "NaT"], dtype="datetime64[s]"),
        np.array([1, 2], dtype="timedelta64[25s]"),
        np.array(["ab", "c", "ünï"]),
        np.array([b"ab", b"c\0d"]),
        np.array(["", "any length " * 50], dtype=np.dtypes.StringDType()),
        np.zeros((0, 3)),
        np.array(1.5 + 2j),
        np.array([1 + 2j], dtype=np.complex64),
        np.array([1.5], dtype=np.longdouble),
        np.array([np.nan, -0.0, np.inf, 5e-324]),
        np.broadcast_to(np.float32(2), (3, 4)),
        np.frombuffer(b"read only", dtype=np.uint8),
        np.zeros(3, dtype="V5"),
        np.zeros(2, dtype="S0"),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}"[:50],
)
def test_arrays_of_every_kind(array):
    for back in both_ways(array):
        if array.dtype.kind == "T":
            assert back.dtype == array.dtype and back.tolist() == array.tolist()
        else:
            assert equal_to_the_bit(back, array)
        assert back.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.moveaxis(np.arange(24.0).reshape(2, 3, 4), 0, 2),
        np.arange(8).astype("M8[D]").reshape(2, 4).T,
    ],
    ids=["Fortran order", "moved axis", "dates transposed"],
)
def test_the_order_in_memory_comes_back(array):
    """Sums are added in that order: another one would differ in the last bit."""
    for back in both_ways(array):
        assert equal_to_the_bit(back, array) and back.strides == array.strides


def test_arrays_own_their_memory():
    state = {"c": np.ones((3, 4)), "f": np.asfortranarray(np.ones((3, 4))), "dates": np.zeros(3, "M8[s]")}
    back = next(both_ways(state))
    assert all(array.flags.owndata and array.flags.writeable for array in back.values())


@given(hnp.scalar_dtypes().flatmap(lambda dtype: hnp.arrays(dtype, ())))
def test_every_scalar_comes_back_as_it_was(array):
    scalar = array[()]
    for back in both_ways(scalar):
        assert type(back) is type(scalar) and np.asarray(back).dtype == np.asarray(scalar).dtype
        assert np.asarray(back).tobytes() == np.asarray(scalar).tobytes()


@pytest.mark.parametrize(
    "scalar",
    [
        np.float32(0.1),
        np.float64("nan"),
        np.uint64(2**64 - 1),
        np.bool_(True),
        np.str_("a\0b"),
        np.bytes_(b"a\0"),
        np.datetime64("NaT"),
        np.datetime64("2026-11-25T10"),
        np.timedelta64(3, "D"),
        np.longdouble("0.1"),
        np.complex64(1 + 2j),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0],
        np.dtype("f4"),
        np.dtype(">i8"),
        np.dtype([("a", "i4"), ("b", "f8", (2,))]),
        np.dtypes.StringDType(),
    ],
    ids=repr,
)
def test_scalars_and_dtypes(scalar):
    for back in both_ways({"x": [scalar]}):
        assert type(back["x"][0]) is type(scalar) and repr(back["x"][0]) == repr(scalar)


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, 1], dtype=object),
        np.zeros(2, dtype=[("a", "i4"), ("b", "O")]),
        np.ones(1).view(type("Mine", (np.ndarray,), {})),
        np.rec.array([(1, 2.0)]),
        np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)),
    ],
    ids=lambda array: f"{type(array).__name__} {array.dtype}",
)
def test_arrays_that_would_not_come_back_are_refused(array):
    with pytest.raises(ds.UnsavableError, match=r"^x\.y "):
        codec.encode({"x": {"y": array}})
