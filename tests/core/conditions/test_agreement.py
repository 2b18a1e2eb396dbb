"""agrees: k of the first n ended attempts come to the same result."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy
import pytest

from dalsegno.core.conditions import agrees


def answers(watched: Any, results: list[Any], by: str = "value") -> list[bool]:
    """One attempt a result: a step that reports it, and a success."""
    said = []
    for place, result in enumerate(results):
        if place:
            watched.begin()
        if by == "value":
            watched.step(value=result)
        elif by == "loss":
            watched.metric(result)
        said.append(watched.finish(result if by == "returned" else None))
    return said


CASES = [
    # (k, of, tolerance, results, answers)
    (2, 3, 0.0, [1.0, 2.0, 1.0], [False, False, True]),
    (2, 3, 0.0, [1.0, 1.0, 2.0], [False, True, True]),
    (3, 5, 0.0, [1.0, 2.0, 3.0, 1.0, 1.0], [False, False, False, False, True]),
    (2, 2, 0.0, [1.0, 2.0, 1.0], [False, False, False]),
    (2, None, 0.0, [1.0, 2.0, 3.0, 4.0, 1.0], [False, False, False, False, True]),
    (2, 3, 0.0, [nan, nan, nan], [False, False, False]),
    (2, 4, 0.0, [None, None, 1.0, 1.0], [False, False, False, True]),
    (2, 3, 0.5, [1.0, 1.5, 9.0], [False, True, True]),
    (3, 3, 0.5, [1.0, 1.5, 2.0], [False, False, False]),
]


@pytest.mark.parametrize(("k", "of", "tolerance", "results", "expected"), CASES)
def test_values_that_agree(
    watch: Any, k: int, of: int | None, tolerance: float, results: list[Any], expected: list[bool]
) -> None:
    assert answers(watch(agrees(k, of=of, tolerance=tolerance)), results) == expected


RETURNED = [
    (["4", "5", "4"], True),
    ([{"a": [1, 2]}, {"a": [1, 2]}], True),
    ([[1], [2]], False),
    ([True, 1], False),
    ([1, 1.0], True),
    ([None, None], False),
    ([numpy.array([1, 2]), numpy.array([1, 2])], True),
    ([numpy.array([1, 2]), numpy.array([1, 3])], False),
    ([numpy.int64(3), 3.0], True),
    ([inf, inf], False),
    ([10**400, 10**400], True),
    ([10**400, 1.0], False),
]


@pytest.mark.parametrize(("results", "expected"), RETURNED)
def test_what_bodies_returned(watch: Any, results: list[Any], expected: bool) -> None:
    assert answers(watch(agrees(2, of=3, by="returned")), results, "returned")[-1] is expected


def test_a_metric_agrees_by_its_last_report(watch: Any) -> None:
    watched = watch(agrees(2, of=3, by="loss"))
    watched.values(9.0, 0.5)
    watched.finish()
    watched.begin()
    watched.values(7.0, 0.5)
    assert watched.finish() is True


def test_an_attempt_that_was_cut_has_a_result_too(watch: Any) -> None:
    watched = watch(agrees(2, of=3))
    watched.step(value=1.0)
    watched.begin()
    watched.step(value=1.0)
    watched.begin()
    assert watched.step(value=0.0) is True


def test_an_interrupted_attempt_is_not_counted(watch: Any) -> None:
    watched = watch(agrees(2, of=2))
    watched.step(value=5.0)
    watched.begin(state="interrupted")
    assert answers(watched, [1.0, 1.0]) == [False, True]


def test_a_failed_attempt_counts_and_agrees_with_nothing_where_it_has_no_result(watch: Any) -> None:
    watched = watch(agrees(2, of=2))
    watched.fail(ValueError())
    watched.begin()
    watched.step(value=1.0)
    watched.finish()
    assert watched.saw() == {"by": "value", "ended": 2, "agree": 1, "reachable": False, "result": 1.0}


@pytest.mark.parametrize(
    ("results", "reachable"), [([1.0, 2.0], True), ([1.0, 2.0, 3.0], True), ([1.0, 2.0, 3.0, 4.0], False)]
)
def test_it_says_when_agreement_can_no_longer_be_reached(watch: Any, results: list[float], reachable: bool) -> None:
    watched = watch(agrees(3, of=5))
    answers(watched, results)
    assert watched.saw()["reachable"] is reachable


def test_a_success_that_was_gone_back_from_is_not_counted(watch: Any) -> None:
    watched = watch(agrees(2, of=3))
    answers(watched, [1.0])
    watched.begin()
    snapshot = watched.snapshot()
    watched.step(value=1.0)
    assert watched.finish() is True
    watched.go_back(snapshot)
    assert watched.step(value=2.0) is False


def test_nothing_is_looked_at_while_nothing_ends(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    largest = agrees.largest

    def counted(self: Any, trace: Any) -> Any:
        looks.append(trace.ended)
        return largest(self, trace)

    monkeypatch.setattr(agrees, "largest", counted)
    watched = watch(agrees(2, of=3))
    watched.values(*[1.0] * 50)
    watched.finish()
    assert len(looks) == 1


def test_it_is_of_the_run() -> None:
    assert agrees(2, of=3).scope == "run"
