"""The log of attempts: what each saw at its checkpoints, how it ended, and with what probability its end was seen.

Weights are 1 / P(observed): 1 for an attempt that no rule flagged, 1 / explore for one that was flagged and let go on,
0 for one that was flagged and stopped, whose label nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.makespan import duration as check_time
from dalsegno.policies.preemption.observed import NEVER, BranchStatistics, Floats, Observed

COLUMNS = ("durations", "outcomes", "weights", "flagged", "called", "times", "scores", "signals")
UNKNOWN = -1  # the outcome of an attempt that was stopped


class AttemptLog:
    """Rows of attempts at ``checkpoints`` times (K of them), each with a signal of F features at every checkpoint.

    >>> log = AttemptLog(checkpoints=1)
    >>> log.add(20.0, True)
    >>> log.add(8.0, None, flagged=0, times=[8.0])           # flagged and stopped: no label
    >>> log.add(60.0, False, flagged=0, times=[8.0], probability=0.1)  # flagged and explored
    >>> log.weights.tolist(), round(log.statistics().p, 4)
    ([1.0, 0.0, 10.0], 0.0909)
    """

    def __init__(self, checkpoints: int, features: int = 0) -> None:
        self.checkpoints, self.features = checkpoints, features
        self.begun = 0  # the number of the oldest row that is kept, counted from the first ever
        self._rows: dict[str, list[Any]] = {name: [] for name in COLUMNS}

    def __len__(self) -> int:
        return len(self._rows["durations"])

    def add(
        self,
        duration: float,
        succeeded: bool | None,
        *,
        flagged: int = NEVER,
        probability: float | None = None,
        called: bool = False,
        times: Sequence[float] | Floats | None = None,
        scores: Sequence[float] | Floats | None = None,
        signals: npt.ArrayLike | None = None,
    ) -> None:
        """One attempt that has ended: by itself (``succeeded`` true or false), or stopped (None).

        ``flagged`` is the checkpoint at which the rule in force would have stopped it (-1: none), ``probability`` that
        with which a flagged attempt is let go on, ``called`` whether the rule called it at all, ``times`` (K,) when
        each checkpoint's call would have stopped it (NaN: not reached), ``scores`` (K,), ``signals`` (K, F).

        Raises :class:`UsageError` for a negative or NaN duration, a label of a flagged attempt without its probability,
        a stopped attempt that was not flagged.
        """
        check_time("duration", duration)
        if succeeded is None:
            if flagged < 0:
                raise UsageError(
                    "an attempt without a label: expected the checkpoint at which it was flagged, or a label"
                )
            weight = 0.0
        elif flagged < 0:
            weight = 1.0
        elif probability is None or not 0.0 < probability <= 1.0:
            raise UsageError(
                f"a label (succeeded={succeeded}) for an attempt that was flagged at checkpoint {flagged}, with "
                f"probability={probability!r}: labels of flagged attempts count only where exploration let them go on; "
                "expected the probability of that, above 0 and at most 1, or succeeded=None for a stopped one"
            )
        else:
            weight = 1.0 / probability
        shape = (self.checkpoints, self.features)
        row: dict[str, Any] = {
            "durations": float(duration),
            "outcomes": UNKNOWN if succeeded is None else int(bool(succeeded)),
            "weights": weight,
            "flagged": int(flagged),
            "called": bool(called or flagged >= 0),
            "times": _row("times", times, shape[:1]),
            "scores": _row("scores", scores, shape[:1]),
            "signals": _row("signals", signals, shape),
        }
        if flagged >= 0 and not row["times"][flagged] < inf:
            raise UsageError(f"flagged={flagged} and times={times!r}: expected the time at which it was flagged")
        for name, value in row.items():
            self._rows[name].append(value)

    def forget(self, keep: int = 0) -> None:
        """Drop the oldest rows, until ``keep`` are left."""
        drop = max(0, len(self) - keep)
        self.begun += drop
        for column in self._rows.values():
            del column[:drop]

    # -- columns -----------------------------------------------------------------------------------------------

    def column(self, name: str) -> npt.NDArray[Any]:
        """One of ``COLUMNS`` as an array with n rows."""
        kind = {"outcomes": np.int64, "flagged": np.int64, "called": np.bool_}.get(name, np.float64)
        shapes: dict[str, tuple[int, ...]] = {"times": (self.checkpoints,), "scores": (self.checkpoints,)}
        shape = (self.checkpoints, self.features) if name == "signals" else shapes.get(name, ())
        return np.array(self._rows[name], kind).reshape(len(self), *shape)

    @property
    def durations(self) -> Floats:
        return self.column("durations")

    @property
    def weights(self) -> Floats:
        return self.column("weights")

    @property
    def outcomes(self) -> npt.NDArray[Any]:
        """1 success, 0 failure, -1 unknown."""
        return self.column("outcomes")

    @property
    def unreached(self) -> npt.NDArray[np.bool_]:
        """(K,): the checkpoints that no attempt whose end was seen has reached."""
        answer: npt.NDArray[np.bool_] = np.isnan(self.column("times")[self.weights > 0]).all(axis=0)
        return answer

    def observed(self, resets: tuple[float, float] = (0.0, 0.0), until: int | None = None) -> tuple[Observed, Floats]:
        """The attempts whose end was seen, and their signals (n, K, F); ``until`` leaves out rows from that number on."""
        rows = np.flatnonzero(self.weights > 0)
        rows = rows if until is None else rows[rows < until - self.begun]
        times = self.column("times")[rows]
        observed = Observed(self.durations[rows], self.outcomes[rows] == 1, times, self.weights[rows], resets)
        return observed, self.column("signals")[rows]

    def statistics(self, since: int = 0) -> BranchStatistics:
        """Weighted branches by the flags of the rules that were in force; ``since`` leaves out rows before that number."""
        seen = (self.weights > 0) & (np.arange(len(self)) >= since - self.begun)
        flagged = self.column("flagged")
        times = np.full(len(self), np.nan)
        rows = np.flatnonzero(flagged >= 0)
        times[rows] = self.column("times")[rows, flagged[rows]]
        return BranchStatistics.of(
            self.durations[seen], self.outcomes[seen] == 1, times[seen], self.column("called")[seen], self.weights[seen]
        )

    def paid(self, resets: tuple[float, float], since: int = 0) -> tuple[Floats, Floats]:
        """What each attempt since a number really took, its reset included, and whether it succeeded (1 or 0)."""
        recent = np.arange(len(self)) >= since - self.begun
        durations, outcomes = self.durations[recent], self.outcomes[recent]
        reset = np.select([outcomes == UNKNOWN, outcomes == 0], [resets[1], resets[0]], 0.0)
        return durations + reset, (outcomes == 1).astype(np.float64)

    # -- state -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {
            "checkpoints": self.checkpoints,
            "features": self.features,
            "begun": self.begun,
            **{name: self.column(name) for name in COLUMNS},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AttemptLog:
        log = cls(int(state["checkpoints"]), int(state["features"]))
        log.begun = int(state["begun"])
        for name in COLUMNS:
            column = np.array(state[name])
            log._rows[name] = list(column) if column.ndim > 1 else column.tolist()
        return log


def _row(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """A row's entry as an array of its own, all NaN where it was left out."""
    if value is None:
        return np.full(shape, np.nan)
    array = np.array(value, np.float64)
    if array.shape != shape:
        raise UsageError(
            f"{name} have shape {array.shape}: expected {shape}, by checkpoints" + " and features" * (len(shape) > 1)
        )
    return array
