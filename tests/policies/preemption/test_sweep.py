"""The sweep against a rule by rule reference, and how its time grows."""

from __future__ import annotations

import time
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import Observed, ThresholdRule, sweep

Log = tuple[Observed, Any]


def one_by_one(observed: Observed, scores: Any, rule: ThresholdRule) -> float:
    """A rule's makespan by walking through every attempt."""
    taken = success = 0.0
    for i in range(len(observed)):
        for k, threshold in enumerate(rule.thresholds):
            if observed.reached[i, k] and (scores[i, k] < threshold or threshold == inf):
                taken += observed.weights[i] * (observed.times[i, k] + observed.resets[1])
                break
        else:
            won = observed.succeeded[i]
            taken += observed.weights[i] * (observed.durations[i] + (0.0 if won else observed.resets[0]))
            success += observed.weights[i] * won
    return taken / success if success else inf


@some.composite
def logs(draw: some.DrawFn) -> Log:
    n, checkpoints = draw(some.integers(2, 12)), draw(some.integers(1, 4))
    whole = some.integers(1, 12).map(float)
    durations = [*draw(some.lists(whole, min_size=n - 1, max_size=n - 1)), 13.0]
    succeeded = [*draw(some.lists(some.booleans(), min_size=n - 1, max_size=n - 1)), True]
    weights = [*draw(some.lists(some.sampled_from([0.0, 1.0, 10.0]), min_size=n - 1, max_size=n - 1)), 1.0]
    places = sorted(draw(some.sets(some.integers(1, 12), min_size=checkpoints, max_size=checkpoints)))
    resets = draw(some.tuples(some.integers(0, 3), some.integers(0, 3)))
    observed = Observed.of(durations, succeeded, places, weights=weights, resets=resets, latency=0.25)
    levels = some.sampled_from([0.1, 0.3, 0.5, 0.7, inf])
    flat = draw(some.lists(levels, min_size=n * checkpoints, max_size=n * checkpoints))
    return observed, np.where(observed.reached, np.reshape(flat, (n, checkpoints)), nan)


THETA = [0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9]


@given(logs())
def test_single_rules_are_those_of_the_reference(log: Log) -> None:
    observed, scores = log
    found, k = sweep(observed, scores, THETA).single, scores.shape[1]
    expected = [[one_by_one(observed, scores, ThresholdRule.single(k, j, t)) for t in THETA] for j in range(k)]
    assert found.tolist() == [pytest.approx(row) for row in expected]


@given(logs())
def test_sequential_rules_are_those_of_the_reference(log: Log) -> None:
    observed, scores = log
    expected = [one_by_one(observed, scores, ThresholdRule.sequential(scores.shape[1], t)) for t in THETA]
    assert sweep(observed, scores, THETA).sequential.tolist() == pytest.approx(expected)


@given(logs())
def test_cutoffs_and_reactive_are_those_of_the_reference(log: Log) -> None:
    observed, scores = log
    found, k = sweep(observed, scores, THETA), scores.shape[1]
    cutoffs = [one_by_one(observed, scores, ThresholdRule.single(k, j, inf)) for j in range(k)]
    assert [*found.cutoffs, found.reactive] == pytest.approx(
        [*cutoffs, one_by_one(observed, scores, ThresholdRule.never(k))]
    )


@given(logs())
def test_a_rules_stops_give_the_makespan_that_the_sweep_gives(log: Log) -> None:
    observed, scores = log
    least, rule = sweep(observed, scores, THETA).best()
    assert observed.makespan(rule.stops(scores)) == pytest.approx(least)


@given(logs())
def test_the_best_is_never_worse_than_reactive(log: Log) -> None:
    found = sweep(*log, THETA)
    assert found.best()[0] <= found.reactive and found.baseline <= found.reactive


def test_never_to_stop_is_kept_where_nothing_is_better() -> None:
    observed = Observed.of([2.0, 3.0], [True, True], [1.0])
    found = sweep(observed, [[0.1], [0.2]])
    assert (found.best(), found.cutoff) == ((2.5, ThresholdRule.never(1)), ThresholdRule.never(1))


def test_a_score_that_knows_all_stops_every_failure_at_once() -> None:
    observed = Observed.of([20.0] * 2 + [60.0] * 2, [True, True, False, False], [8.0, 15.0], resets=(5.0, 3.0))
    scores = np.where(observed.succeeded, 0.9, 0.1)[:, None] * np.ones(2)
    assert sweep(observed, scores, [0.5]).best()[0] == 20 + 11


def test_kinds_that_are_not_asked_for_are_not_taken() -> None:
    observed = Observed.of([2.0, 3.0, 30.0], [True, True, False], [1.0, 2.5])
    scores = np.array([[0.9, nan], [0.8, 0.9], [0.5, 0.1]])
    assert sweep(observed, scores, [0.6], ("sequential",)).single.size == 0


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        (ThresholdRule.never(3), "never stop"),
        (ThresholdRule.single(3, 1, 0.25), "stop at checkpoint 1 below 0.25"),
        (ThresholdRule.single(3, 1, inf), "stop at checkpoint 1"),
        (ThresholdRule.sequential(3, 0.4), "stop at any of 3 checkpoints below 0.4"),
    ],
)
def test_a_rule_says_what_it_does(rule: ThresholdRule, written: str) -> None:
    assert str(rule) == written


def test_a_cutoff_stops_also_where_there_is_no_prediction() -> None:
    assert ThresholdRule.single(1, 0, inf).stops([[inf], [0.5], [nan]]).tolist() == [0, 0, -1]


def test_no_prediction_is_never_below_a_threshold() -> None:
    assert ThresholdRule.sequential(2, 0.9).stops([[inf, 0.1], [inf, inf]]).tolist() == [1, -1]


def test_a_score_of_nan_for_a_running_attempt_is_refused() -> None:
    observed = Observed.of([2.0, 3.0], [True, True], [1.0])
    with pytest.raises(UsageError, match=r"scores\[1, 0\] is NaN"):
        sweep(observed, [[0.5], [nan]])


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match="shape"):
        sweep(Observed.of([2.0, 3.0], [True, True], [1.0]), [0.5, 0.5])


def large(n: int = 100_000, checkpoints: int = 20) -> Log:
    rng = np.random.default_rng(0)
    durations, succeeded = rng.lognormal(6, 1, n), rng.random(n) < 0.6
    observed = Observed.of(durations, succeeded, np.quantile(durations, np.linspace(0.05, 0.95, checkpoints)))
    scores = 0.5 * rng.random((n, checkpoints)) + 0.5 * (succeeded * rng.random(n))[:, None]
    return observed, np.where(observed.reached, scores, nan)


def test_4000_rules_take_less_time_than_100_of_them_one_by_one() -> None:
    observed, scores = large()
    ratios = []
    for _ in range(3):
        begun = time.process_time()
        found = sweep(observed, scores, 200)
        between = time.process_time()
        for k in range(10):
            observed.makespan(ThresholdRule.single(20, k, 0.4).stops(scores))
        ratios.append(10 * (between - begun) / (time.process_time() - between))
    assert found.single.shape == (20, 200) and found.sequential.shape == (200,)
    assert min(ratios) < 100, ratios  # seen: about 15
