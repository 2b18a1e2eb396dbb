"""Median and median absolute deviation of a window, and how far either can fall in k more values.

The two bounds are what makes a robust test cheap: a value at or below them cannot be an outlier, whatever
the next k values were, so nothing has to be sorted for it. With ``ordered`` the sorted window of n values,
m = (n - 1) // 2: after any k values have come in (and as many gone, or none) at most m of them are below
``ordered[m - k]``, which bounds the median; and m + 1 - k of the old ones lie within one deviation of the
new median, so that half the shortest interval that holds as many of them bounds the deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import sub

NORMAL = 1.4826  # a normal law's standard deviation over its median absolute deviation
ROUNDING = 1.0 - 1e-9  # keeps a bound a bound in floating point


def median(ordered: Sequence[float]) -> float:
    """The median of sorted values, the mean of the middle two where they are even in number.

    >>> median([1.0, 2.0, 4.0, 8.0])
    3.0
    """
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else ordered[half - 1] / 2 + ordered[half] / 2


def deviation(ordered: Sequence[float], middle: float) -> float:
    """The median of the absolute deviations from ``middle``.

    >>> deviation([1.0, 1.0, 2.0, 9.0], 1.5)
    0.5
    """
    return median(sorted([abs(value - middle) for value in ordered]))


def least_median(ordered: Sequence[float], further: int) -> float:
    """A lower bound of the median after ``further`` more values, at most (n - 1) // 2 of them."""
    return ordered[(len(ordered) - 1) // 2 - further]


def least_deviation(ordered: Sequence[float], further: int) -> float:
    """A lower bound of the deviation after ``further`` more values, at most (n - 1) // 2 of them."""
    held = (len(ordered) - 1) // 2 - further
    shortest: float = min(map(sub, ordered[held:], ordered))
    return shortest / 2 * ROUNDING
