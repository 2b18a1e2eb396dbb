"""Typed JSON: everything comes back as the same type, nothing is pickled, what has no form is refused by its path."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import json
import math
import os
import pathlib
import subprocess
import sys
import threading
import uuid
import zoneinfo
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalsegno as ds
from dalsegno.core.store import codec

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=40)
    | st.complex_numbers()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
)
keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=8)
keys |= st.tuples(keys, keys) | st.frozensets(st.integers(), max_size=3) | st.dates() | st.fractions()


def deeper(inner):
    return (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$", "v", "k", "n", "shared"]), inner, max_size=3)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
        | st.lists(inner, max_size=4).map(lambda items: collections.deque(items, maxlen=9))
        | st.dictionaries(keys, inner, max_size=4).map(collections.OrderedDict)
        | st.dictionaries(keys, inner, max_size=4).map(lambda items: collections.defaultdict(list, items))
        | st.dictionaries(keys, st.integers(), max_size=4).map(collections.Counter)
    )


values = st.recursive(scalars, deeper, max_leaves=12)


def same(one, other):
    """Equal in type, value and order; NaN to NaN, minus zero to minus zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, decimal.Decimal):
        return str(one) == str(other)
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=False)
        return len(one) == len(other) and all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(one, (list, tuple, collections.deque)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return one == other and collections.Counter(map(type, one)) == collections.Counter(map(type, other))
    return one == other


def strict(text):
    """JSON as the standard has it: no NaN, no Infinity, nothing that is no text."""
    text.encode()
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def both_ways(value):
    """A value by way of text and arrays, and by way of text alone."""
    text, arrays = codec.encode(value)
    strict(text)
    alone = codec.dumps(value)
    strict(alone)
    return codec.decode(text, arrays), codec.loads(alone)


@given(values)
def test_every_value_comes_back_as_it_was(value):
    for back in both_ways(value):
        assert same(back, value)


@given(values)
def test_the_text_of_a_value_that_came_back_is_the_same_text(value):
    text = codec.dumps(value)
    assert codec.dumps(codec.loads(text)) == text


class Point(NamedTuple):
    x: float
    y: float


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@pytest.mark.parametrize(
    "value",
    [
        range(1, 9, 2),
        range(2**70),
        slice(1, None, 3),
        pathlib.PurePosixPath("/a/b"),
        pathlib.PureWindowsPath("c:/a"),
        pathlib.Path("a") / "\udcff",
        bytearray(b"x"),
        b"long" * 1000,
        bytearray(b"long" * 1000),
        collections.OrderedDict([("b", 1), ("a", 2)]),
        collections.Counter("aab"),
        collections.deque([1, 2], maxlen=5),
        collections.deque([[1], (2,)]),
        collections.defaultdict(list, {1: [2]}),
        collections.defaultdict(None, {"a": 1}),
        datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=3))),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=3), "MSK")),
        datetime.time(1, 2, 3, 4, tzinfo=datetime.UTC, fold=1),
        datetime.UTC,
        zoneinfo.ZoneInfo("Asia/Tokyo"),
        datetime.timedelta.max,
        datetime.datetime.min,
        decimal.Decimal("sNaN123"),
        decimal.Decimal("-0E+5"),
        fractions.Fraction(1, 3),
        fractions.Fraction(2**200, 3),
        uuid.UUID(int=7),
        "\udcff",
        "\ud83d\ude00",  # two halves, which are not the one character that JSON would make of them
        ["\ud83d", "\ude00"],
        2**200,
        -(2**53) - 1,
        -0.0,
        5e-324,
        complex(-0.0, math.inf),
        {"$": 1},
        {"$": "tuple", "v": [1]},
        {1: "a", "1": "b", None: "c", (1, 2): "d", 2.5: "e"},
        {True: 1},
        {0.0: 1, "\udcff": 2},
        Point(1.0, [2.0]),
        Colour.RED,
        Level.LOW,
        Access.READ,
        Access.READ | Access.WRITE,
        {Colour.RED: 1, Point(1, 2): 2},
        [True, 1, 1.0],
        [None, "", b""],
        ((),),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_values_of_every_kind(value):
    for back in both_ways(value):
        assert type(back) is type(value) and repr(back) == repr(value)
        assert str(value).startswith("sNaN") or back == value


def test_an_integer_beyond_what_python_prints_comes_back():
    for back in both_ways([10**5000, -(10**5000)]):
        assert back == [10**5000, -(10**5000)]


def test_a_nan_keeps_its_bits():
    import struct

    (odd,) = struct.unpack(">d", bytes.fromhex("fff8000000000123"))
    for back in both_ways([odd, math.nan]):
        assert [struct.pack(">d", item).hex() for item in back] == ["fff8000000000123", "7ff8000000000000"]


def test_plain_values_are_plain_json():
    assert codec.dumps({"lr": 0.1, "names": ["a", None], "n": -3, "ü": True}) == (
        '{"lr":0.1,"names":["a",null],"n":-3,"ü":true}'
    )


def test_a_set_has_one_text_whatever_the_hash_seed():
    program = "from dalsegno.core.store.codec import dumps; print(dumps({'a', 'b', 'c', 1, 2, (3, 'x')}))"
    texts = {
        subprocess.check_output([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, text=True)
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def test_an_object_that_occurs_twice_is_one_object_again():
    history, seen = [1.0, 2.0], {1}
    state = {"now": history, "then": {"list": history, "seen": seen}, "both": (seen, history), "other": [1.0, 2.0]}
    for back in both_ways(state):
        assert back == state
        assert back["now"] is back["then"]["list"] is back["both"][1] and back["then"]["seen"] is back["both"][0]
        assert back["other"] is not back["now"]


def test_what_module_state_dicts_carry_as_attributes_comes_back():
    state = collections.OrderedDict(a=1)
    state._metadata = {"": {"version": 2}}
    for back in both_ways(state):
        assert back._metadata == {"": {"version": 2}}


class Odd:
    pass


class MyDict(dict):
    pass


def local_class():
    class Local(enum.Enum):
        A = 1

    return Local.A


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"optimizer": {"state": [1, 2, 3, {"foo": Odd()}]}}, r"^optimizer\.state\[3\]\.foo is a .*test_codec\.Odd,"),
        ({"optimizer": {"state": {3: {"foo": Odd()}}}}, r"^optimizer\.state\[3\]\.foo is a "),
        ({"layer.1": {"f": lambda: 1}}, r"^\['layer\.1'\]\.f is a builtins\.function"),
        (Odd(), r"^state is a "),
        ([np.array([Odd()])], r"^\[0\] has dtype object and holds Python objects"),
        ({"d": collections.defaultdict(lambda: 1)}, r"^d is a defaultdict whose default is <function"),
        ({"t": threading.Lock()}, r"^t is a _thread\.lock"),
        ({"m": MyDict()}, r"^m is a .*MyDict"),
        ({"e": local_class()}, r"^e is a .*Local.* cannot be found again"),
        ({"p": Point(1, Odd())}, r"^p\.y is a "),
        ({Odd(): 1}, r"^\.?keys\(\) is a .*Odd|^keys\(\) is a"),
        ({"x": (i for i in "a")}, r"^x is a builtins\.generator"),
        ({"a": {"c": int}}, r"^a\.c is a builtins\.type"),
        ({"f": open(os.devnull)}, r"^f is a _io\.TextIOWrapper"),  # noqa: SIM115
        ({"z": np.ma.masked_array([1])}, r"^z is a numpy\.ma\.MaskedArray"),
        ({"r": {np.random.default_rng(0): 1}}, r"^r\.keys\(\) is a .*Generator, which is no value to be a key"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_its_path(state, words):
    with pytest.raises(ds.UnsavableError, match=words):
        codec.encode(state)
    with pytest.raises(ds.UnsavableError, match=words):
        codec.dumps(state)


def test_a_state_that_contains_itself_is_refused_with_both_places():
    state = {"a": {"b": []}}
    state["a"]["b"].append(state["a"])
    with pytest.raises(ds.UnsavableError, match=r"^a\.b\[0\] is a again, so that it contains itself"):
        codec.encode(state)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: (inner,), lambda inner: {1: inner}])
def test_what_is_nested_too_deep_is_refused_and_what_is_not_can_be_read(wrap):
    state = 0.5
    for depth in range(1, 3000):
        state = wrap(state)
        if depth == 140:
            assert codec.loads(codec.dumps([state, state])) == [state, state]
    with pytest.raises(ds.UnsavableError, match="nested deeper"):
        codec.encode(state)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"$":"pickle","v":"gASVAAAAAAAAAA=="}', "'pickle'"),
        ('{"$":"array","k":"a"}', "array 'a', which is not stored"),
        ('{"$":"namedtuple","class":"os:system","v":["true"],"fields":[]}', "class system of module os"),
        ('{"$":"flag","class":"subprocess:Popen","v":["true"]}', "class Popen of module subprocess"),
        ('{"$":"enum","class":"not_imported:Colour","v":"RED"}', "import that module"),
        ('{"$":"numpy","dtype":"|O","v":"AAAAAAAAAAA="}', "cannot be read"),
        ('{"$":"array","layout":["numpy","|O",[1],null],"v":"AAAAAAAAAAA="}', "never saved"),
        ('{"$":"array","layout":["numpy","<f8",[9],null],"v":"AAAAAAAAAAA="}', "cannot be read"),
        ('{"$":"numpy.BitGenerator","v":{"bit_generator":"Odd"}}', "cannot be read"),
        ('{"$":"again","n":3}', "cannot be read"),
        ("[NaN]", "NaN is not valid JSON"),
        ("[1,", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_text_that_was_never_written_is_refused(text, words):
    with pytest.raises(ds.SnapshotError, match=words):
        codec.loads(text)


def test_a_class_that_has_changed_is_refused():
    text = codec.dumps(Point(1, 2)).replace('"fields":["x","y"]', '"fields":["x","z"]')
    with pytest.raises(ds.SnapshotError, match=r"fields x, z, and that class has now x, y"):
        codec.loads(text)
    with pytest.raises(ds.SnapshotError, match=r"Colour\.GREEN"):
        codec.loads(codec.dumps(Colour.RED).replace("RED", "GREEN"))


def test_arrays_are_named_by_their_paths():
    state = {"layer": {"w": np.ones(1), 3: [np.ones(1)]}, "a.b": np.ones(1), "__metadata__": np.ones(1)}
    state["__metadata__#2"] = np.ones(1)
    _, arrays = codec.encode(state)
    assert list(arrays) == ["layer.w", "layer[3][0]", "['a.b']", "__metadata__#2", "['__metadata__#2']"]
