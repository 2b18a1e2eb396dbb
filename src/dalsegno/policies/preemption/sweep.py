"""The sweep over checkpoints and thresholds: what every rule of one score would cost, in a few passes over the log.

A rule stops an attempt at the first checkpoint k whose score, the estimated P(success | what was seen so far), is below
a threshold theta_k. Swept are single rules (one checkpoint, one threshold), sequential ones (one threshold at every
checkpoint), and for comparison fixed cutoffs (stop whatever still runs at checkpoint k) and never stopping.

Raising a threshold only moves stops to earlier checkpoints. So each attempt changes what a rule costs at few
thresholds, and sums by threshold of those changes, added up, give every rule at once: O(n K log M).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.observed import NEVER, Flags, Floats, Observed, Places

Kind = Literal["single", "sequential"]
KINDS: tuple[Kind, ...] = ("single", "sequential")


@dataclass(frozen=True)
class ThresholdRule:
    """Stop at the first checkpoint whose score is below its threshold; ``thresholds`` (K,), -inf for no call there.

    >>> ThresholdRule.single(3, checkpoint=1, threshold=0.4).stops([[0.1, 0.5, 0.1], [0.9, 0.3, 0.9]])
    array([-1,  1])
    """

    thresholds: tuple[float, ...]

    @classmethod
    def never(cls, checkpoints: int) -> ThresholdRule:
        return cls((-inf,) * checkpoints)

    @classmethod
    def single(cls, checkpoints: int, checkpoint: int, threshold: float) -> ThresholdRule:
        """One threshold at one of ``checkpoints``; with ``inf`` it is the fixed cutoff there."""
        return cls(tuple(threshold if k == checkpoint else -inf for k in range(checkpoints)))

    @classmethod
    def sequential(cls, checkpoints: int, threshold: float) -> ThresholdRule:
        return cls((threshold,) * checkpoints)

    @property
    def active(self) -> Flags:
        """(K,): at which checkpoints a call is made."""
        return np.array(self.thresholds) > -inf

    def flags(self, checkpoint: int, score: float) -> bool:
        threshold = self.thresholds[checkpoint]
        return score < threshold or threshold == inf

    def stops(self, scores: npt.ArrayLike) -> Places:
        """The checkpoint at which each attempt is stopped, -1 for never; ``scores`` (n, K), NaN where it had ended."""
        scores = np.asarray(scores, np.float64)
        with np.errstate(invalid="ignore"):
            below = scores < np.array(self.thresholds)
        # A cutoff stops whatever is running, also where the score is infinite ("no prediction here").
        below |= (np.array(self.thresholds) == inf) & ~np.isnan(scores)
        if not below.shape[1]:
            return np.full(len(below), NEVER)
        return np.where(below.any(axis=1), below.argmax(axis=1), NEVER)

    def __str__(self) -> str:
        used = [(k, theta) for k, theta in enumerate(self.thresholds) if theta > -inf]
        if not used:
            return "never stop"
        if len(used) == 1:
            k, theta = used[0]
            return f"stop at checkpoint {k}" + ("" if theta == inf else f" below {theta:.3g}")
        return f"stop at any of {len(used)} checkpoints below {used[0][1]:.3g}"


@dataclass(frozen=True)
class Sweep:
    """Makespans of all rules: ``reactive``, ``cutoffs`` (K,), ``single`` (K, M), ``sequential`` (M,); inf: no success."""

    thresholds: Floats
    reactive: float
    cutoffs: Floats
    single: Floats
    sequential: Floats

    @property
    def cutoff(self) -> ThresholdRule:
        """The best fixed cutoff, or never to stop where none is better."""
        if not self.cutoffs.size or self.cutoffs.min() >= self.reactive:
            return ThresholdRule.never(len(self.cutoffs))
        return ThresholdRule.single(len(self.cutoffs), int(self.cutoffs.argmin()), inf)

    @property
    def baseline(self) -> float:
        """EMS_0: the better of reactive and the best fixed cutoff at the same checkpoints."""
        return min(self.reactive, float(self.cutoffs.min(initial=inf)))

    def best(self, kinds: tuple[Kind, ...] = KINDS) -> tuple[float, ThresholdRule]:
        """The least makespan of the kinds asked for, never stopping among them, and its rule."""
        checkpoints = len(self.cutoffs)
        least, rule = self.reactive, ThresholdRule.never(checkpoints)
        if "single" in kinds and self.single.size and self.single.min() < least:
            k, m = np.unravel_index(int(self.single.argmin()), self.single.shape)
            least = float(self.single[k, m])
            rule = ThresholdRule.single(checkpoints, int(k), float(self.thresholds[m]))
        if "sequential" in kinds and self.sequential.size and self.sequential.min() < least:
            m = self.sequential.argmin()
            least = float(self.sequential[m])
            rule = ThresholdRule.sequential(checkpoints, float(self.thresholds[m]))
        return least, rule


def sweep(
    observed: Observed, scores: npt.ArrayLike, thresholds: npt.ArrayLike | int = 200, kinds: tuple[Kind, ...] = KINDS
) -> Sweep:
    """Every rule's makespan on ``observed``; ``scores`` (n, K), NaN where an attempt had ended, inf where none is known.

    ``thresholds`` are the values to try, or how many quantiles of the scores.

    Raises :class:`UsageError` for scores of another shape, or NaN where an attempt was running.
    """
    scores = check_scores(observed, scores)
    theta = candidates(scores, thresholds) if isinstance(thresholds, int) else np.unique(np.asarray(thresholds, float))
    reached, weights = observed.reached, observed.weights
    to_end, success = observed.outcomes(np.full(len(observed), NEVER))
    stopped = observed.times + observed.resets[1]  # (n, K)
    cost, gain = float(weights @ to_end), float(weights @ success)
    change = np.where(reached, weights[:, None] * (stopped - to_end[:, None]), 0.0)
    loss = np.where(reached, (weights * success)[:, None], 0.0)
    winners = reached & (success * weights > 0)[:, None]
    left = int((success * weights > 0).sum())
    single = np.zeros((reached.shape[1], 0))
    if "single" in kinds:
        columns = []
        for k in range(reached.shape[1]):
            rows = reached[:, k]
            sums = _by_threshold(theta, scores[rows, k], change[rows, k], loss[rows, k], winners[rows, k])
            columns.append(_makespan(cost, gain, left, *sums))
        single = np.array(columns).reshape(reached.shape[1], len(theta))
    return Sweep(
        theta,
        observed.reactive,
        _makespan(cost, gain, left, change.sum(axis=0), loss.sum(axis=0), winners.sum(axis=0)),
        single,
        _sequential(theta, observed, scores, cost, gain, left) if "sequential" in kinds else np.zeros(0),
    )


def _sequential(theta: Floats, observed: Observed, scores: Floats, cost: float, gain: float, left: int) -> Floats:
    """Rules with one threshold everywhere: an attempt stops at k iff its lowest score so far fell below theta at k."""
    reached, weights = observed.reached, observed.weights
    lowest = np.minimum.accumulate(np.where(reached, scores, inf), axis=1)
    falls = reached & (lowest < np.hstack([np.full((len(scores), 1), inf), lowest[:, :-1]]))
    to_end, success = observed.outcomes(np.full(len(observed), NEVER))
    # Above the level to which checkpoint k is the first to fall, k takes over from the next checkpoint to fall.
    later = to_end.copy()
    later_success = weights * success > 0
    total, lost, fewer = (np.zeros(len(theta)) for _ in range(3))
    for k in reversed(range(scores.shape[1])):
        rows = falls[:, k]
        stop = observed.times[rows, k] + observed.resets[1]
        won = later_success[rows]
        sums = _by_threshold(
            theta, lowest[rows, k], weights[rows] * (stop - later[rows]), (weights * success)[rows] * won, won
        )
        total, lost, fewer = total + sums[0], lost + sums[1], fewer + sums[2]
        later[rows] = stop
        later_success[rows] = False
    return _makespan(cost, gain, left, total, lost, fewer)


def _by_threshold(theta: Floats, level: Floats, *columns: Floats | Flags) -> list[Floats]:
    """For each threshold the sum of each column over the rows whose level is below it."""
    place = np.searchsorted(theta, level, side="right")
    return [np.cumsum(np.bincount(place, column, minlength=len(theta) + 1)[: len(theta)]) for column in columns]


def _makespan(cost: float, gain: float, left: int, change: Floats, loss: Floats, winners: Floats) -> Floats:
    """(cost + change) / (gain - loss); by the whole number of successes left, infinite where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left - winners > 0, (cost + change) / (gain - loss), inf)


def candidates(scores: Floats, count: int) -> Floats:
    """At most ``count`` thresholds: quantiles of all finite scores, each once."""
    finite = scores[np.isfinite(scores)]
    if not finite.size:
        return np.zeros(0)
    return np.unique(np.quantile(finite, np.linspace(0.0, 1.0, count)))


def check_scores(observed: Observed, scores: npt.ArrayLike) -> Floats:
    scores = np.asarray(scores, np.float64)
    if scores.shape != observed.times.shape:
        raise UsageError(f"scores have shape {scores.shape}: expected {observed.times.shape}, attempts and checkpoints")
    wrong = observed.reached & np.isnan(scores)
    if wrong.any():
        row, k = np.argwhere(wrong)[0]
        raise UsageError(
            f"scores[{row}, {k}] is NaN and that attempt was running at checkpoint {k}: the predictor gave no "
            "probability; expected a number, or inf for 'no prediction here'"
        )
    return scores
