"""RunLog: how long attempts ran, and whether each was solved or only cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError

if TYPE_CHECKING:
    from dalsegno.core.trace import AttemptSummary

Times = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class RunLog:
    """Times of attempts in one unit, each with whether the attempt was solved in that time.

    An attempt that was not solved is censored: it would have taken longer, and how much longer is not known.
    ``unit`` is ``"seconds"`` (the default), ``"steps"`` or a unit of cost; ``times`` and ``solved`` have
    shape (n,). Order does not matter, and times may repeat.

    >>> log = RunLog("steps")
    >>> log.add(12, True)
    >>> log.add(30, False)
    >>> log
    RunLog(2 attempts in steps, 1 solved)

    Raises :class:`UsageError` for a time that is negative, NaN, infinite or no number, for a flag that is not
    true, false, 1 or 0, and for times of another unit.
    """

    def __init__(self, unit: str = "seconds", times: npt.ArrayLike = (), solved: npt.ArrayLike = ()) -> None:
        if not isinstance(unit, str) or not unit or unit == "attempts":
            raise UsageError(f"RunLog(unit={unit!r}): expected 'seconds', 'steps' or a unit of cost")
        self.unit = unit
        self._times, self._solved = check(times, solved)
        self._added: list[tuple[float, bool]] = []

    @classmethod
    def from_attempts(
        cls, attempts: Iterable[AttemptSummary | Mapping[str, Any]], *, of: str = "seconds", unit: str | None = None
    ) -> RunLog:
        """The log of attempts as a trace, a result or a journal's table has them.

        ``of`` is what is counted: ``"seconds"``, ``"steps"`` or a unit of cost (0 where an attempt had none).
        Solved are those that succeeded. All others are taken as censored where they ended: a failed one has
        not been solved in its time either, and one that still runs is censored now.
        """
        rows = [row if isinstance(row, Mapping) else as_row(row) for row in attempts]
        times = [used(row, of) for row in rows]
        return cls(unit or of, times, [row["state"] == "succeeded" for row in rows])

    def add(self, time: float, solved: bool, *, unit: str | None = None) -> None:
        """One more attempt. ``unit`` is checked where it is given; of seconds the time may be ``"10m"``."""
        if unit is not None and unit != self.unit:
            raise UsageError(f"a time in {unit} was given to a log in {self.unit}: times of two units cannot be mixed")
        if isinstance(time, str) and self.unit == "seconds":
            from dalsegno.core.durations import seconds

            time = seconds(time)
        place = f"attempt {len(self) + 1}"
        if isinstance(time, (bool, np.bool_, str, bytes)) or not hasattr(time, "__float__"):
            raise UsageError(f"{place}: time {time!r}: expected a finite number of at least 0")
        found = float(time)
        if not 0.0 <= found < float("inf"):
            raise UsageError(f"{place}: time {time!r}: expected a finite number of at least 0")
        if solved not in (0, 1):
            raise UsageError(f"{place}: solved={solved!r}: expected True or False")
        self._added.append((found, bool(solved)))

    def extend(self, other: RunLog) -> None:
        """All attempts of another log of the same unit."""
        if other.unit != self.unit:
            raise UsageError(f"a log in {other.unit} cannot be joined to one in {self.unit}: convert its times first")
        self._times = np.concatenate([self.times, other.times])
        self._solved = np.concatenate([self.solved, other.solved])

    @property
    def times(self) -> Times:
        """Times in order of addition, shape (n,)."""
        self._settle()
        return self._times

    @property
    def solved(self) -> Flags:
        """Whether each was solved, shape (n,)."""
        self._settle()
        return self._solved

    @property
    def successes(self) -> int:
        """How many were solved."""
        return int(self.solved.sum())

    @property
    def longest(self) -> float:
        """The longest time seen, solved or not; 0 in an empty log."""
        return float(self.times.max(initial=0.0))

    def _settle(self) -> None:
        if self._added:
            self._times = np.concatenate([self._times, [time for time, _ in self._added]])
            self._solved = np.concatenate([self._solved, [solved for _, solved in self._added]])
            self._added = []

    def __len__(self) -> int:
        return len(self._times) + len(self._added)

    def __repr__(self) -> str:
        noun = "attempt" if len(self) == 1 else "attempts"
        return f"RunLog({len(self)} {noun} in {self.unit}, {self.successes} solved)"


def check(times: npt.ArrayLike, solved: npt.ArrayLike) -> tuple[Times, Flags]:
    """Times and flags as arrays of their own; refused where one is wrong, with its place counted from 1."""
    given = np.asarray(times)
    flags = np.asarray(solved)
    if given.ndim != 1 or flags.ndim != 1 or len(given) != len(flags):
        raise UsageError(
            f"times of shape {given.shape} and solved of shape {flags.shape}: expected two lists of one length"
        )
    if not len(given):
        return np.empty(0), np.empty(0, bool)
    if given.dtype.kind not in "iuf":
        raise UsageError(f"times of type {given.dtype}: expected numbers")
    numbers = given.astype(np.float64)  # a copy: what the caller does to theirs later is no matter here
    refuse(~(np.isfinite(numbers) & (numbers >= 0)), "time", given, "a finite number of at least 0")
    if flags.dtype.kind not in "biuf":
        raise UsageError(f"solved of type {flags.dtype}: expected True or False, or 1 and 0")
    refuse((flags != 0) & (flags != 1), "solved", flags, "True or False, or 1 and 0")
    return numbers, flags.astype(bool)


def refuse(wrong: Flags, name: str, values: npt.NDArray[Any], expected: str) -> None:
    if wrong.any():
        place = int(np.argmax(wrong))
        more = int(wrong.sum()) - 1
        others = f" (and {more} more)" if more else ""
        raise UsageError(f"attempt {place + 1}: {name} {values[place].item()!r}{others}: expected {expected}")


def as_row(summary: AttemptSummary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in ("state", "steps", "seconds", "cost")}


def used(row: Mapping[str, Any], of: str) -> float:
    """What an attempt used of a unit."""
    if of in ("steps", "seconds"):
        return float(row[of] or 0.0)
    return float((row["cost"] or {}).get(of, 0.0))
