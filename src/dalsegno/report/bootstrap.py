"""Bootstrap intervals of a median, for the few seeds that a comparison has."""

from __future__ import annotations

from collections.abc import Sequence

LEAST = 3  # seeds below which no interval is given


def median_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """The percentile bootstrap interval of the median of ``values`` (n,); None for fewer than three.

    With few seeds it is rough: of three values it can reach no further than from the least to the greatest.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    (1.0, 5.0)
    >>> median_interval([1.0, 2.0]) is None
    True
    """
    if len(values) < LEAST:
        return None
    import numpy as np

    found = np.asarray(values, float)
    draw = np.random.default_rng(seed).integers(0, len(found), (resamples, len(found)))
    medians = np.median(found[draw], axis=1)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def ratio_interval(
    ours: Sequence[float], base: Sequence[float], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """The same for the ratio of two medians, each group resampled by itself; None where it cannot be said."""
    if min(len(ours), len(base)) < LEAST or min(base) <= 0:
        return None
    import numpy as np

    generator = np.random.default_rng(seed)
    one, other = np.asarray(ours, float), np.asarray(base, float)
    above = np.median(one[generator.integers(0, len(one), (resamples, len(one)))], axis=1)
    below = np.median(other[generator.integers(0, len(other), (resamples, len(other)))], axis=1)
    low, high = np.quantile(above / below, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)
