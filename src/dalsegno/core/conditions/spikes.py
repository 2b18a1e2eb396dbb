"""spike is true where a metric leaps above what it was lately, by a robust measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

from dalsegno.core.conditions.base import State
from dalsegno.core.conditions.leaf import Leaf, finite, named_metric, objective, positive, refuses, whole
from dalsegno.core.conditions.running_median import NORMAL, deviation, least_deviation, least_median, median
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace

Z, FLOOR = 8.0, 0.1


@refuses
@dataclass(frozen=True)
class spike(Leaf):
    """True where ``metric`` is far above its running median, and where it is not finite.

    The median is that of the last ``window`` values that were no spikes themselves. With ``factor`` a value
    above factor x median is a spike (for metrics above 0: while the median is not, the answer is unknown).
    With ``z`` a value is one whose excess over the median is greater than z x 1.4826 x the median absolute
    deviation, and greater than ``floor`` x the median's size. With neither, z is 8 and floor 0.1. Until a
    quarter of the window has been seen the answer on finite values is unknown.

    The usual step sorts nothing: the median is computed only for a value above a bound below which no spike
    can be, or when the bound has aged.

    Raises :class:`UsageError` for both factor and z, a factor of at most 1, a z of at most 0, a window
    below 4.

    >>> from dalsegno.core.conditions import spike
    >>> print(spike("loss", factor=3.0) | spike("gradient_norm"))
    spike('loss', factor=3.0) | spike('gradient_norm')
    """

    metric: str
    factor: float | None = field(default=None, kw_only=True)
    z: float | None = field(default=None, kw_only=True)
    window: int = field(default=128, kw_only=True)
    floor: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        named_metric("spike", self.metric)
        where = f"spike({self.metric!r})"
        if self.factor is not None:
            if self.z is not None or self.floor is not None:
                raise UsageError(f"{where}: expected factor alone, or z and floor; not factor with either")
            object.__setattr__(self, "factor", positive(where, "factor", self.factor))
            if self.factor <= 1.0:
                raise UsageError(f"{where}: factor={self.factor!r}: expected a factor above 1")
        if self.z is not None:
            object.__setattr__(self, "z", positive(where, "z", self.z))
        if self.floor is not None:
            object.__setattr__(self, "floor", finite(where, "floor", self.floor))
        object.__setattr__(self, "window", whole(where, "window", self.window, least=4))

    def initial(self) -> State:
        return [
            [],
            -inf,
            0,
        ]  # values (oldest first), the bound below which no spike is, for how many more values

    def fold(self, state: Any, trace: Trace) -> bool | None:
        value = trace.metrics.get(self.metric)
        if value is None and (value := objective(self.metric, trace)) is None:
            return None
        values, bound, left = state
        if left and -inf < value <= bound:
            state[2] = left - 1
            values.append(value)
            return False
        return self.look(state, value)

    def look(self, state: Any, value: float) -> bool | None:
        """The full test, and a fresh bound for the steps after it."""
        if not isfinite(value):
            return True
        values = state[0]
        del values[: -self.window]
        if len(values) < max(self.window // 4, 2):
            values.append(value)
            return None
        ordered = sorted(values)
        left = len(values) * 3 // 8 if self.factor is not None else len(values) // 4
        bound = self.bound(ordered, left)
        state[1:] = bound, left
        if value > bound:
            limit = self.limit(ordered)
            if limit is None or value <= limit:
                values.append(value)
                return None if limit is None else False
            return True
        values.append(value)
        return False

    def limit(self, ordered: list[float]) -> float | None:
        """What is above it is a spike; None where there is no saying."""
        middle = median(ordered)
        if self.factor is not None:
            return self.factor * middle if middle > 0 else None
        return middle + self.excess(middle, deviation(ordered, middle))

    def excess(self, middle: float, spread: float) -> float:
        return max((self.z or Z) * NORMAL * spread, (FLOOR if self.floor is None else self.floor) * abs(middle))

    def bound(self, ordered: list[float], further: int) -> float:
        """The least that the limit can be while ``further`` more values come in."""
        middle = least_median(ordered, further)
        if self.factor is not None:
            return self.factor * middle if middle > 0 else -inf
        return middle + self.excess(max(middle, 0.0), least_deviation(ordered, further))

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        value = trace.metrics.get(self.metric)
        ordered = sorted(state[0][-self.window :])
        seen = {"metric": self.metric, "value": objective(self.metric, trace) if value is None else value}
        if len(ordered) < max(self.window // 4, 2):
            return {**seen, "values": len(ordered)}
        return {**seen, "median": median(ordered), "limit": self.limit(ordered), "values": len(ordered)}
