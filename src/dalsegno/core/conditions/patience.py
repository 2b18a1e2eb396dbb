"""Patience: stalled is true where a metric has not improved for a number of reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from dalsegno.core.conditions.base import State
from dalsegno.core.conditions.leaf import Leaf, finite, named_metric, objective, one_of, refuses, whole
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace


@refuses
@dataclass(frozen=True)
class stalled(Leaf):
    """True from the ``patience``-th report in a row that does not improve on the best so far.

    A value improves if it is better than the best, not the one before, by strictly more than ``min_delta``.
    NaN and infinity never improve, are never the best, and count as a report without improvement; a report
    without the metric is not counted, and the answer on it is unknown. ``mode`` is ``"min"`` (the default:
    lower is better) or ``"max"``. It stays true until the metric improves, or the rule that it belongs to
    has changed the process, which begins the count anew.

    >>> from dalsegno.core.conditions import stalled
    >>> print(stalled("val_loss", patience=3))
    stalled('val_loss', patience=3)
    """

    metric: str
    patience: int = field(kw_only=True)
    min_delta: float = field(default=0.0, kw_only=True)
    mode: str = field(default="min", kw_only=True)

    def __post_init__(self) -> None:
        named_metric("stalled", self.metric)
        where = f"stalled({self.metric!r})"
        object.__setattr__(self, "patience", whole(where, "patience", self.patience))
        object.__setattr__(self, "min_delta", finite(where, "min_delta", self.min_delta))
        one_of(where, "mode", self.mode, ("min", "max"))
        if self.metric == "value" and self.mode == "min":
            raise UsageError(f"{where}: a value is an objective, higher is better; write mode='max'")

    def initial(self) -> State:
        return [None, 0, 0]  # best, the step that had it, reports since without improvement

    def fold(self, state: Any, trace: Trace) -> bool | None:
        value = trace.metrics.get(self.metric)
        if value is None and (value := objective(self.metric, trace)) is None:
            return None
        best = state[0]
        if best is not None and (best - value if self.mode == "min" else value - best) <= self.min_delta:
            state[2] = since = state[2] + 1
            return since >= self.patience  # type: ignore[no-any-return]
        if isfinite(value):
            state[:] = value, trace.attempt.steps, 0
            return False
        state[2] += 1
        return bool(state[2] >= self.patience)

    def acted(self, state: Any) -> None:
        state[2] = 0

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        value = trace.metrics.get(self.metric)
        return {
            "metric": self.metric,
            "value": objective(self.metric, trace) if value is None else value,
            "best": state[0],
            "best_step": state[1],
            "without_improvement": state[2],
        }
