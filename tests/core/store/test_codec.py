"""Typed JSON: everything comes back as the same type, nothing is pickled, what has no form is refused by its path."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import random
import uuid
import zoneinfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dalsegno as ds
from dalsegno.core.store import codec

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
)
hashable = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$", "v", "a"]), inner, max_size=3)
        | st.sets(hashable, max_size=4)
        | st.frozensets(hashable, max_size=4)
    ),
    max_leaves=12,
)


def same(one, other):
    """Equal in type and value, NaN to NaN, minus zero to minus zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.isnan(one) and math.isnan(other) or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, decimal.Decimal):
        return str(one) == str(other)
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=False)
        return len(one) == len(other) and all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def strict(text):
    """JSON as the standard has it: no NaN, no Infinity."""
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


@given(values)
def test_every_value_comes_back_as_it_was(value):
    text, arrays = codec.encode(value)
    strict(text)
    assert same(codec.decode(text, arrays), value)
    assert same(codec.loads(codec.dumps(value)), value)


@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4)))
def test_every_array_comes_back_as_it_was(array):
    for back in (codec.decode(*codec.encode(array)), codec.loads(codec.dumps(array))):
        assert type(back) is np.ndarray and back.dtype == array.dtype and back.shape == array.shape
        assert back.tobytes() == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4)[:, ::2],
        np.arange(6, dtype=">i4"),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array(["2026-11-25", "NaT"], dtype="datetime64[s]"),
        np.array(["ab", "c"]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 3)),
        np.array(1.5 + 2j),
    ],
    ids=["strided", "byte order", "structured", "datetime", "text", "fortran", "empty", "zero-dimensional complex"],
)
def test_arrays_of_every_kind(array):
    back = codec.decode(*codec.encode(array))
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize(
    "value",
    [
        np.float32(1.5),
        np.int8(-3),
        np.bool_(True),
        np.datetime64("2026-11-25"),
        np.float64("nan"),
        np.dtype("f4"),
        range(1, 9, 2),
        slice(1, None, 3),
        pathlib.PurePosixPath("/a/b"),
        pathlib.Path("a"),
        bytearray(b"x"),
        collections.OrderedDict([("b", 1), ("a", 2)]),
        collections.Counter("aab"),
        collections.deque([1, 2], maxlen=5),
        collections.defaultdict(list, {1: [2]}),
        datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=3))),
        decimal.Decimal("sNaN"),
        fractions.Fraction(1, 3),
        uuid.UUID(int=7),
        "\udcff",
        2**200,
        -0.0,
        {"$": 1},
        {1: "a", "1": "b", None: "c", (1, 2): "d", 2.0: "e"},
        {True: 1},
    ],
    ids=repr,
)
def test_values_of_every_kind(value):
    for back in (codec.decode(*codec.encode(value)), codec.loads(codec.dumps(value))):
        assert type(back) is type(value) and repr(back) == repr(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: random.Random(7),
        lambda: np.random.default_rng(7),
        lambda: np.random.RandomState(7),
        lambda: np.random.Generator(np.random.MT19937(7)),
        lambda: np.random.Generator(np.random.Philox(7)),
    ],
)
def test_generators_go_on_where_they_were(make):
    def draw(generator):
        return [generator.random() for _ in range(700)]

    one = make()
    draw(one)
    back = codec.decode(*codec.encode(one))
    assert draw(back) == draw(one)


def test_torch_values_come_back_as_they_were():
    torch = pytest.importorskip("torch")
    shared = torch.arange(6.0)
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
    kinds += [torch.complex64, torch.complex128, torch.float8_e4m3fn]
    state = {
        **{str(kind): torch.ones(2, 3).to(kind) for kind in kinds},
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
        "strided": torch.arange(12.0).reshape(3, 4)[:, ::2],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "twice": [shared, shared],
        "size": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
    }
    for back in (codec.decode(*codec.encode(state)), codec.loads(codec.dumps(state))):
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                assert back[name].dtype == value.dtype and back[name].shape == value.shape
                assert torch.equal(back[name].contiguous().view(torch.uint8) if value.dim() else back[name], value.detach().contiguous().view(torch.uint8) if value.dim() else value)
            elif name != "twice":
                assert back[name] == value and type(back[name]) is type(value)
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    back = codec.decode(*codec.encode(generator))
    assert torch.equal(torch.rand(5, generator=back), torch.rand(5, generator=generator))


class Odd:
    pass


Point = collections.namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ({"optimizer": {"state": [1, 2, 3, {"foo": Odd()}]}}, r"state\.optimizer\.state\[3\]\.foo is a .*Odd"),
        ({"f": lambda: 1}, r"state\.f is a "),
        ({"p": Point(1, 2)}, r"state\.p is a Point"),
        ({"c": Colour.RED}, r"state\.c is a .*Colour"),
        ([np.array([Odd()])], r"state\[0\] is a numpy array of objects"),
        ({"d": collections.defaultdict(lambda: 1)}, r"state\.d is a defaultdict"),
        ({"t": __import__("threading").Lock()}, r"state\.t is a "),
    ],
)
def test_what_cannot_be_saved_is_refused_by_its_path(state, path):
    with pytest.raises(ds.UnsavableError, match=path):
        codec.encode(state)


def test_a_state_that_contains_itself_is_refused():
    state = {"a": []}
    state["a"].append(state)
    with pytest.raises(ds.UnsavableError, match="contains itself"):
        codec.encode(state)


def test_an_unknown_type_in_a_file_is_refused():
    with pytest.raises(ds.SnapshotError, match="'pickle'"):
        codec.loads('{"$":"pickle","v":"gASVAAAAAAAAAA=="}')
