"""The exact mean total time of schedules."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dalsegno.core.errors import UsageError
from dalsegno.policies import FixedCutoff, Geometric, Luby, luby
from dalsegno.policies.expected_time import expected_time
from dalsegno.policies.laws import Discrete, KaplanMeier, LognormalMixture, WeibullMixture
from dalsegno.policies.run_log import RunLog

HEAVY = LognormalMixture(1, 0, 2)
HALF = Discrete([1], [0.5])  # half of the runs take 1, the others are never solved


@pytest.mark.parametrize(("unit", "mean"), [(0.001, 1.074298), (0.01, 0.799885), (0.05, 0.780795), (0.5, 1.148445)])
def test_lubys_schedule_on_a_heavy_tail(unit: float, mean: float) -> None:
    assert expected_time(Luby(unit, of="seconds"), HEAVY) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("overhead", [0.0, 0.3])
@pytest.mark.parametrize("unit", [0.001, 0.05, 2.0])
def test_lubys_blocks_add_up_to_its_terms(unit: float, overhead: float) -> None:
    by_terms = expected_time(lambda i: luby(i) * unit, HEAVY, overhead)
    assert expected_time(Luby(unit), HEAVY, overhead) == pytest.approx(by_terms, rel=1e-10)


def test_a_silly_unit_is_paid_for_and_no_work() -> None:
    assert expected_time(Luby(1e-9), Discrete([1.0], [1.0])) > 10.0


def test_one_cutoff_for_all_is_the_laws_expected_time() -> None:
    assert expected_time(FixedCutoff(0.05), HEAVY, 0.1) == pytest.approx(float(HEAVY.expected(0.05, 0.1)))
    assert expected_time(0.05, HEAVY, 0.1) == pytest.approx(float(HEAVY.expected(0.05, 0.1)))


def test_no_cutoff_is_the_mean() -> None:
    assert expected_time(inf, HEAVY) == pytest.approx(HEAVY.mean)


def test_the_last_cutoff_of_a_list_goes_on_for_ever() -> None:
    later = expected_time([1, 2, 0.5], HEAVY)
    assert later == pytest.approx(expected_time(lambda i: [1, 2, 0.5][min(i, 3) - 1], HEAVY))
    assert expected_time([3, inf], HEAVY) == pytest.approx(
        float(HEAVY.restricted_mean(3) + HEAVY.survival(3) * HEAVY.mean)
    )


def test_a_list_by_hand() -> None:
    # 10% at 10, 90% at 1000: 10, then 20 for the nine tenths that are left, then all of them to the end.
    law = Discrete([10, 1000], [0.1, 0.9])
    assert expected_time([10, 20, 1000], law) == pytest.approx(10 + 0.9 * (0.1 * 10 + 0.9 * 20) + 0.81 * 901)


def test_overhead_is_paid_for_failed_attempts_only() -> None:
    assert expected_time([10], Discrete([10], [1.0]), 5.0) == pytest.approx(10.0)
    assert expected_time([1], HALF, 5.0) == pytest.approx(2.0 + 5.0)  # one failure in the mean


def test_a_geometric_schedule_by_its_series() -> None:
    # E = sum of .5^i (.5 + .5 g^i) = 1 + .5 / (1 - g / 2)
    assert expected_time(Geometric(1, factor=1.9), HALF) == pytest.approx(1 + 0.5 / 0.05, rel=1e-9)


@pytest.mark.parametrize("factor", [2.0, 2.5])
def test_a_geometric_schedule_that_grows_too_fast_is_refused(factor: float) -> None:
    with pytest.raises(UsageError, match="factor must be below 2"):
        expected_time(Geometric(1, factor=factor), HALF)


@pytest.mark.parametrize("factor", [1.1, 3.0, 50.0])
def test_any_factor_will_do_where_all_runs_are_solved(factor: float) -> None:
    assert 0.72 < expected_time(Geometric(0.01, factor=factor), HEAVY) < HEAVY.mean


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (0.5, "no run is solved by 0.5"),
        (FixedCutoff(0.5), "no run is solved by 0.5"),
        ([3, 0.5], "no run is solved by 0.5"),
        (inf, "never solved"),
        ([1, 2, inf], "never solved"),
        (lambda i: 0.5, "still unsolved"),
    ],
)
def test_an_infinite_mean_is_refused_with_its_reason(schedule: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        expected_time(schedule, HALF)


@pytest.mark.parametrize("schedule", [0, -1, [], [1, 0], [1, float("nan")], "x", None, [[1]], lambda i: -i, ["a"]])
def test_what_is_no_schedule_is_refused(schedule: Any) -> None:
    with pytest.raises(UsageError):
        expected_time(schedule, HEAVY)


@pytest.mark.parametrize("overhead", [-1.0, float("nan"), "1"])
def test_a_wrong_overhead_is_refused(overhead: Any) -> None:
    with pytest.raises(UsageError, match="overhead"):
        expected_time(1.0, HEAVY, overhead)


def test_laws_are_taken_in_every_form() -> None:
    expected = expected_time(0.05, HEAVY)
    assert expected_time(0.05, stats.lognorm(2)) == pytest.approx(expected)
    assert expected_time(0.05, stats.lognorm(2).sf) == pytest.approx(expected)


def test_a_schedule_on_an_estimated_law() -> None:
    log = RunLog(times=[2, 3, 4, 4, 5, 6, 7, 8], solved=[1, 0, 1, 1, 0, 1, 0, 1])
    assert expected_time(6, KaplanMeier(log)) == pytest.approx(8.045455, abs=1e-6)


def simulated(cutoffs: Any, law: Any, overhead: float, runs: int, seed: int) -> np.ndarray:
    """Total times of ``runs`` problems, each attempted under the schedule until solved."""
    rng = np.random.default_rng(seed)
    totals, open_ones, k = np.zeros(runs), np.arange(runs), 1
    while len(open_ones):
        times, cutoff = law.sample(len(open_ones), rng), cutoffs(k)
        solved = times <= cutoff
        totals[open_ones] += np.where(solved, times, cutoff + overhead)
        open_ones, k = open_ones[~solved], k + 1
    return totals


schedules = st.one_of(
    st.floats(0.2, 3.0).map(lambda t: (t, lambda k: t)),
    st.floats(0.1, 2.0).map(lambda u: (Luby(u), Luby(u).cutoff)),
    st.floats(1.0, 2.0).map(lambda g: (Geometric(0.5, factor=g), Geometric(0.5, factor=g).cutoff)),
)
laws = st.sampled_from([LognormalMixture(1, 0, 1), WeibullMixture(1, 1, 0.7), WeibullMixture(1, 1, 2)])


@settings(deadline=None, max_examples=15, derandomize=True)
@given(schedules, laws, st.sampled_from([0.0, 0.4]))
def test_the_mean_of_simulated_runs_is_the_exact_one(schedule: Any, law: Any, overhead: float) -> None:
    totals = simulated(schedule[1], law, overhead, 4000, 1)
    error = totals.std() / np.sqrt(len(totals))
    assert totals.mean() == pytest.approx(expected_time(schedule[0], law, overhead), abs=4.5 * error)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.05, 5.0), st.floats(1e-3, 1e3), st.sampled_from([0.0, 0.4]))
def test_the_mean_scales_with_law_schedule_and_overhead(unit: float, scale: float, overhead: float) -> None:
    one = expected_time(Luby(unit), WeibullMixture(1, 1, 0.7), overhead)
    other = expected_time(Luby(unit * scale), WeibullMixture(1, scale, 0.7), overhead * scale)
    assert other == pytest.approx(one * scale, rel=1e-9)
