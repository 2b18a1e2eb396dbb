"""Adoption: nothing is judged by what chose it, noise is not adopted, and a cutoff stands its own test."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import LogisticPredictor, Observed, ThresholdRule, assign_folds, crossfit, judge
from dalsegno.policies.preemption.adoption import bootstrap, crossfit_stops

CHECKPOINTS = [3.0, 6.0, 9.0]


def attempts(n: int, seed: int, p: float = 0.5, mtf: float = 60.0) -> Observed:
    rng = np.random.default_rng(seed)
    succeeded = rng.random(n) < p
    durations = np.where(succeeded, 20.0, mtf) * rng.uniform(0.5, 1.5, n)
    return Observed.of(durations, succeeded, CHECKPOINTS, resets=(2.0, 1.0))


def informative(observed: Observed, seed: int, noise: float = 0.8) -> Any:
    """Signals (n, K, 1) that know the outcome up to noise."""
    rng = np.random.default_rng(seed)
    return (observed.succeeded[:, None] + noise * rng.normal(size=observed.times.shape))[:, :, None]


class Memory:
    """It knows every attempt that it was fitted on by heart, and nothing of any other."""

    classes_ = np.array([False, True])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Memory:
        self.known = {float(row[0]): bool(label) for row, label in zip(X, y, strict=True)}
        return self

    def predict_proba(self, X: Any) -> Any:
        success = np.array([float(self.known.get(float(row[0]), 0.5)) for row in X])
        return np.column_stack([1 - success, success])


def test_no_score_comes_from_a_predictor_that_saw_its_attempt() -> None:
    observed = attempts(200, 0)
    scores = crossfit(Memory, observed, informative(observed, 1), assign_folds(observed.succeeded))
    assert (scores[observed.reached] == 0.5).all()


def test_a_predictor_that_only_remembers_is_not_adopted() -> None:
    observed = attempts(400, 0)
    folds = assign_folds(observed.succeeded)
    assert (
        judge(observed, crossfit(Memory, observed, informative(observed, 1), folds), folds=folds).decision != "preempt"
    )


def test_a_predictor_that_knows_is_adopted() -> None:
    observed = attempts(400, 0)
    folds = assign_folds(observed.succeeded)
    scores = crossfit(LogisticPredictor, observed, informative(observed, 1), folds)
    verdict = judge(observed, scores, folds=folds)
    assert verdict.decision == "preempt" and 0 < verdict.gain[0] < verdict.gain[1] < verdict.gain[2]


def test_what_is_foreseen_holds_on_fresh_attempts() -> None:
    observed, fresh = attempts(1500, 0), attempts(20_000, 9)
    folds = assign_folds(observed.succeeded)
    signals = informative(observed, 1)
    verdict = judge(observed, crossfit(LogisticPredictor, observed, signals, folds), folds=folds)
    from dalsegno.policies.preemption.adoption import fit, score

    scores = score(fit(LogisticPredictor, observed, signals), fresh, informative(fresh, 2))
    error = verdict.foreseen_error
    assert abs(fresh.makespan(verdict.rule.stops(scores)) - verdict.ems_preemptive) < 3 * error


def test_noise_is_adopted_no_more_often_than_the_test_allows() -> None:
    adopted = 0
    for seed in range(60):
        observed = attempts(300, seed)
        noise = np.where(observed.reached, np.random.default_rng((1, seed)).random(observed.times.shape), nan)
        adopted += judge(observed, noise, resamples=300, seed=seed).decision == "preempt"
    assert adopted <= 6  # 3 expected at most at alpha = .05; 6 or fewer then in 97%


def test_noise_that_acts_as_a_cutoff_is_not_adopted_where_the_cutoff_is() -> None:
    rng = np.random.default_rng(4)
    succeeded = rng.random(600) < 0.5
    durations = np.where(succeeded, rng.uniform(1, 4, 600), 100.0)
    observed = Observed.of(durations, succeeded, [5.0, 10.0])
    noise = np.where(observed.reached, rng.random((600, 2)), nan)
    verdict = judge(observed, noise)
    assert (verdict.decision, verdict.rule) == ("cutoff", ThresholdRule.single(2, 0, np.inf))


def test_without_a_predictor_the_cutoff_alone_is_judged() -> None:
    observed = Observed.of([2.0] * 30 + [100.0] * 30, [True] * 30 + [False] * 30, [5.0])
    assert judge(observed, None).decision == "cutoff"


def test_no_cutoff_is_adopted_where_failures_are_short() -> None:
    assert judge(attempts(400, 2, mtf=5.0), None).decision == "reactive"


@pytest.mark.parametrize(
    ("successes", "failures", "decision"), [(19, 200, "too few"), (200, 19, "too few"), (20, 20, "cutoff")]
)
def test_20_successes_and_20_failures_are_needed(successes: int, failures: int, decision: str) -> None:
    durations = [2.0] * successes + [100.0] * failures
    observed = Observed.of(durations, [True] * successes + [False] * failures, [5.0])
    assert judge(observed, None).decision == decision


def test_attempts_of_no_weight_do_not_count_as_seen() -> None:
    durations, succeeded = [2.0] * 30 + [100.0] * 30, [True] * 30 + [False] * 30
    observed = Observed.of(durations, succeeded, [5.0], weights=[1.0] * 30 + [0.0] * 20 + [1.0] * 10)
    assert judge(observed, None).failures == 10


def test_thresholds_are_chosen_on_the_other_folds() -> None:
    observed = attempts(200, 3)
    folds = assign_folds(observed.succeeded)
    chosen = []

    def choose(swept: Any) -> ThresholdRule:
        chosen.append(swept.reactive)
        return ThresholdRule.never(3)

    crossfit_stops(observed, np.where(observed.reached, 0.5, nan), folds, choose)
    assert chosen == [observed.take(folds != fold).reactive for fold in range(5)]


def test_folds_share_out_successes_and_failures_evenly() -> None:
    succeeded = np.arange(103) < 41
    folds = assign_folds(succeeded, seed=2)
    counts = np.array([[(folds[succeeded == kind] == fold).sum() for fold in range(5)] for kind in (True, False)])
    assert (np.ptp(counts, axis=1) <= 1).all()


def test_the_bootstrap_spreads_as_drawing_attempts_anew_does() -> None:
    observed = attempts(150, 5)
    stops = np.where(~observed.succeeded, 0, -1)
    drawn = bootstrap(observed, [stops], resamples=4000)[:, 0]
    rng = np.random.default_rng(0)
    rows = [rng.integers(150, size=150) for _ in range(4000)]
    anew = [observed.take(r).makespan(stops[r]) for r in rows]
    assert (drawn.mean(), drawn.std()) == pytest.approx((np.mean(anew), np.std(anew)), rel=0.05)


def test_judging_twice_gives_the_same() -> None:
    observed = attempts(300, 6)
    scores = np.where(observed.reached, np.random.default_rng(0).random(observed.times.shape), nan)
    assert judge(observed, scores, seed=4).gain == judge(observed, scores, seed=4).gain


def test_signals_of_another_shape_are_refused() -> None:
    observed = attempts(100, 0)
    with pytest.raises(UsageError, match=r"\(n, K, F\)"):
        crossfit(LogisticPredictor, observed, np.zeros((100, 2, 1)), assign_folds(observed.succeeded))
