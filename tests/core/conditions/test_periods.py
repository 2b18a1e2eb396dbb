"""every: regular places of an attempt, the same ones when steps are done again."""

from __future__ import annotations

from typing import Any

from dalsegno.core.conditions import every


def test_it_is_true_at_multiples(watch: Any) -> None:
    assert watch(every(steps=3)).values(*[1.0] * 7) == [False, False, True, False, False, True, False]


def test_multiples_are_those_of_the_attempts_step_whatever_it_began_from(watch: Any) -> None:
    watched = watch(every(steps=5))
    watched.begin(base=8)
    assert watched.values(*[1.0] * 7) == [False, True, False, False, False, False, True]


def test_steps_done_again_meet_the_same_places(watch: Any) -> None:
    watched = watch(every(steps=2))
    watched.metric(1.0)
    snapshot = watched.snapshot()
    first = watched.values(1.0, 1.0, 1.0)
    watched.go_back(snapshot)
    assert watched.values(1.0, 1.0, 1.0) == first == [True, False, True]


def test_a_failure_in_the_middle_of_a_step_is_no_place(watch: Any) -> None:
    watched = watch(every(steps=2))
    assert [*watched.values(1.0, 1.0), watched.fail(ValueError())] == [False, True, False]


def test_the_end_of_a_loops_body_is_no_place(watch: Any) -> None:
    watched = watch(every(steps=2))
    assert [*watched.values(1.0, 1.0), watched.finish()] == [False, True, False]


def test_a_failure_before_the_first_step_is_no_place(watch: Any) -> None:
    watched = watch(every(steps=2))
    watched.begin(base=4)
    assert watched.fail(ValueError()) is False


def test_seconds_are_true_at_the_step_that_crosses_a_multiple(watch: Any) -> None:
    watched = watch(every(seconds=1))
    assert [watched.step(seconds=taken) for taken in (0.5, 0.5, 0.25, 2.75, 0.5, 0.5)] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_seconds_go_back_with_the_attempt(watch: Any) -> None:
    watched = watch(every(seconds=1))
    watched.step(seconds=0.75)
    snapshot = watched.snapshot()
    watched.step(seconds=0.75)
    watched.go_back(snapshot)
    assert watched.step(seconds=0.5) is True
