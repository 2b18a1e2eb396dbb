"""What every condition of the library owes: it reads like its call, and refuses mistaken arguments."""

from __future__ import annotations

import copy
import json
import math

import pytest

from dalsegno.core import conditions as when
from dalsegno.core.errors import UsageError

NAMES = dict.fromkeys(when.__all__)
WHEN = {name: getattr(when, name) for name in NAMES}


def shout(process: object) -> bool:
    return True


WRITTEN = [
    "succeeded()",
    "failed()",
    "failed('ValueError', 'torch.OutOfMemoryError')",
    "spent(steps=20000)",
    "spent(tokens=1000, usd=2.5)",
    "elapsed(seconds=90)",
    "stalled('loss', patience=3)",
    "stalled('loss', patience=3, min_delta=0.25)",
    "stalled('acc', patience=1, mode='max')",
    "spike('loss')",
    "spike('loss', factor=3.0)",
    "spike('loss', z=6.0, window=64, floor=0.0)",
    "above('loss', 5.0)",
    "below('acc', -inf)",
    "not_finite()",
    "not_finite('loss', 'norm')",
    "every(steps=100)",
    "every(seconds=60.0)",
    "agrees(3, of=5)",
    "agrees(3, of=None, by='returned', tolerance=0.5)",
]


def built(written: str) -> when.Condition:
    name, arguments = written.split("(", 1)
    keywords, bare = {}, []
    for part in arguments[:-1].split(", ") if arguments != ")" else []:
        key, equals, text = part.partition("=")
        raw = text if equals else key
        value = json.loads(
            {"-inf": "-Infinity", "None": "null"}.get(raw, raw.replace("'", '"')),
        )
        if equals:
            keywords[key] = value
        else:
            bare.append(value)
    return WHEN[name](*bare, **keywords)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_condition_reads_like_its_constructor_call(written: str) -> None:
    assert str(built(written)) == written


@pytest.mark.parametrize("written", WRITTEN)
def test_conditions_made_alike_are_equal_and_hash_alike(written: str) -> None:
    assert (built(written), hash(built(written))) == (built(written), hash(built(written)))


@pytest.mark.parametrize("written", WRITTEN)
def test_a_condition_survives_a_deep_copy(written: str) -> None:
    assert copy.deepcopy(built(written)) == built(written)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_condition_cannot_be_changed(written: str) -> None:
    with pytest.raises(AttributeError):
        built(written).metric = "other"


@pytest.mark.parametrize("written", WRITTEN)
def test_an_initial_state_is_none_or_a_fresh_list(written: str) -> None:
    one = built(written)
    state = one.initial()
    assert state is None or (isinstance(state, list) and state is not one.initial())


def test_composites_read_with_the_brackets_they_need() -> None:
    joined = ~(when.above("a", 1.0) | when.below("b", 2.0)) & (when.every(steps=2) | when.succeeded())
    assert str(joined) == "~(above('a', 1.0) | below('b', 2.0)) & (every(steps=2) | succeeded())"


def test_a_judge_reads_by_its_functions_name() -> None:
    assert str(when.judge(shout) & when.judge(shout, name="loud")) == "judge(shout) & judge(loud)"


MISTAKES = [
    # (what, a part of the message)
    (lambda: when.spent(100), "a bare number has no unit; write spent\\(steps=100\\)"),
    (lambda: when.elapsed(100), "a bare number has no unit"),
    (lambda: when.spent(), "at least one unit"),
    (lambda: when.elapsed(), "at least one unit"),
    (lambda: when.spent(steps=-1), "at least 0"),
    (lambda: when.spent(steps=2.5), "whole number"),
    (lambda: when.spent(steps=math.nan), "nan"),
    (lambda: when.spent(tokens=math.nan), "nan"),
    (lambda: when.spent(usd=math.inf), "finite"),
    (lambda: when.spent(usd=-0.5), "at least 0"),
    (lambda: when.spent(usd="2"), "expected a number"),
    (lambda: when.spent(steps=True), "expected a number"),
    (lambda: when.spent(seconds="soon"), "duration"),
    (lambda: when.spent(seconds=-1), "duration"),
    (lambda: when.spent(step=3), "write steps="),
    (lambda: when.spent(minutes=3), "write seconds="),
    (lambda: when.elapsed(attempts=3), "spent\\(attempts"),
    (lambda: when.stalled("loss"), "patience"),
    (lambda: when.stalled(patience=3), "metric"),
    (lambda: when.stalled("loss", 3), "stalled\\('loss', 3\\)"),
    (lambda: when.stalled("loss", patience=math.nan), "nan"),
    (lambda: when.stalled("loss", patience=0), "at least 1"),
    (lambda: when.stalled("loss", patience=-3), "at least 1"),
    (lambda: when.stalled("loss", patience=1.5), "whole"),
    (lambda: when.stalled("loss", patience="3"), "expected a number"),
    (lambda: when.stalled("loss", patience=3, min_delta=-0.1), "at least 0"),
    (lambda: when.stalled("loss", patience=3, min_delta=math.nan), "nan"),
    (lambda: when.stalled("loss", patience=3, mode="minimum"), "'min' or 'max'"),
    (lambda: when.stalled("loss", patience=3, mode=None), "'min' or 'max'"),
    (lambda: when.stalled("loss", patiance=3), "patiance"),
    (lambda: when.stalled(3, patience=3), "name of a metric"),
    (lambda: when.stalled("", patience=3), "name of a metric"),
    (lambda: when.stalled("value", patience=3), "mode='max'"),
    (lambda: when.spike("loss", 3.0), "spike\\('loss', 3.0\\)"),
    (lambda: when.spike("loss", factor=3.0, z=8.0), "factor alone"),
    (lambda: when.spike("loss", factor=3.0, floor=0.1), "factor alone"),
    (lambda: when.spike("loss", factor=1.0), "above 1"),
    (lambda: when.spike("loss", factor=math.nan), "nan"),
    (lambda: when.spike("loss", z=0), "above 0"),
    (lambda: when.spike("loss", floor=-0.1), "at least 0"),
    (lambda: when.spike("loss", window=3), "at least 4"),
    (lambda: when.above("loss"), "limit"),
    (lambda: when.above(5.0, "loss"), "name of a metric"),
    (lambda: when.above("loss", math.nan), "nan"),
    (lambda: when.above("loss", "5"), "expected a number"),
    (lambda: when.below("loss", None), "expected a number"),
    (lambda: when.not_finite(3), "name of a metric"),
    (lambda: when.not_finite(metric="loss"), "metric"),
    (lambda: when.every(), "either steps or seconds"),
    (lambda: when.every(100), "every\\(100\\)"),
    (lambda: when.every(steps=10, seconds=5), "either steps or seconds"),
    (lambda: when.every(steps=0), "at least 1"),
    (lambda: when.every(steps=math.inf), "whole"),
    (lambda: when.every(seconds=0), "above 0"),
    (lambda: when.every(attempts=2), "attempts"),
    (lambda: when.agrees(3), "of"),
    (lambda: when.agrees(3, 5), "agrees\\(3, 5\\)"),
    (lambda: when.agrees(1, of=5), "at least 2"),
    (lambda: when.agrees(4, of=3), "cannot be reached"),
    (lambda: when.agrees(2, of=3, tolerance=-1.0), "at least 0"),
    (lambda: when.agrees(2, of=3, by=""), "name of a metric"),
    (lambda: when.failed(3), "classes of exceptions"),
    (lambda: when.failed(ValueError("x")), "classes of exceptions"),
    (lambda: when.failed(int), "classes of exceptions"),
    (lambda: when.failed(KeyboardInterrupt), "no failure"),
    (lambda: when.failed(BaseException), "no failure"),
    (lambda: when.failed(type=ValueError), "type"),
    (lambda: when.succeeded(1), "succeeded\\(1\\)"),
    (lambda: when.judge(), "function"),
    (lambda: when.judge(3), "expected a function"),
    (lambda: when.judge(int), "expected a function"),
    (lambda: when.judge(shout, name=3), "expected a name"),
]


@pytest.mark.parametrize(("make", "part"), MISTAKES)
def test_a_mistaken_argument_is_refused_when_the_condition_is_made(make: object, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        make()  # type: ignore[operator]


def test_a_condition_has_no_truth_of_its_own() -> None:
    with pytest.raises(TypeError, match="&"):
        bool(when.above("loss", 1.0))


def test_a_class_in_place_of_a_condition_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a condition"):
        when.above("loss", 1.0) & when.succeeded  # type: ignore[operator]
