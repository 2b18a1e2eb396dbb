"""Scales of a drawing: from figures to places, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps ``low``..``high`` to ``start``..``end``, on a logarithmic scale if ``log``.

    >>> Scale(0.0, 10.0, 0.0, 100.0)(2.5)
    25.0
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high = math.log10(low), math.log10(high)
            value = math.log10(value) if value > 0 else low - (high - low)
        share = 0.5 if high == low else (value - low) / (high - low)
        share = max(-1.0, min(2.0, share))  # what lies far outside need not be drawn far outside
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            decades = [10.0**power for power in range(first, last + 1)]
            if len(decades) >= 2:
                return decades[:: max(1, len(decades) // (about + 1) + (len(decades) > about + 1))]
        return ticks(self.low, self.high, about)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, about so many.

    >>> ticks(0.0, 1.0, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step)) + 1)
    return [round(place * step, digits) for place in range(first, last + 1)]


def fitting(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale that shows all of ``values`` with a little room; logarithmic where they span more than three decades."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Scale(0.0, 1.0, start, end)
    low, high = min(finite), max(finite)
    if low > 0 and high / low > 1000:
        return Scale(low / 1.2, high * 1.2, start, end, log=True)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return Scale(low - room, high + room, start, end)
