"""Values: typed, canonical, and never an exception whatever the object."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import operator
import pathlib
import random
import re
import threading
import types
import weakref

import numpy as np
import pytest

from dalsegno.core import identity

nan, inf = float("nan"), float("inf")


class Color(enum.Enum):
    RED = 1
    BLUE = 2


Point = collections.namedtuple("Point", "x y")

APART = [
    None, True, False, 0, 1, -1, 2**70, 2**5000, 2**5000 + 1, 0.0, -0.0, 1.0, nan, inf, -inf, 1j,
    "", "1", "a" * 5000, "a" * 4999 + "b", "\ud800", b"", b"1", b"a" * 500, b"a" * 499 + b"b", bytearray(b"1"),
    (), (1,), (1, 2), (2, 1), ((1, 2),), [], [1], [[1]], [1, 2], list(range(500)), list(range(501)), [*range(499), 1.0],
    [0.5] * 500, [0.5] * 499 + [-0.5], set(), {1}, {1.0}, {1, 2}, frozenset({1}), {}, {1: 2}, {"1": 2}, {1.0: 2}, {1: 2, 3: 4},
    {(1, 2): 3}, {(2, 1): 3}, collections.OrderedDict(a=1), {"a": 1}, collections.deque([1]), collections.deque([1], 5),
    collections.defaultdict(int), collections.defaultdict(list), Point(1, 2), Point(2, 1),
    Color.RED, Color.BLUE, pathlib.PurePosixPath("a"), pathlib.PurePosixPath("b"), decimal.Decimal("1"), decimal.Decimal("1.0"),
    datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), datetime.timedelta(1), range(3), range(4), slice(1), ...,
    re.compile("a"), re.compile("a", re.I), re.compile("a" * 300), re.compile("a" * 299 + "b"), int, float, list[int], int | None,
    operator.itemgetter(1), operator.itemgetter(2), len, max, random, json, "a".upper, "b".upper, ValueError("a"), ValueError("b"),
    TypeError("a"), random.Random(0), random.Random(1),
    np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.dtype("f4"), np.dtype(">f4"),
    np.zeros(3), np.zeros(4), np.zeros((3, 1)), np.zeros(3, "f4"), -np.zeros(3), np.zeros(3, ">f8"), np.ones((2, 2)), np.array(1.0),
    np.array([1, "a"], object), np.array(["a"]), np.array(["2020"], "M8[Y]"), np.zeros(2, [("a", "f8"), ("b", "i4")]), np.zeros(0),
    np.ma.array([1.0, 2.0], mask=[0, 1]), np.random.default_rng(0), np.random.default_rng(1), np.random.RandomState(0), np.sin, np.cos,
    np.array([1, 2, 3])[::2], np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]]).T,
]  # fmt: skip


def text(value):
    return json.dumps(identity.describe(value), sort_keys=True, allow_nan=False)


def test_values_of_different_type_or_content_are_told_apart():
    seen = {}
    for value in APART:
        seen.setdefault(text(value), []).append(value)
    assert [together for together in seen.values() if len(together) > 1] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {3, 1, 2}}, {"b": {2, 3, 1}, "a": 1}),
        ({"b", "a", "c"}, {"c", "b", "a"}),
        (np.array([1, 9, 2, 9])[::2], np.array([1, 2])),
        (np.asfortranarray(np.ones((2, 3))), np.ones((2, 3))),
        (2**5000, 2**5000),
        ([1.0] * 1000, [1.0] * 1000),
        (np.random.default_rng(3), np.random.default_rng(3)),
        (functools.partial(int, base=2), functools.partial(int, base=2)),
        (nan, float("nan")),
    ],
)
def test_equal_values_have_one_description(one, other):
    assert text(one) == text(other)


def test_no_value_needs_more_than_json():
    for value in APART:
        tree = identity.describe(value)
        assert json.loads(json.dumps(tree, allow_nan=False)) == tree


class Hostile:
    """Everything that Python calls of itself raises."""

    def __init__(self, x, hidden):
        self.x = x

    def __getattr__(self, name):
        raise RuntimeError(name)

    __eq__ = __hash__ = __repr__ = __str__ = __bool__ = __len__ = __iter__ = __getattr__


class Slots:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


class Property:
    def __init__(self, x):
        self._x = x

    @property
    def x(self):
        raise RuntimeError("a property was called")


@pytest.mark.parametrize(
    "make",
    [
        lambda: threading.Lock(), lambda: open("/dev/null"), lambda: (i for i in ()), lambda: iter([]), lambda: object(),  # noqa: SIM115
        lambda: weakref.ref(Slots), lambda: types.SimpleNamespace, lambda: memoryview(b"abc"),
    ],
)  # fmt: skip
def test_a_strange_object_never_raises(make):
    assert isinstance(identity.describe(make()), dict)


@pytest.mark.parametrize("make", [threading.Lock, object, lambda: iter([]), lambda: (i for i in ())])
def test_what_has_no_python_class_is_listed_as_not_compared(of, make):
    def train(attempt, thing=make()):  # noqa: B008
        return attempt

    assert of(train)["not compared"] == ["process.thing"]


def test_a_hostile_object_shows_its_arguments_and_no_method_of_it_is_called(of, names):
    assert of(Hostile(1, 2))["not compared"] == ["process.hidden"]
    assert names(of(Hostile(1, 2)), of(Hostile(2, 2))) == ["process.x"]


def test_arguments_in_slots_and_behind_properties_count(of, names):
    assert names(of(Slots(1)), of(Slots(2))) == ["process.x"]
    assert names(of(Property(1)), of(Property(2))) == ["process.x"]


def test_a_value_inside_itself_ends():
    loop = [1]
    loop.append(loop)
    assert identity.describe(loop)["parts"]["[1]"] == {"is": "itself"}


def test_a_value_that_is_nested_too_deep_is_not_compared():
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert '"not compared"' in text(deep)


def test_a_value_that_doubles_at_every_level_ends():
    wide = (1,)
    for _ in range(40):
        wide = (wide, wide)
    assert '"not compared"' in text(wide)


def test_a_part_that_cannot_be_compared_is_not_lost_in_a_large_container(of):
    def train(attempt, things=(*range(200), threading.Lock())):  # noqa: B008
        return attempt

    assert of(train)["not compared"] == ["process.things"]


def test_a_memory_map_is_not_read(tmp_path, of):
    large = np.memmap(tmp_path / "data", mode="w+", shape=10)

    def train(attempt, data=large):
        return attempt

    assert of(train)["not compared"] == ["process.data"]


@dataclasses.dataclass(frozen=True)
class Described:
    metric: str
    patience: int = 3
    note: object = dataclasses.field(default=None, compare=False)


def test_a_dataclass_is_compared_by_its_fields_but_those_that_do_not_compare(of, names):
    def one(*given):
        return of(None, [Described(*given)])

    assert names(one("loss", 3, "a"), one("loss", 3, "b")) == []
    assert names(one("loss", 3), one("acc", 4)) == ["rules[0].metric", "rules[0].patience"]


def test_a_field_that_is_new_and_at_its_default_is_no_difference(of, names):
    old, new = of(None, [Described("loss")]), of(None, [Described("loss")])
    del old["rules"][0]["parts"][".patience"]
    old["rules"][0]["defaults"].remove(".patience")
    assert names(old, new) == names(new, old) == []
    del (given := of(None, [Described("loss", 4)]))["rules"][0]["parts"][".metric"]
    assert names(old, given) != []


# -- torch and pandas, only where they have been imported ----


def test_tensors_are_told_apart_by_type_shape_and_content():
    torch = pytest.importorskip("torch")
    zeros = torch.zeros
    values = [zeros(3), zeros(4), zeros(3, 1), zeros(3, dtype=torch.bfloat16), -zeros(3), zeros(3, dtype=torch.bool), zeros(0),
              torch.tensor(1.0), zeros(3, dtype=torch.complex64), zeros(3, device="meta"), torch.float32, torch.bfloat16,
              torch.Size([3]), torch.device("cpu"), torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)]  # fmt: skip
    assert len({text(value) for value in values}) == len(values)


def test_a_tensor_is_the_same_with_gradients_as_a_parameter_and_as_a_view():
    torch = pytest.importorskip("torch")
    one = torch.arange(4.0)
    views = [
        one.clone().requires_grad_(),
        torch.nn.Parameter(one),
        torch.arange(8.0).reshape(2, 4)[0],
        one.reshape(2, 2).T.T.flatten(),
    ]
    assert {text(view) for view in views} == {text(one)}


def test_a_sparse_tensor_is_not_compared():
    torch = pytest.importorskip("torch")
    assert identity.describe(torch.eye(2).to_sparse())["is"] == "not compared"


def test_a_network_counts_by_class_settings_and_weights(of, names):
    torch = pytest.importorskip("torch")

    def net(p=0.5, weight=0.0, bias=True):
        made = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=bias), torch.nn.Dropout(p))
        torch.nn.init.constant_(made[0].weight, weight)
        return torch.nn.init.zeros_(made[0].bias) is None or made if bias else made

    def one(*given, **more):
        def train(attempt, model=net(*given, **more)):  # noqa: B008
            return attempt

        return of(train)

    assert names(one(), one()) == []
    assert names(one(), one(0.6)) == ["process.model.settings"]
    assert names(one(), one(0.5, 1.0)) == ["process.model.values"]
    assert "process.model.values" in names(one(), one(bias=False))


def test_a_network_in_evaluation_mode_is_the_same_network():
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(2, 2)
    before = text(net)
    assert text(net.eval()) == before


def test_data_frames_are_told_apart_by_columns_types_and_content():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame
    values = [frame({"a": [1, 2]}), frame({"b": [1, 2]}), frame({"a": [2, 1]}), frame({"a": [1.0, 2.0]}), frame({"a": ["1", "2"]}),
              frame({"a": [1, 2]}, index=[1, 0]), pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Index([1, 2])]  # fmt: skip
    assert len({text(value) for value in values}) == len(values)
    assert text(frame({"a": [1, 2]})) == text(values[0])


def test_a_digest_tells_limits_apart_and_does_not_see_comments(user):
    import dalsegno as ds

    assert identity.digest(ds.when.spent(steps=1)) != identity.digest(ds.when.spent(steps=2))
    commented = user(("    return x * 2\n", "    return x * 2  # twice\n"))
    assert identity.digest(user().train) == identity.digest(commented.train)
