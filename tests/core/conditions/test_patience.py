"""stalled: patience counts reports that carry the metric, against the best so far."""

from __future__ import annotations

from math import inf, isfinite, nan
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dalsegno.core.conditions import stalled

ABSENT = None
SPARSE = [ABSENT] * 25
SPARSE[4], SPARSE[9], SPARSE[14], SPARSE[19], SPARSE[24] = 1.0, 0.90, 0.95, 0.92, 0.91

STOPS = [
    # (what, values, keywords, the step it is first true at, best, the best's step)
    (
        "against the best, not the value before",
        [2.0, 1.5, 1.375, 1.25, 1.125, 1.125, 1.0, 1.25, 1.0],
        {"patience": 3, "min_delta": 0.25},
        8,
        1.125,
        5,
    ),
    ("reports without the metric do not count", SPARSE, {"patience": 3}, 25, 0.90, 10),
    (
        "nan counts, and is never the best",
        [nan, 1.0, nan, 0.75, nan, nan, 0.875, nan, 0.5],
        {"patience": 3},
        7,
        0.75,
        4,
    ),
    ("minus infinity never wins", [1.0, -inf, 0.75, 0.5, 0.5, 0.5, 0.5], {"patience": 3}, 7, 0.5, 4),
    ("higher is better", [1.0, inf, 2.0, 3.0, 3.0, 2.0], {"patience": 2, "mode": "max"}, 6, 3.0, 4),
    ("by exactly min_delta is no improvement", [1.0, 0.5], {"patience": 1, "min_delta": 0.5}, 2, 1.0, 1),
    ("nan from the start", [nan, nan, nan], {"patience": 3}, 3, None, 0),
]


@pytest.mark.parametrize(("what", "values", "keywords", "step", "best", "best_step"), STOPS)
def test_it_is_first_true_at_the_right_step(
    watch: Any,
    what: str,
    values: list[float | None],
    keywords: dict[str, Any],
    step: int,
    best: float,
    best_step: int,
) -> None:
    watched = watch(stalled("loss", **keywords))
    answers = watched.values(*values[:step])
    assert (answers.index(True) + 1, watched.saw()["best"], watched.saw()["best_step"]) == (
        step,
        best,
        best_step,
    )


def test_it_is_unknown_where_the_metric_is_absent(watch: Any) -> None:
    assert watch(stalled("loss", patience=1)).values(1.0, None, 1.0) == [False, None, True]


def test_it_stays_true_until_the_metric_improves(watch: Any) -> None:
    answers = watch(stalled("loss", patience=2)).values(1.0, 1.0, 1.0, 1.0, 0.5, 0.5)
    assert answers == [False, False, True, True, False, False]


def test_a_change_of_the_process_begins_the_count_anew_and_keeps_the_best(watch: Any) -> None:
    watched = watch(stalled("loss", patience=2))
    watched.values(1.0, 1.0, 1.0)
    watched.condition.acted(watched.state)
    assert (watched.values(1.0, 1.0), watched.saw()["best"]) == ([False, True], 1.0)


def test_the_count_goes_back_with_the_attempt(watch: Any) -> None:
    watched = watch(stalled("loss", patience=3))
    watched.values(1.0, 1.0)
    snapshot = watched.snapshot()
    watched.values(0.5, 0.75)
    watched.go_back(snapshot)
    assert watched.values(1.0, 1.0) == [False, True]


def test_a_restart_begins_afresh(watch: Any) -> None:
    watched = watch(stalled("loss", patience=2))
    watched.values(0.5, 0.5)
    watched.begin()
    assert watched.values(1.0, 1.0, 1.0) == [False, False, True]


def test_the_value_is_watched_by_its_name(watch: Any) -> None:
    watched = watch(stalled("value", patience=2, mode="max"))
    assert [watched.step(value=value) for value in (1.0, 2.0, 2.0, 1.5)] == [False, False, False, True]


def test_a_metric_called_value_comes_before_the_objective(watch: Any) -> None:
    watched = watch(stalled("value", patience=1, mode="max"))
    assert [watched.step(metrics={"value": 1.0}, value=float(n)) for n in range(2)] == [False, True]


def test_the_objective_is_no_metric_to_be_warned_about() -> None:
    assert stalled("value", patience=1, mode="max").metric_names() == ()


def test_what_it_saw_names_the_figures(watch: Any) -> None:
    watched = watch(stalled("loss", patience=2))
    watched.values(1.0, 0.5, 0.75)
    assert watched.saw() == {
        "metric": "loss",
        "value": 0.75,
        "best": 0.5,
        "best_step": 2,
        "without_improvement": 1,
    }


SIGN = {"min": -1.0, "max": 1.0}


def by_definition(values: list[float | None], patience: int, min_delta: float, mode: str) -> list[bool | None]:
    """Each answer computed from all values up to it, keeping nothing."""

    def since(seen: list[float]) -> int:
        best, count = None, 0
        for value in seen:
            improves = isfinite(value) and (best is None or SIGN[mode] * (value - best) > min_delta)
            best, count = (value, 0) if improves else (best, count + 1)
        return count

    return [
        None if value is None else since([seen for seen in values[: place + 1] if seen is not None]) >= patience
        for place, value in enumerate(values)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=some.lists(some.one_of(some.none(), some.floats(width=16)), max_size=40),
    patience=some.integers(1, 5),
    min_delta=some.sampled_from([0.0, 0.25, 1.0]),
    mode=some.sampled_from(["min", "max"]),
)
def test_it_equals_its_definition(
    watch: Any, values: list[float | None], patience: int, min_delta: float, mode: str
) -> None:
    watched = watch(stalled("loss", patience=patience, min_delta=min_delta, mode=mode))
    assert watched.values(*values) == by_definition(values, patience, min_delta, mode)
