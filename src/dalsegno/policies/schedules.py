"""Schedules of snapshots: when the next one is due, and which are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

from dalsegno.core.conditions.leaf import as_written, refuses
from dalsegno.core.durations import seconds as to_seconds
from dalsegno.core.errors import UsageError
from dalsegno.core.store.retention import Keep
from dalsegno.core.trace import Trace


@dataclass(frozen=True)
class Schedule:
    """When the next snapshot is due, and which are kept (``keep``).

    A subclass says ``due``; it is asked when an attempt begins, after a roll back and after every snapshot.
    """

    keep: Keep = field(default_factory=Keep, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.keep, Keep):
            raise UsageError(f"{type(self).__name__}(keep={self.keep!r}): expected Keep(last=3, best='loss'), say")

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]:
        """The step and the seconds of the attempt at which the next snapshot is due, ``inf`` for never.

        ``saved`` is the measured cost of a snapshot in seconds, smoothed; None before the first.
        """
        raise TypeError(f"{type(self).__name__} has no due(self, trace, saved)")

    def __str__(self) -> str:
        return as_written(self)


@refuses
@dataclass(frozen=True)
class Every(Schedule):
    """A snapshot at every multiple of ``steps``, or when ``seconds`` have passed since the last, or both.

    Seconds are running time and may be given as ``"10m"``. Multiples are of the attempt's step, whatever it
    began from.

    >>> Every(steps=10).steps, Every(seconds="10m").seconds
    (10, 600.0)

    Raises :class:`UsageError` for neither, a number that is not above 0, a step that is not whole.
    """

    steps: int | None = field(default=None, kw_only=True)
    seconds: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is None and self.seconds is None:
            raise UsageError("Every(): expected steps or seconds, as in Every(steps=100) or Every(seconds='10m')")
        if self.steps is not None and (
            isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1
        ):
            raise UsageError(f"Every(steps={self.steps!r}): expected a whole number of at least 1")
        if self.seconds is not None:
            object.__setattr__(self, "seconds", above_0("Every", "seconds", self.seconds))

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]:
        attempt = trace.attempt
        return (
            inf if self.steps is None else (attempt.steps // self.steps + 1) * self.steps,
            inf if self.seconds is None else attempt.seconds + self.seconds,
        )


@refuses
@dataclass(frozen=True)
class Never(Schedule):
    """No snapshot by schedule; those at the start, the end and on request are taken all the same.

    >>> Never().due(None, None)
    (inf, inf)
    """

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]:
        return inf, inf


def above_0(kind: str, name: str, duration: Any) -> float:
    """A duration above 0 in seconds."""
    found = to_seconds(duration)
    if found <= 0:
        raise UsageError(f"{kind}({name}={duration!r}): expected a duration above 0")
    return found
