"""spent is of the run and never goes back; elapsed is of the attempt."""

from __future__ import annotations

from typing import Any

import pytest

from dalsegno.core.conditions import elapsed, spent


@pytest.mark.parametrize("kind", [spent, elapsed])
def test_a_limit_is_reached_by_the_step_that_meets_it(watch: Any, kind: Any) -> None:
    assert watch(kind(steps=2)).values(1.0, 1.0, 1.0) == [False, True, True]


@pytest.mark.parametrize("kind", [spent, elapsed])
def test_seconds_are_those_of_the_steps(watch: Any, kind: Any) -> None:
    watched = watch(kind(seconds="1s"))
    assert [watched.step(seconds=0.5) for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize("kind", [spent, elapsed])
def test_a_unit_of_cost_counts_what_was_reported(watch: Any, kind: Any) -> None:
    watched = watch(kind(evaluations=40))
    answers = [watched.step(cost={"evaluations": 7.0}) for _ in range(6)]
    assert (answers.index(True), watched.saw()) == (
        5,
        {"evaluations": {("spent" if kind is spent else "elapsed"): 42.0, "limit": 40.0}},
    )


@pytest.mark.parametrize("kind", [spent, elapsed])
def test_a_unit_that_was_never_reported_is_at_0(watch: Any, kind: Any) -> None:
    assert watch(kind(tokens=1)).metric(1.0) is False


@pytest.mark.parametrize("kind", [spent, elapsed])
def test_of_several_units_any_one_will_do(watch: Any, kind: Any) -> None:
    watched = watch(kind(steps=100, tokens=50, seconds=3))
    assert [watched.step(cost={"tokens": 30.0}) for _ in range(2)] == [False, True]


def test_spent_goes_on_over_a_restart_and_elapsed_does_not(watch: Any) -> None:
    answers = []
    for kind in (spent, elapsed):
        watched = watch(kind(steps=3))
        watched.values(1.0, 1.0)
        watched.begin()
        answers.append(watched.metric(1.0))
    assert answers == [True, False]


def test_spent_counts_steps_that_were_gone_back_over_and_elapsed_does_not(watch: Any) -> None:
    answers = []
    for kind in (spent, elapsed):
        watched = watch(kind(steps=3))
        snapshot = watched.snapshot()
        watched.values(1.0, 1.0)
        watched.go_back(snapshot)
        answers.append(watched.metric(1.0))
    assert answers == [True, False]


def test_elapsed_counts_from_where_the_attempt_began(watch: Any) -> None:
    watched = watch(elapsed(steps=2))
    watched.begin(base=100)
    assert watched.values(1.0, 1.0) == [False, True]


def test_attempts_are_spent_when_they_have_ended(watch: Any) -> None:
    watched = watch(spent(attempts=2))
    answers = [watched.metric(1.0), watched.fail(ValueError())]
    watched.begin()
    answers += [watched.metric(1.0), watched.fail(ValueError())]
    assert answers == [False, False, False, True]


def test_a_limit_of_0_is_reached_at_once(watch: Any) -> None:
    assert watch(spent(tokens=0)).metric(1.0) is True


def test_both_say_that_their_arguments_are_limits() -> None:
    assert (spent(steps=1).limits, elapsed(steps=1).limits, spent.scope, elapsed.scope) == (
        True,
        True,
        "run",
        "attempt",
    )


def test_limits_of_attempts_are_known_as_such() -> None:
    assert (spent(attempts=3).limits_attempts(), spent(steps=3).limits_attempts()) == (True, False)


def test_another_limit_is_another_condition() -> None:
    assert spent(steps=1) != spent(steps=2)
