"""Whether preemption pays, judged on attempts that chose nothing: cross-fitted scores and thresholds, then a bootstrap.

A threshold swept on the attempts that judge it looks better than it is, and a score that is pure noise pays wherever a
fixed cutoff would. So scores are of predictors that never saw the attempt, the threshold applied to each fold was
chosen on the others, and the gain is taken over EMS_0: the better of reactive and the best fixed cutoff.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce
from math import inf, nan
from operator import add
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.observed import (
    NEVER,
    BranchStatistics,
    Floats,
    Observed,
    Places,
    branch_statistics,
)
from dalsegno.policies.preemption.predictor import probabilities
from dalsegno.policies.preemption.sweep import KINDS, Kind, Sweep, ThresholdRule, sweep

FEWEST = 20  # successes, and failures, before anything is adopted
FEWEST_TO_FIT = 5  # of each outcome among the attempts that a predictor is fitted on
FOLDS = 5
RESAMPLES = 1000
CHUNK = 4_000_000  # counts of the bootstrap that are held at once

Decision = Literal["too few", "reactive", "cutoff", "preempt"]
Outcome = tuple[Floats, Floats]  # by attempt: what it takes, whether it succeeds


@dataclass(frozen=True)
class Verdict:
    """What the log says of preemption: the decision, the rule to use, and the figures behind both.

    ``ems_preemptive`` and ``ems_cutoff`` are of cross-fitted actions, which is what fresh attempts can be expected to
    give; ``ems_baseline`` is EMS_0. ``candidate`` is the best rule swept, adopted or not, and ``statistics`` its branches. ``gain`` and ``cutoff_gain`` are (quantile alpha, point, quantile 1 - alpha) of
    EMS_0 - EMS_P and of EMS_R - EMS of the cutoff. ``foreseen`` is the makespan of the rule adopted with its share of
    explored attempts, and ``foreseen_error`` its bootstrap standard error.
    """

    decision: Decision
    rule: ThresholdRule
    successes: int
    failures: int
    ems_reactive: float
    ems_baseline: float = nan
    ems_cutoff: float = nan
    ems_preemptive: float = nan
    gain: tuple[float, float, float] = (nan, nan, nan)
    cutoff_gain: tuple[float, float, float] = (nan, nan, nan)
    foreseen: float = nan
    foreseen_error: float = nan
    candidate: ThresholdRule | None = None
    statistics: BranchStatistics | None = None

    def state_dict(self) -> dict[str, Any]:
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        state["rule"] = list(self.rule.thresholds)
        state["candidate"] = None if self.candidate is None else list(self.candidate.thresholds)
        state["statistics"] = None if self.statistics is None else dict(vars(self.statistics))
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Verdict:
        own = dict(state)
        own["rule"] = ThresholdRule(tuple(own["rule"]))
        own["candidate"] = None if own["candidate"] is None else ThresholdRule(tuple(own["candidate"]))
        own["statistics"] = None if own["statistics"] is None else BranchStatistics(**own["statistics"])
        return cls(**{**own, "gain": tuple(own["gain"]), "cutoff_gain": tuple(own["cutoff_gain"])})


def assign_folds(succeeded: npt.ArrayLike, folds: int = FOLDS, seed: int = 0) -> Places:
    """A fold for each attempt, (n,): at random, successes and failures each spread evenly."""
    succeeded = np.asarray(succeeded, np.bool_)
    rng = np.random.default_rng(seed)
    answer = np.zeros(len(succeeded), np.int64)
    for rows in (np.flatnonzero(succeeded), np.flatnonzero(~succeeded)):
        answer[rng.permutation(rows)] = np.arange(len(rows)) % folds
    return answer


def fit(make: Callable[[], Any], observed: Observed, signals: Floats) -> list[Any]:
    """One fitted predictor for each checkpoint, None where too few attempts were running there to fit one.

    ``make`` gives a fresh estimator with ``fit`` and ``predict_proba``; ``signals`` (n, K, F) are its inputs.
    """
    fitted: list[Any] = []
    for k in range(observed.times.shape[1]):
        rows = observed.reached[:, k] & (observed.weights > 0)
        won = int(observed.succeeded[rows].sum())
        if min(won, int(rows.sum()) - won) < FEWEST_TO_FIT:
            fitted.append(None)
            continue
        weights = observed.weights[rows]
        fitted.append(make().fit(signals[rows, k], observed.succeeded[rows], sample_weight=weights))
    return fitted


def score(fitted: list[Any], observed: Observed, signals: Floats) -> Floats:
    """(n, K) P(success) by each checkpoint's predictor, NaN where an attempt had ended, inf where none was fitted."""
    scores = np.where(observed.reached, inf, nan)
    for k, predictor in enumerate(fitted):
        rows = observed.reached[:, k]
        if predictor is not None and rows.any():
            scores[rows, k] = probabilities(predictor, signals[rows, k])
    return scores


def crossfit(make: Callable[[], Any], observed: Observed, signals: npt.ArrayLike, folds: Places) -> Floats:
    """Scores (n, K) of which none comes from a predictor that was fitted on its own attempt."""
    signals = np.asarray(signals, np.float64)
    if signals.ndim != 3 or signals.shape[:2] != observed.times.shape:
        raise UsageError(f"signals {signals.shape}: expected (n, K, F) with (n, K) = {observed.times.shape}")
    scores = np.full(observed.times.shape, nan)
    for fold in np.unique(folds):
        inside, outside = folds == fold, folds != fold
        fitted = fit(make, observed.take(outside), signals[outside])
        scores[inside] = score(fitted, observed.take(inside), signals[inside])
    return scores


def crossfit_stops(
    observed: Observed,
    scores: Floats,
    folds: Places,
    choose: Callable[[Sweep], ThresholdRule],
    thresholds: int = 200,
    kinds: tuple[Kind, ...] = KINDS,
) -> Places:
    """Where each attempt is stopped, (n,), by the rule that ``choose`` takes on the other folds' attempts."""
    stops = np.full(len(observed), NEVER)
    for fold in np.unique(folds):
        inside, outside = folds == fold, folds != fold
        others = observed.take(outside)
        if not (others.succeeded & (others.weights > 0)).any():
            continue
        rule = choose(sweep(others, scores[outside], thresholds, kinds))
        stops[inside] = rule.stops(scores[inside])
    return stops


def bootstrap(observed: Observed, actions: list[Places], resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Makespans (resamples, actions) of fixed actions on attempts drawn anew, by multinomial weights."""
    return _makespans(observed, [observed.outcomes(stops) for stops in actions], resamples, seed)


def _makespans(observed: Observed, outcomes: list[Outcome], resamples: int, seed: int) -> Floats:
    columns = np.column_stack([column * observed.weights for pair in outcomes for column in pair])
    n, rng = len(observed), np.random.default_rng(seed)
    sums = np.empty((resamples, columns.shape[1]))
    chunk = max(1, CHUNK // n)
    for begin in range(0, resamples, chunk):
        size = min(chunk, resamples - begin)
        sums[begin : begin + size] = rng.multinomial(n, np.full(n, 1.0 / n), size=size) @ columns
    with np.errstate(divide="ignore"):
        return sums[:, 0::2] / sums[:, 1::2]


def judge(
    observed: Observed,
    scores: npt.ArrayLike | None,
    *,
    folds: npt.ArrayLike | None = None,
    kinds: tuple[Kind, ...] = KINDS,
    thresholds: int = 200,
    alpha: float = 0.05,
    resamples: int = RESAMPLES,
    explore: float = 0.0,
    seed: int = 0,
) -> Verdict:
    """Whether to preempt by ``scores`` (n, K), by a fixed cutoff, or not at all.

    ``scores`` must be cross-fitted by ``folds`` (n,), or be of a predictor that was fitted on other attempts; None where
    there is no predictor, so that only the cutoff is judged. Where the cross-fitting was repeated over R partitions they
    are (R, n, K) and (R, n), and what an attempt costs is the mean over partitions. Preemption is adopted if the
    ``alpha`` quantile of EMS_0 - EMS_P is above 0 and at least 20 successes and 20 failures were seen; the cutoff
    likewise against reactive.
    """
    known = observed.weights > 0
    successes, failures = int((observed.succeeded & known).sum()), int((~observed.succeeded & known).sum())
    never = ThresholdRule.never(observed.times.shape[1])
    if min(successes, failures) < FEWEST:
        return Verdict("too few", never, successes, failures, observed.reactive if successes else nan)
    blind = np.where(observed.reached, inf, nan)
    table = np.asarray(blind if scores is None else scores, np.float64).reshape(-1, *blind.shape)
    parts = assign_folds(observed.succeeded, seed=seed) if folds is None else np.asarray(folds)
    parts = np.broadcast_to(parts, (len(table), len(observed)))
    swept = sweep(
        observed.take(np.tile(np.arange(len(observed)), len(table))),
        table.reshape(-1, blind.shape[1]),
        thresholds,
        kinds,
    )
    rule, cutoff = swept.best(kinds)[1], swept.cutoff
    reactive = observed.outcomes(np.full(len(observed), NEVER))
    # The best cutoff is chosen on all attempts: that makes EMS_0 look good, not preemption.
    outcomes = [reactive, observed.outcomes(cutoff.stops(blind))]
    outcomes.append(_mean(observed, [crossfit_stops(observed, blind, part, _cutoff, thresholds, ()) for part in parts]))
    preempted = [
        crossfit_stops(observed, one, part, lambda others: others.best(kinds)[1], thresholds, kinds)
        for one, part in zip(table, parts, strict=True)
    ]
    outcomes.append(_mean(observed, preempted))
    # With exploration the rule adopted is a mixture: a flagged attempt is let go on with probability `explore`.
    outcomes += [_mixture(reactive, one, explore) for one in outcomes[2:]]
    draws = _makespans(observed, outcomes, resamples, seed)
    points = [_point(observed, outcome) for outcome in outcomes]
    gain = _gain(draws[:, :2].min(axis=1), draws[:, 3], min(points[:2]) - points[3], alpha)
    cutoff_gain = _gain(draws[:, 0], draws[:, 2], points[0] - points[2], alpha)
    decision: Decision = "reactive"
    adopted, foreseen = never, 0
    if gain[0] > 0 and rule != never:
        decision, adopted, foreseen = "preempt", rule, 5
    elif cutoff_gain[0] > 0 and cutoff != never:
        decision, adopted, foreseen = "cutoff", cutoff, 4
    return Verdict(
        decision,
        adopted,
        successes,
        failures,
        ems_reactive=points[0],
        ems_baseline=swept.baseline,
        ems_cutoff=points[2],
        ems_preemptive=points[3],
        gain=gain,
        cutoff_gain=cutoff_gain,
        foreseen=points[foreseen],
        foreseen_error=float(draws[:, foreseen].std()),
        candidate=rule,
        statistics=reduce(add, (branch_statistics(observed, stops, rule.active) for stops in preempted)).scaled(
            1.0 / len(preempted)
        ),
    )


def _cutoff(swept: Sweep) -> ThresholdRule:
    return swept.cutoff


def _mean(observed: Observed, actions: list[Places]) -> Outcome:
    """What each attempt takes and yields, averaged over several sets of actions."""
    taken, success = zip(*(observed.outcomes(stops) for stops in actions), strict=True)
    return np.mean(taken, axis=0), np.mean(success, axis=0)


def _mixture(one: Outcome, other: Outcome, share: float) -> Outcome:
    return share * one[0] + (1 - share) * other[0], share * one[1] + (1 - share) * other[1]


def _point(observed: Observed, outcome: Outcome) -> float:
    taken, success = outcome
    gained = float(observed.weights @ success)
    return float(observed.weights @ taken) / gained if gained > 0 else inf


def _gain(without: Floats, with_: Floats, point: float, alpha: float) -> tuple[float, float, float]:
    """Quantile alpha, point and quantile 1 - alpha of what is saved; a makespan without success saves nothing."""
    with np.errstate(invalid="ignore"):
        saved = without - with_
    saved = np.where(np.isfinite(with_), saved, -inf)
    low, high = (float(np.quantile(saved, share, method="lower")) for share in (alpha, 1 - alpha))
    return low, point, high
