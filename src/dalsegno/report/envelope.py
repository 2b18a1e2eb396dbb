"""Envelope: a curve of any length in a bounded number of bins, each with the least and greatest value in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Envelope:
    """Takes the points of a curve block by block, steps rising, and keeps at most ``bins`` bins.

    A bin covers a power of two of steps; when there are too many bins the width doubles and neighbours merge, so that
    no extreme is ever lost.  NaN and infinities are counted apart (``odd``) and are in no bin.

    >>> curve = Envelope(bins=2)
    >>> curve.add(np.arange(8), np.array([3.0, 1, 4, 1, 5, 9, 2, 6]))
    >>> curve.width, curve.least.tolist(), curve.greatest.tolist()
    (4, [1.0, 2.0], [4.0, 9.0])
    """

    def __init__(self, bins: int = 512) -> None:
        self.bins = bins
        self.width = 1
        self.place: NDArray[np.int64] = np.empty(0, np.int64)  # number of each bin: (step // width)
        self.least: Floats = np.empty(0)
        self.greatest: Floats = np.empty(0)
        self.first: Floats = np.empty(0)
        self.last: Floats = np.empty(0)
        self.where_least: NDArray[np.int64] = np.empty(0, np.int64)
        self.where_greatest: NDArray[np.int64] = np.empty(0, np.int64)
        self.odd: set[int] = set()  # bins in which a value was not finite
        self.count = 0
        self.end: tuple[int, float] | None = None  # the last finite point

    def add(self, steps: Any, values: Any) -> None:
        """Take in points; ``steps`` (n,) integers and ``values`` (n,) floats."""
        steps = np.asarray(steps, np.int64)
        values = np.asarray(values, np.float64)
        if not len(steps):
            return
        self.count += len(steps)
        finite = np.isfinite(values)
        if not finite.all():
            self.odd.update(np.unique(steps[~finite] // self.width).tolist())
            steps, values = steps[finite], values[finite]
        if len(steps):
            self.end = (int(steps[-1]), float(values[-1]))
            self.merge(steps // self.width, values, values, values, values, steps, steps)
        while len(self.place) > self.bins or len(self.odd) > self.bins:
            self.widen()

    def merge(self, place: Any, least: Any, greatest: Any, first: Any, last: Any, low: Any, high: Any) -> None:
        """Join bins of the present width onto those there are."""
        place = np.concatenate([self.place, place])
        order = np.argsort(place, kind="stable")
        place = place[order]
        least = np.concatenate([self.least, least])[order]
        greatest = np.concatenate([self.greatest, greatest])[order]
        first = np.concatenate([self.first, first])[order]
        last = np.concatenate([self.last, last])[order]
        low = np.concatenate([self.where_least, low])[order]
        high = np.concatenate([self.where_greatest, high])[order]
        starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
        group = np.cumsum(np.r_[True, place[1:] != place[:-1]]) - 1
        lowest = np.minimum.reduceat(least, starts)
        highest = np.maximum.reduceat(greatest, starts)
        # The first place in each bin at which the extreme is reached: written backwards, so that the first one stays.
        where_low = np.empty(len(starts), np.int64)
        where_high = np.empty(len(starts), np.int64)
        at_low = np.flatnonzero(least == lowest[group])[::-1]
        at_high = np.flatnonzero(greatest == highest[group])[::-1]
        where_low[group[at_low]] = low[at_low]
        where_high[group[at_high]] = high[at_high]
        self.place, self.least, self.greatest = place[starts], lowest, highest
        self.first, self.last = first[starts], last[np.r_[starts[1:], len(place)] - 1]
        self.where_least, self.where_greatest = where_low, where_high

    def widen(self) -> None:
        """Double the width of the bins."""
        self.width *= 2
        self.odd = {place // 2 for place in self.odd}
        bins = (
            self.place // 2, self.least, self.greatest, self.first, self.last, self.where_least, self.where_greatest
        )  # fmt: skip
        self.place = np.empty(0, np.int64)
        self.least = self.greatest = self.first = self.last = np.empty(0)
        self.where_least = self.where_greatest = np.empty(0, np.int64)
        if len(bins[0]):
            self.merge(*bins)

    def points(self) -> tuple[Floats, Floats]:
        """The curve through the extremes of each bin, in the order of steps: steps (m,) and values (m,)."""
        if not len(self.place):
            return np.empty(0), np.empty(0)
        same = self.where_least == self.where_greatest
        steps = np.concatenate([self.where_least, self.where_greatest[~same]])
        values = np.concatenate([self.least, self.greatest[~same]])
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order].astype(np.float64), values[order]
        if self.end is not None and steps[-1] != self.end[0]:
            steps, values = np.r_[steps, self.end[0]], np.r_[values, self.end[1]]
        return steps, values

    def odd_steps(self) -> list[int]:
        """Where values were not finite, one step a bin."""
        return sorted(place * self.width for place in self.odd)


def thinned(places: Any, values: Any, most: int) -> tuple[Any, Any]:
    """A drawn curve in at most about ``most`` points, its extremes kept; places are whole numbers that rise."""
    if len(places) <= most:
        return places, values
    curve = Envelope(max(most // 2, 4))
    curve.add(places, values)
    return curve.points()
