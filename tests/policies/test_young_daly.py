"""The interval between snapshots: exact figures, the two classic expansions, and the schedule."""

from __future__ import annotations

from itertools import pairwise
from math import exp, inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace
from dalsegno.policies import YoungDaly, checkpoint_interval, daly, expected_completion, young

M, C, R, W = 21600.0, 120.0, 300.0, 86400.0


@pytest.mark.parametrize(
    ("interval", "seconds", "stretch"),
    [(young, 2276.840, 1.1289037), (daly, 2197.543, 1.1288315), (checkpoint_interval, 2197.553, 1.1288315)],
)
def test_the_worked_example(interval: Any, seconds: float, stretch: float) -> None:
    tau = interval(M, C)
    assert (round(tau, 3), round(expected_completion(W, tau, M, C, R) / W, 7)) == (seconds, stretch)


def test_a_whole_number_of_segments_costs_next_to_nothing() -> None:
    assert round(expected_completion(W, W / 39, M, C, R) / W, 7) == 1.1288352


def test_39_segments_are_the_best_whole_number() -> None:
    means = {n: expected_completion(W, W / n, M, C, R) for n in range(1, 200)}
    assert min(means, key=means.__getitem__) == 39


@pytest.mark.parametrize(("fails", "mean"), [(True, 39.617497), (False, 38.923276)])
def test_the_small_example_in_both_models(fails: bool, mean: float) -> None:
    assert expected_completion(20, 4, 10, 1, 2, failures_in_restart=fails) == pytest.approx(mean, abs=1e-6)


def test_the_small_examples_interval() -> None:
    assert checkpoint_interval(10, 1) == pytest.approx(3.831832, abs=1e-6)


@pytest.mark.parametrize("ratio", [1e-5, 1e-3, 0.1, 1.0, 5.0, 24.9, 25.1, 29.5, 31.0, 700.0])
def test_the_interval_is_lamberts(ratio: float) -> None:
    from scipy.special import lambertw

    exact = 1.0 + lambertw(-exp(-ratio - 1.0)).real
    assert checkpoint_interval(1.0, ratio) == pytest.approx(exact, rel=1e-10)  # scipy loses digits at its branch point


@pytest.mark.parametrize("ratio", [1e-14, 1e-9, 0.999e-8, 1.001e-8, 1e-7])
def test_a_small_cost_keeps_its_digits(ratio: float) -> None:
    # Daly's expansion is exact there to the fourth order of sqrt(2 C / M), which is below 1e-12.
    assert checkpoint_interval(1.0, ratio) == pytest.approx(daly(1.0, ratio), rel=1e-11)


@given(some.floats(1e-3, 1e7), some.floats(1e-6, 1e6))
def test_no_other_interval_is_better(mtbf: float, ratio: float) -> None:
    cost = mtbf * min(ratio, 20.0)
    tau = checkpoint_interval(mtbf, cost)
    work = 10 * tau
    means = [expected_completion(work, tau * share, mtbf, cost) for share in (0.99, 1.0, 1.01)]
    assert means[1] <= min(means[0], means[2]) * (1 + 1e-12)  # rounding, where the minimum is flat


@given(some.floats(1.0, 1e6))
def test_the_interval_grows_with_the_cost_and_stays_below_the_time_between_failures(mtbf: float) -> None:
    found = [checkpoint_interval(mtbf, mtbf * 10.0**power) for power in range(-12, 1)]
    assert all(one < other for one, other in pairwise([0.0, *found, mtbf]))


def test_dalys_is_the_time_between_failures_where_a_snapshot_costs_twice_that() -> None:
    assert (daly(10, 20), daly(10, 50)) == (10, 10)


@pytest.mark.parametrize("function", [young, daly, checkpoint_interval])
@pytest.mark.parametrize(("mtbf", "cost"), [(0, 1), (1, 0), (-1, 1), (1, -1), (nan, 1), (1, inf), ("6h", 1), (1, True)])
def test_what_is_not_finite_and_above_0_is_refused(function: Any, mtbf: Any, cost: Any) -> None:
    with pytest.raises(UsageError, match="above 0"):
        function(mtbf, cost)


def test_an_interval_longer_than_the_work_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than"):
        expected_completion(10, 11, 100, 1)


def test_segments_that_are_never_done_take_for_ever() -> None:
    assert (expected_completion(5000, 1000, 1, 1), expected_completion(5, 1, 1, 1, 1000)) == (inf, inf)


def at(seconds: float) -> Trace:
    trace = Trace()
    trace.attempt.seconds = seconds
    return trace


def test_a_snapshot_is_due_after_the_best_interval_of_its_measured_cost() -> None:
    due = YoungDaly(mtbf=21600).due(at(1000.0), 120.0)
    assert due == (inf, 1000.0 + checkpoint_interval(21600, 120.0))


def test_the_default_is_24_hours_and_a_second_until_one_is_measured() -> None:
    assert YoungDaly().due(at(0.0), None) == (inf, checkpoint_interval(86400.0, 1.0))


def test_a_snapshot_that_costs_nothing_is_not_due_at_once() -> None:
    assert YoungDaly().due(at(0.0), 0.0)[1] > 1.0


@pytest.mark.parametrize("cost", [0.01, 1.0, 60.0])
@pytest.mark.parametrize("hours", [8.0, 12.0, 24.0, 48.0, 72.0])
def test_the_default_loses_at_most_a_sixth_more_than_the_best(hours: float, cost: float) -> None:
    mtbf, work = hours * 3600.0, 1e6
    lost = [
        expected_completion(work, checkpoint_interval(assumed, cost), mtbf, cost) - work for assumed in (86400.0, mtbf)
    ]
    assert lost[0] <= lost[1] * (1 + 1 / 6)


def test_durations_are_read_and_compared_as_seconds() -> None:
    assert (YoungDaly("6h"), str(YoungDaly(mtbf="6h"))) == (YoungDaly(21600), "YoungDaly(21600.0)")


@pytest.mark.parametrize("mtbf", [0, -1, "soon", inf, None])
def test_a_time_between_failures_that_is_no_duration_above_0_is_refused(mtbf: Any) -> None:
    with pytest.raises(UsageError):
        YoungDaly(mtbf=mtbf)
