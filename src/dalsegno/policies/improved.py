"""Improved: a snapshot whenever a metric is better than it ever was, so that the best state is there to go back to."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

from dalsegno.core.conditions.leaf import refuses
from dalsegno.core.errors import UsageError
from dalsegno.core.store.retention import Keep
from dalsegno.core.trace import Trace
from dalsegno.policies.schedules import Schedule, above_0


@refuses
@dataclass(frozen=True)
class Improved(Schedule):
    """A snapshot at every report in which ``metric`` is better than all before it in the attempt.

    Made for a metric that comes now and then (a validation loss once an epoch): one that improves at nearly every step
    costs a snapshot at nearly every step. ``mode`` is ``"min"`` or ``"max"``; ``metric`` may be ``"value"``, of which
    higher is better. ``seconds`` (or ``"10m"``) adds snapshots after that much running time without one, for a program
    that may be killed while nothing improves. By default the newest three and the best are kept.

    >>> Improved("accuracy", mode="max").keep.best
    'accuracy'

    Raises :class:`UsageError` for a metric that is no name, and a mode that is neither.
    """

    improvement: ClassVar[bool] = True

    metric: str
    mode: str = "min"
    seconds: float | None = field(default=None, kw_only=True)
    keep: Keep = field(default=None, kw_only=True)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise UsageError(f"Improved(metric={self.metric!r}): expected the name of a metric")
        if self.mode not in ("min", "max"):
            raise UsageError(f"Improved(mode={self.mode!r}): expected 'min' or 'max'")
        if self.keep is None:
            object.__setattr__(
                self, "keep", Keep(best=self.metric, mode="max" if self.metric == "value" else self.mode)
            )
        super().__post_init__()
        if self.seconds is not None:
            object.__setattr__(self, "seconds", above_0("Improved", "seconds", self.seconds))

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]:
        return inf, inf if self.seconds is None else trace.attempt.seconds + self.seconds
