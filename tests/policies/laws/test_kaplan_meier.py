"""Kaplan and Meier's estimate: worked examples, censoring, ties, size."""

from __future__ import annotations

import time
from math import isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws import KaplanMeier
from dalsegno.policies.run_log import RunLog

EIGHT = RunLog(times=[2, 3, 4, 4, 5, 6, 7, 8], solved=[1, 0, 1, 1, 0, 1, 0, 1])
TWENTY = RunLog(
    times=[1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 20, 35, 60, 60, 60, 60, 60, 60],
    solved=[1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
)


def test_survival_of_the_worked_example() -> None:
    law = KaplanMeier(EIGHT)
    assert law.times.tolist() == [2, 4, 6, 8]
    assert law.survivals == pytest.approx([0.875, 0.583333, 0.388889, 0.0], abs=1e-6)


def test_expected_times_of_the_worked_example() -> None:
    assert KaplanMeier(EIGHT).expected_at_times() == pytest.approx([16, 9, 8.045455, 5.694444], abs=1e-6)


def test_the_best_cutoff_of_the_worked_example_is_the_last() -> None:
    best = KaplanMeier(EIGHT).optimal_cutoff()
    assert (best.t, best.attained, best.edge, best.pays) == (8.0, False, "last", False)


def test_dropping_the_cut_runs_would_give_another_answer() -> None:
    solved = RunLog(times=EIGHT.times[EIGHT.solved], solved=np.ones(5, bool))
    assert KaplanMeier(solved).expected_at_times() == pytest.approx([10, 6, 5.5, 4.8])


def test_survival_where_runs_were_solved_and_cut_at_one_time() -> None:
    expected = [0.9, 0.75, 0.65, 0.595833, 0.53625, 0.476667, 0.417083, 0.3575]
    assert KaplanMeier(TWENTY).survivals == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("overhead", "expected", "best"),
    [
        (0, [10, 7.6, 7.571429, 8.164948, 8.400719, 8.468949, 19.051465, 27.022049], 3),
        (2, [28, 13.6, 11.285714, 11.113402, 10.713387, 10.290605, 20.482487, 28.134890], 6),
    ],
)
def test_expected_times_with_and_without_overhead(overhead: float, expected: list[float], best: float) -> None:
    law = KaplanMeier(TWENTY)
    assert law.expected_at_times(overhead) == pytest.approx(expected, abs=1e-6)
    assert law.optimal_cutoff(overhead=overhead).t == best


def test_the_mean_is_not_known_where_the_longest_runs_were_cut() -> None:
    law = KaplanMeier(TWENTY)
    assert isnan(law.mean) and law.lower_mean == pytest.approx(26.299167, abs=1e-6)


def test_the_mean_of_an_uncensored_log_is_that_of_its_times() -> None:
    law = KaplanMeier(RunLog(times=[3, 1, 8], solved=[1, 1, 1]))
    assert law.mean == pytest.approx(4.0) and law.lower_mean == pytest.approx(4.0)


def test_beyond_the_longest_time_the_curve_is_level() -> None:
    law = KaplanMeier(TWENTY)
    assert law.survival([60, 1e6, np.inf]) == pytest.approx([0.3575] * 3)


def test_hazards_are_the_parts_solved_of_those_at_risk() -> None:
    law = KaplanMeier(EIGHT)
    assert law.hazard([2, 3, 4, 6, 8]) == pytest.approx([1 / 8, 0, 2 / 6, 1 / 3, 1])


def test_the_order_of_rows_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(TWENTY))
    shuffled = RunLog(times=TWENTY.times[order], solved=TWENTY.solved[order])
    assert KaplanMeier(shuffled).survivals.tolist() == KaplanMeier(TWENTY).survivals.tolist()


def test_a_log_in_which_nothing_was_solved_is_refused() -> None:
    with pytest.raises(UsageError, match="0 of 3"):
        KaplanMeier(RunLog(times=[1, 2, 3], solved=[0, 0, 0]))


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(UsageError, match="0 of 0"):
        KaplanMeier(RunLog())


def test_one_observation_is_a_law_without_a_cutoff() -> None:
    law = KaplanMeier(RunLog(times=[7], solved=[1]))
    assert law.mean == 7.0
    with pytest.raises(UsageError, match="1 solved runs are too few"):
        law.optimal_cutoff()


@pytest.mark.parametrize("successes", [1, 2, 3, 4])
def test_under_5_successes_a_cutoff_is_refused(successes: int) -> None:
    log = RunLog(times=range(1, 11), solved=[i < successes for i in range(10)])
    with pytest.raises(UsageError, match="expected at least 5"):
        KaplanMeier(log).optimal_cutoff()


def test_a_cutoff_needs_a_probability_of_a_fiftieth_too() -> None:
    # 5 of 1000 are solved early: enough in number, but half a percent.
    times = np.concatenate([np.arange(1, 6), np.full(995, 100.0)])
    law = KaplanMeier(RunLog(times=times, solved=np.arange(1000) < 5))
    with pytest.raises(UsageError, match="0.02"):
        law.optimal_cutoff()
    assert law.optimal_cutoff(min_F=0.001).t == 5


def test_the_first_cutoff_that_passes_is_an_edge_where_shorter_ones_were_left_out() -> None:
    # A decreasing hazard: the shorter the cutoff the better, down to where the guard begins.
    times = np.concatenate([np.geomspace(1e-6, 1.0, 45), np.full(5, 100.0)])
    best = KaplanMeier(RunLog(times=times, solved=np.arange(50) < 45)).optimal_cutoff()
    assert (best.t, best.attained, best.edge) == (times[4], False, "first")


def test_the_first_cutoff_is_no_edge_where_there_are_no_shorter_ones() -> None:
    law = KaplanMeier(RunLog(times=[10] * 15 + [1000] * 35, solved=np.ones(50, bool)))
    assert (law.optimal_cutoff().t, law.optimal_cutoff().attained) == (10.0, True)


def test_a_run_solved_in_no_time_is_no_cutoff() -> None:
    law = KaplanMeier(RunLog(times=[0, 0, 0, 0, 0, 5, 9], solved=[1] * 7))
    assert law.optimal_cutoff().t == 5.0


def test_where_all_were_solved_in_no_time_there_is_nothing_to_cut() -> None:
    with pytest.raises(UsageError, match="no cutoff above 0"):
        KaplanMeier(RunLog(times=[0.0] * 6, solved=[1] * 6)).optimal_cutoff()


@pytest.mark.parametrize("overhead", [-1, float("nan"), float("inf"), "1s", None])
def test_an_overhead_that_is_none_is_refused(overhead: Any) -> None:
    with pytest.raises(UsageError, match="overhead"):
        KaplanMeier(TWENTY).optimal_cutoff(overhead=overhead)


def test_the_guard_keeps_cutoffs_from_shrinking_with_the_luckiest_run() -> None:
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(20):
        law = KaplanMeier(RunLog(times=rng.exponential(size=50), solved=np.ones(50, bool)))
        ratios.append(law.optimal_cutoff(min_successes=1, min_F=0.0).t / law.optimal_cutoff().t)
    assert min(ratios) < 0.2


logs = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40).filter(
    lambda rows: any(solved for _, solved in rows)
)


@given(logs)
def test_survival_is_the_product_of_the_definition(rows: list[tuple[int, bool]]) -> None:
    law = KaplanMeier(RunLog(times=[t for t, _ in rows], solved=[s for _, s in rows]))
    for t in range(14):
        product = 1.0
        for u in sorted({at for at, solved in rows if solved and at <= t}):
            d = sum(solved and at == u for at, solved in rows)
            product *= 1.0 - d / sum(at >= u for at, _ in rows)
        assert float(law.survival(t)) == pytest.approx(product, abs=1e-12)


@settings(deadline=None)
@given(logs)
def test_survival_is_lifelines(rows: list[tuple[int, bool]]) -> None:
    lifelines = pytest.importorskip("lifelines")
    log = RunLog(times=[t for t, _ in rows], solved=[s for _, s in rows])
    theirs = lifelines.KaplanMeierFitter().fit(log.times, log.solved)
    law = KaplanMeier(log)
    assert law.survivals == pytest.approx(theirs.survival_function_at_times(law.times).to_numpy(), abs=1e-12)


@given(logs, st.floats(1e-3, 1e3))
def test_times_and_means_scale_with_the_unit(rows: list[tuple[int, bool]], scale: float) -> None:
    times, solved = np.array([t for t, _ in rows], float), [s for _, s in rows]
    law, scaled = (
        KaplanMeier(RunLog(times=times, solved=solved)),
        KaplanMeier(RunLog(times=times * scale, solved=solved)),
    )
    assert scaled.expected_at_times() == pytest.approx(law.expected_at_times() * scale)


@given(logs)
def test_the_area_is_that_of_the_sampled_curve(rows: list[tuple[int, bool]]) -> None:
    law = KaplanMeier(RunLog(times=[t for t, _ in rows], solved=[s for _, s in rows]))
    grid = np.arange(0, 13 * 64) / 64  # knots are whole numbers, so sums of left edges are exact
    assert float(law.restricted_mean(13.0)) == pytest.approx(float(law.survival(grid).sum() / 64), abs=1e-9)


def test_samples_follow_the_curve() -> None:
    law = KaplanMeier(TWENTY)
    drawn = law.sample(20_000, 0)
    # four standard errors of a proportion of 20,000
    assert [np.mean(drawn > t) for t in law.times] == pytest.approx(law.survivals.tolist(), abs=0.0142)


def test_a_million_entries_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(0)
    times, limits = rng.lognormal(0, 2, 10**6), rng.lognormal(1, 1, 10**6)
    start = time.process_time()
    law = KaplanMeier(RunLog(times=np.minimum(times, limits), solved=times <= limits))
    best = law.optimal_cutoff()
    assert time.process_time() - start < 2.0
    assert best.expected == pytest.approx(0.721127, rel=0.02)  # the law's own; a million runs leave half a percent
