"""Where a metric is now: above, below, not_finite."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from dalsegno.core.conditions.leaf import Leaf, named_metric, objective, real, refuses
from dalsegno.core.trace import Trace


@dataclass(frozen=True)
class Level(Leaf):
    """A metric against a limit. Infinities are numbers; on NaN and where it is absent it is unknown."""

    metric: str
    limit: float

    def __post_init__(self) -> None:
        name = type(self).__name__
        named_metric(name, self.metric)
        object.__setattr__(self, "limit", real(name, "limit", self.limit))

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        value = trace.metrics.get(self.metric)
        return {"metric": self.metric, "value": objective(self.metric, trace) if value is None else value}


@refuses
@dataclass(frozen=True)
class above(Level):
    """True where the newest report has ``metric`` above ``limit`` (equal is not above).

    The name ``value`` stands for the objective where no metric is called that.

    >>> from dalsegno.core.conditions import above
    >>> print(~above("loss", 5.0))
    ~above('loss', 5.0)
    """

    def fold(self, state: Any, trace: Trace) -> bool | None:
        value = trace.metrics.get(self.metric)
        if value is None:
            value = objective(self.metric, trace)
        return None if value is None or value != value else value > self.limit


@refuses
@dataclass(frozen=True)
class below(Level):
    """True where the newest report has ``metric`` below ``limit`` (equal is not below).

    >>> from dalsegno.core.conditions import below
    >>> print(below("accuracy", 0.1))
    below('accuracy', 0.1)
    """

    def fold(self, state: Any, trace: Trace) -> bool | None:
        value = trace.metrics.get(self.metric)
        if value is None:
            value = objective(self.metric, trace)
        return None if value is None or value != value else value < self.limit


@refuses
@dataclass(frozen=True, init=False)
class not_finite(Leaf):
    """True where a metric of the newest report is NaN or infinite: one of ``metrics``, or any and the value.

    Unknown where none is and a named one is absent, or, with none named, where the report has no figure at
    all.

    >>> from dalsegno.core.conditions import not_finite
    >>> print(not_finite() | not_finite("loss", "gradient_norm"))
    not_finite() | not_finite('loss', 'gradient_norm')
    """

    metrics: tuple[str, ...]

    def __init__(self, *metrics: str) -> None:
        object.__setattr__(self, "metrics", tuple(named_metric("not_finite", metric) for metric in metrics))

    def fold(self, state: Any, trace: Trace) -> bool | None:
        figures = trace.metrics
        if self.metrics:
            absent = False
            for name in self.metrics:
                figure = figures[name] if name in figures else objective(name, trace)
                if figure is None:
                    absent = True
                elif not isfinite(figure):
                    return True
            return None if absent else False
        for figure in figures.values():
            if not isfinite(figure):
                return True
        value = trace.report.value
        if value is None:
            return False if figures else None
        return not isfinite(value)

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        figures: dict[str, float | None] = {"value": trace.report.value, **trace.metrics}
        return {name: figure for name in self.metrics or figures if (figure := figures.get(name)) is not None}

    def metric_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.metrics if name != "value")

    def __str__(self) -> str:
        return f"not_finite({', '.join(map(repr, self.metrics))})"
