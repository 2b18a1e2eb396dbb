"""Cutoff: a policy that ends an attempt once it has used its share, and begins another from scratch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from dalsegno.core.actions import Action, Restart
from dalsegno.core.conditions.base import Scope
from dalsegno.core.conditions.leaf import as_written
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace


@dataclass(frozen=True)
class Cutoff:
    """The k-th attempt is restarted once it has used ``cutoff(k)`` of the unit ``of``, unless it has ended.

    k is the attempt's own number, counted from 1: one that is paused or interrupted and goes on keeps its
    cutoff, one that failed used up its place. How long an attempt has gone on is counted from where it
    began. An attempt that has succeeded is never restarted; one that has failed is left to the rules that
    speak for failures.
    """

    scope: ClassVar[Scope] = "attempt"  # it looks at nothing but the attempt, so it can decide where that runs
    of: str = field(default="steps", kw_only=True)

    def __post_init__(self) -> None:
        if self.of == "attempts" or not isinstance(self.of, str) or not self.of:
            raise UsageError(f"{type(self).__name__}(of={self.of!r}): expected 'steps', 'seconds' or a unit of cost")

    def cutoff(self, k: int) -> float:
        """How much the k-th attempt may use, k from 1."""
        raise TypeError(f"{type(self).__name__} has no cutoff(self, k)")

    def decide(self, trace: Trace) -> Action | None:
        if trace.attempt.status != "running" or trace.elapsed(self.of) < self.cutoff(trace.attempt.number):
            return None
        return Restart()

    def saw(self, trace: Trace) -> dict[str, Any]:
        number = trace.attempt.number
        return {
            "attempt": number,
            "elapsed": trace.elapsed(self.of),
            "cutoff": self.cutoff(number),
            "of": self.of,
        }

    def __str__(self) -> str:
        return as_written(self)

    def amount(self, name: str, value: Any) -> float:
        """A cutoff or unit as a number above 0; of seconds also as ``"10m"``."""
        if self.of == "seconds":
            from dalsegno.core.durations import seconds

            value = seconds(value)
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not 0 < float(value) < float("inf"):
            raise UsageError(f"{type(self).__name__}({name}={value!r}): expected a finite number of {self.of} above 0")
        return float(value)
