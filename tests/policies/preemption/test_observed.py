"""Columns of attempts: what each costs under a rule, branches, and estimates under exploration."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import BranchStatistics, Observed, branch_statistics

LOG = Observed.of([3.0, 8.0, 9.0, 20.0], [True, False, True, False], [4.0, 10.0], resets=(5.0, 2.0))


def test_an_attempt_reaches_the_checkpoints_before_its_end() -> None:
    assert LOG.reached.tolist() == [[False, False], [True, False], [True, False], [True, True]]


def test_one_that_ends_at_a_checkpoint_has_not_reached_it() -> None:
    assert Observed.of([4.0, 5.0], [True, True], [4.0]).reached.tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("stops", "taken", "success"),
    [
        ([-1, -1, -1, -1], [3, 13, 9, 25], [1, 0, 1, 0]),
        ([-1, 0, -1, 1], [3, 6, 9, 12], [1, 0, 1, 0]),
        ([-1, 0, 0, 0], [3, 6, 6, 6], [1, 0, 0, 0]),
    ],
)
def test_what_attempts_take_and_yield(stops: list[int], taken: list[float], success: list[float]) -> None:
    found = LOG.outcomes(stops)
    assert (found[0].tolist(), found[1].tolist()) == (taken, success)


def test_a_calls_latency_is_part_of_what_a_stopped_attempt_takes() -> None:
    late = Observed.of([8.0, 9.0], [False, True], [4.0], latency=0.5)
    assert late.outcomes([0, -1])[0].tolist() == [4.5, 9.0]


def test_the_makespan_is_time_over_successes() -> None:
    assert (LOG.reactive, LOG.makespan([-1, 0, -1, 1])) == (25.0, 15.0)


def test_weights_count_as_copies() -> None:
    heavy = Observed.of(LOG.durations, LOG.succeeded, [4.0, 10.0], weights=[1, 3, 1, 2], resets=(5.0, 2.0))
    rows = np.array([0, 1, 1, 1, 2, 3, 3])
    assert heavy.makespan([-1, 0, -1, 1]) == pytest.approx(LOG.take(rows).makespan([-1, 0, 0, 0, -1, 1, 1]))


# -- branches --------------------------------------------------------------------------------------------------


def test_attempts_that_end_before_any_call_are_neither_called_nor_stopped() -> None:
    found = branch_statistics(LOG, [-1, 0, -1, 1], [True, True])
    assert found.count.tolist() == [1, 0, 2, 0, 1, 0]  # TP FP TN FN NCS NCF


def test_only_active_checkpoints_call() -> None:
    found = branch_statistics(LOG, [-1, -1, -1, 1], [False, True])
    assert found.count.tolist() == [0, 0, 1, 0, 2, 1]


@pytest.mark.parametrize("stops", [[-1, -1, -1, -1], [-1, 0, -1, 1], [-1, 0, 0, 0]])
def test_the_closed_form_of_the_branches_is_the_ratio(stops: list[int]) -> None:
    found = branch_statistics(LOG, stops, [True, True])
    assert found.makespan((5.0, 2.0)) == pytest.approx(LOG.makespan(stops), rel=1e-12)


def test_reactive_of_the_branches_needs_whole_durations() -> None:
    assert branch_statistics(LOG, [-1, 0, 0, 0], [True, True]).reactive((5.0, 2.0)) == pytest.approx(LOG.reactive)


def test_statistics_of_parts_add_up() -> None:
    stops = np.array([-1, 0, -1, 1])
    parts = [branch_statistics(LOG.take(r), stops[r], [True, True]) for r in (np.array([0, 2]), np.array([1, 3]))]
    whole = branch_statistics(LOG, stops, [True, True])
    assert all((getattr(parts[0] + parts[1], name) == getattr(whole, name)).all() for name in vars(whole))


def test_rates_count_called_attempts_alone() -> None:
    found = branch_statistics(LOG, [-1, 0, -1, -1], [True, False])
    assert (found.tnr, found.fnr, found.p) == (0.5, 0.0, 0.5)


# -- exploration -----------------------------------------------------------------------------------------------

P, TNR, FNR, MTS, MTF, EXPLORE = 0.4, 0.7, 0.1, 20.0, 60.0, 0.1
TRUTH = {"p": P, "tnr": TNR, "fnr": FNR, "mts": MTS, "mtf": MTF}


def explored(rng: np.random.Generator, n: int = 3000) -> tuple[Any, ...]:
    """Attempts under a rule that is ignored in a tenth: what happened, and with what weight it counts.

    Attempts that are flagged are the longer ones, so that leaving them out shifts the means too.
    """
    succeeded = rng.random(n) < P
    flagged = rng.random(n) < np.where(succeeded, FNR, TNR)
    longer = np.where(flagged, 1.2, np.where(succeeded, (1 - 1.2 * FNR) / (1 - FNR), (1 - 1.2 * TNR) / (1 - TNR)))
    durations = np.where(succeeded, MTS, MTF) * longer * rng.exponential(size=n)
    weights = np.where(flagged, np.where(rng.random(n) < EXPLORE, 1 / EXPLORE, 0.0), 1.0)
    return durations, succeeded, np.where(flagged, 5.0, nan), weights


def estimates(weighted: bool) -> np.ndarray[Any, Any]:
    """Mean and standard error over 2000 replications, (2, 5)."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(2000):
        durations, succeeded, flagged, weights = explored(rng)
        seen = weights > 0
        used = weights[seen] if weighted else np.ones(seen.sum())
        one = BranchStatistics.of(durations[seen], succeeded[seen], flagged[seen], np.ones(seen.sum(), bool), used)
        found.append((one.p, one.tnr, one.fnr, *one.undisturbed[:2]))
    return np.array([np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))])


def test_weighted_estimates_under_exploration_are_unbiased() -> None:
    mean, error = estimates(weighted=True)
    # A ratio of sums is biased by about its variance over its mean, which 3000 attempts leave below 3 s.e. of 2000.
    assert (np.abs(mean - list(TRUTH.values())) < 3 * error).all()


def test_unweighted_estimates_are_biased() -> None:
    mean, error = estimates(weighted=False)
    assert (np.abs(mean - list(TRUTH.values())) > 20 * error).all()


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duration", [-1.0, nan, inf])
def test_a_duration_that_is_no_time_is_refused(duration: float) -> None:
    with pytest.raises(UsageError, match=r"durations\[1\]"):
        Observed.of([3.0, duration, 9.0], [True, True, False], [1.0])


def test_no_success_is_refused() -> None:
    with pytest.raises(UsageError, match="no success among 2"):
        Observed.of([3.0, 4.0], [False, False], [1.0])


def test_no_success_of_weight_is_refused() -> None:
    with pytest.raises(UsageError, match="no success"):
        Observed.of([3.0, 4.0], [True, False], [1.0], weights=[0.0, 1.0])


@pytest.mark.parametrize("checkpoint", [9.0, 10.0])
def test_a_checkpoint_after_the_longest_attempt_is_refused(checkpoint: float) -> None:
    with pytest.raises(UsageError, match="longest attempt"):
        Observed.of([3.0, 9.0], [True, False], [1.0, checkpoint])


@pytest.mark.parametrize("checkpoints", [[0.0], [2.0, 1.0], [nan], [-1.0, 2.0], [[1.0]]])
def test_checkpoints_that_do_not_rise_are_refused(checkpoints: Any) -> None:
    with pytest.raises(UsageError, match="each later"):
        Observed.of([3.0, 9.0], [True, False], checkpoints)


def test_stopping_where_an_attempt_had_ended_is_refused() -> None:
    with pytest.raises(UsageError, match="did not reach"):
        LOG.outcomes([0, -1, -1, -1])


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="expected"):
        Observed.of([3.0, 9.0], [True], [1.0])


def test_a_rule_under_which_none_succeeds_is_refused() -> None:
    with pytest.raises(UsageError, match="infinite"):
        Observed.of([5.0, 9.0], [True, False], [1.0]).makespan([0, 0])
