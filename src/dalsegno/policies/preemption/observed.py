"""Attempts whose end was seen, as columns, and what each would have cost under a rule that stops some of them.

Preemption hides labels: a stopped attempt never shows how it would have ended. Those that are seen stand for those
that are not, by a weight 1 / P(observed); every figure here is a weighted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.makespan import Confusion, Means, check_resets, cost_per_success, expected_makespan

BRANCHES = ("TP", "FP", "TN", "FN", "NCS", "NCF")
TP, FP, TN, FN, NCS, NCF = range(6)
NEVER = -1  # the checkpoint at which an attempt is stopped that is not stopped
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Observed:
    """Complete attempts: n of them, K checkpoints.

    ``durations`` (n,) from the start to the attempt's own end, ``succeeded`` (n,), ``times`` (n, K) at which each
    checkpoint's call would have stopped it, NaN where it had ended before, ``weights`` (n,) 1 / P(observed), ``resets``
    (after a failure, after a preemption).

    Raises :class:`UsageError` for negative or NaN times and weights, no success, a checkpoint that none reached.
    """

    durations: Floats
    succeeded: Flags
    times: Floats
    weights: Floats
    resets: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        n = len(self.durations)
        if self.times.ndim != 2 or not n == len(self.succeeded) == len(self.times) == len(self.weights):
            raise UsageError(
                f"attempts: durations {self.durations.shape}, succeeded {self.succeeded.shape}, times "
                f"{self.times.shape}, weights {self.weights.shape}: expected (n,), (n,), (n, K), (n,)"
            )
        for name, column in (("durations", self.durations), ("weights", self.weights)):
            wrong = ~((column >= 0) & (column < inf))
            if wrong.any():
                place = int(np.argmax(wrong))
                raise UsageError(f"{name}[{place}] is {column[place]}: expected a finite number of at least 0")
        if not (self.succeeded & (self.weights > 0)).any():
            raise UsageError(f"no success among {n} attempts: the expected time to one cannot be estimated")
        late = np.isnan(self.times).all(axis=0)
        if late.any():
            raise UsageError(
                f"checkpoint {int(np.argmax(late))} is after the end of the longest attempt ({self.durations.max():g}): "
                "expected checkpoints that some attempt reaches"
            )
        object.__setattr__(self, "resets", check_resets(self.resets))

    @classmethod
    def of(
        cls,
        durations: npt.ArrayLike,
        succeeded: npt.ArrayLike,
        checkpoints: npt.ArrayLike,
        *,
        weights: npt.ArrayLike | None = None,
        latency: float = 0.0,
        resets: Sequence[float] = (0.0, 0.0),
    ) -> Observed:
        """From durations alone: an attempt reaches the checkpoints before its end, and a call takes ``latency``.

        >>> log = Observed.of([3.0, 8.0, 9.0], [True, False, True], checkpoints=[4.0])
        >>> log.makespan([-1, 0, -1]), round(log.reactive, 6)
        (8.0, 10.0)
        """
        durations = np.asarray(durations, np.float64)
        checkpoints = np.asarray(checkpoints, np.float64)
        if (
            checkpoints.ndim != 1
            or not (np.diff(checkpoints, prepend=0.0) > 0).all()
            or not np.isfinite(checkpoints).all()
        ):
            raise UsageError(
                f"checkpoints {checkpoints}: expected finite times above 0, each later than the one before"
            )
        if len(durations) and len(checkpoints) and checkpoints[-1] >= durations.max():
            raise UsageError(
                f"the checkpoint at {checkpoints[-1]:g} is after the end of the longest attempt "
                f"({durations.max():g}): expected checkpoints that some attempt reaches"
            )
        times = np.where(durations[:, None] > checkpoints, checkpoints + latency, np.nan)
        held = np.ones(len(durations)) if weights is None else np.asarray(weights, np.float64)
        return cls(durations, np.asarray(succeeded, np.bool_), times, held, check_resets(resets))

    def __len__(self) -> int:
        return len(self.durations)

    @property
    def reached(self) -> Flags:
        """(n, K): which attempts were still running at which checkpoint."""
        return ~np.isnan(self.times)

    @property
    def reactive(self) -> float:
        """The makespan without preemption."""
        return self.makespan(np.full(len(self), NEVER))

    def take(self, rows: npt.NDArray[np.generic]) -> Observed:
        """Some of the attempts, by index or mask; a checkpoint that none of them reached may be among them."""
        part = object.__new__(Observed)
        for name in ("durations", "succeeded", "times", "weights"):
            object.__setattr__(part, name, getattr(self, name)[rows])
        object.__setattr__(part, "resets", self.resets)
        return part

    def outcomes(self, stops: npt.ArrayLike) -> tuple[Floats, Floats]:
        """What each attempt takes, its reset included, and whether it succeeds (1 or 0), if stopped at ``stops`` (n,)."""
        stops = np.asarray(stops)
        stopped = stops >= 0
        flagged = self.times[np.arange(len(self)), np.maximum(stops, 0)] if self.times.shape[1] else self.durations
        if np.isnan(flagged[stopped]).any():
            raise UsageError("stops: an attempt cannot be stopped at a checkpoint that it did not reach")
        to_end = self.durations + self.resets[0] * ~self.succeeded
        return np.where(stopped, flagged + self.resets[1], to_end), (self.succeeded & ~stopped).astype(np.float64)

    def makespan(self, stops: npt.ArrayLike) -> float:
        """The expected time to success if the attempts were stopped at ``stops`` (n,), -1 for never."""
        taken, success = self.outcomes(stops)
        mass = self.weights.sum()
        return cost_per_success(float(self.weights @ taken / mass), min(float(self.weights @ success / mass), 1.0))


@dataclass(frozen=True)
class BranchStatistics:
    """Sufficient statistics by branch, six each in the order of ``BRANCHES``; two of them add up by ``+``.

    ``count`` of attempts, ``weight`` of them, and weighted sums: ``time`` until the attempt ended or was flagged,
    ``square`` of that, and ``full``, its time to its own end.
    """

    count: Floats
    weight: Floats
    time: Floats
    square: Floats
    full: Floats

    @classmethod
    def of(
        cls, durations: Floats, succeeded: Flags, flagged: Floats, called: Flags, weights: Floats
    ) -> BranchStatistics:
        """By attempt: its time to its own end, its outcome, when it was flagged (NaN: never), whether a call was made."""
        negative = ~np.isnan(flagged)
        branch = np.where(negative, TN, np.where(called, FP, NCF))  # those that would fail
        branch = np.where(succeeded, np.where(negative, FN, np.where(called, TP, NCS)), branch)
        time = np.where(negative, flagged, durations)

        def total(column: Floats | None) -> Floats:
            return np.bincount(branch, column, minlength=6).astype(np.float64)

        return cls(
            total(None), total(weights), total(weights * time), total(weights * time**2), total(weights * durations)
        )

    def __add__(self, other: BranchStatistics) -> BranchStatistics:
        return BranchStatistics(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def scaled(self, factor: float) -> BranchStatistics:
        """Every sum times ``factor``: the mean of several statistics, say."""
        return BranchStatistics(*(factor * getattr(self, name) for name in self.__dataclass_fields__))

    @property
    def p(self) -> float:
        """P(success) of an undisturbed attempt."""
        return _ratio(self.weight[[TP, FN, NCS]].sum(), self.weight.sum())

    @property
    def tnr(self) -> float:
        """P(stop | would fail) among the attempts that were called; NaN where there are none."""
        return _ratio(self.weight[TN], self.weight[[TN, FP]].sum())

    @property
    def fnr(self) -> float:
        """P(stop | would succeed) among the attempts that were called; NaN where there are none."""
        return _ratio(self.weight[FN], self.weight[[FN, TP]].sum())

    @property
    def confusion(self) -> Confusion:
        return Confusion(*(float(share) for share in self.weight / self.weight.sum()))

    @property
    def means(self) -> Means:
        """MTS, MTF and MTN of the branches under preemption; 0 for a branch that is empty."""
        return Means(*(self._mean(self.time, branches) for branches in ([TP, NCS], [FP, NCF], [TN, FN])))

    @property
    def undisturbed(self) -> Means:
        """MTS and MTF of attempts that run to their own end, those that would be stopped among them."""
        return Means(self._mean(self.full, [TP, FN, NCS]), self._mean(self.full, [FP, TN, NCF]))

    def makespan(self, resets: Sequence[float] = (0.0, 0.0)) -> float:
        """With preemption, by the closed form."""
        return expected_makespan(self.confusion, self.means, resets)

    def reactive(self, resets: Sequence[float] = (0.0, 0.0)) -> float:
        """Without preemption, by the closed form."""
        p = self.p
        return expected_makespan(Confusion(p, 1 - p, 0.0, 0.0), self.undisturbed, resets)

    def _mean(self, column: Floats, branches: list[int]) -> float:
        mean = _ratio(column[branches].sum(), self.weight[branches].sum())
        return 0.0 if np.isnan(mean) else mean


def branch_statistics(observed: Observed, stops: npt.ArrayLike, active: npt.ArrayLike) -> BranchStatistics:
    """The branches of attempts stopped at ``stops`` (n,) by a rule that calls at the ``active`` (K,) checkpoints.

    An attempt that ended before the first of them was never called: it counts as NCS or NCF.
    """
    stops = np.asarray(stops)
    flagged = np.full(len(observed), np.nan)
    rows = np.flatnonzero(stops >= 0)
    flagged[rows] = observed.times[rows, stops[rows]]
    called: Flags = np.asarray(observed.reached[:, np.asarray(active, np.bool_)].any(axis=1))
    return BranchStatistics.of(observed.durations, observed.succeeded, flagged, called, observed.weights)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
