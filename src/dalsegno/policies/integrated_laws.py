"""Laws without a closed form: a frozen one of ``scipy.stats``, or a survival function, integrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor, inf, isfinite
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.policies.reward_laws import Law, Normal, Uniform

TAILS = (1e-15, 1e-9, 1e-6, 1e-3, 0.02, 0.2, 0.5, 0.8, 0.98, 0.999, 1 - 1e-6, 1 - 1e-9, 1 - 1e-15)
LEVEL = 6  # some 400 places a piece: what is not exact by then has a jump
STRETCHES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)  # of an infinite piece, in logarithms
FARTHEST = 230.0  # what lies between the two of them has to be next to nothing
LEAST = 1e-300


@dataclass(frozen=True)
class Survival:
    """A law by its survival function P(X > x), which falls from 1 to 0; integrated numerically.

    One that takes arrays is much faster. ``places`` are where it falls; ``low`` and ``high`` bound X.
    """

    function: Callable[[Any], Any]
    places: tuple[float, ...] = (-1.0, 0.0, 1.0)
    low: float = -inf
    high: float = inf

    def __post_init__(self) -> None:
        if not isfinite(self.mean):
            raise UsageError("the law of a try has no finite mean: another try would be worth any cost")

    @property
    def mean(self) -> float:
        return mean_of(self)

    def excess(self, z: float) -> float:
        below = max(self.low - z, 0.0)  # P(X > x) is 1 there
        return below + between(self.function, max(z, self.low), self.high, self.places)

    def at_least(self, z: float) -> float:
        return float(self.function(z))

    def shortfall(self, z: float, tries: int, worst: float = -inf) -> float:
        first = max(worst, self.low)
        within = between(lambda x: (1.0 - self.function(x)) ** tries, first, min(z, self.high), self.places)
        return within + max(z - max(self.high, worst), 0.0)

    def upper_quantile(self, share: float) -> float:
        from scipy.optimize import brentq

        if share >= 1.0:
            return self.low
        low, high = -1.0, 1.0
        while self.function(low) < share:
            low *= 2.0
        while self.function(high) > share:
            high *= 2.0
        return float(brentq(lambda x: self.function(x) - share, low, high, xtol=1e-12))


@dataclass(frozen=True)
class Lattice:
    """A discrete law of ``scipy.stats`` over the whole numbers, by sums."""

    frozen: Any

    @property
    def mean(self) -> float:
        return float(self.frozen.mean())

    def excess(self, z: float) -> float:
        first = floor(z)
        last = max(int(self.frozen.isf(1e-16)), first) + 1
        lowest = max(first, int(self.frozen.ppf(LEAST)) - 1)  # P(X > x) is 1 below it
        tail = self.frozen.sf(range(lowest, last + 1))
        if first < lowest:
            return float(lowest - z + tail.sum())
        return float((first + 1 - z) * tail[0] + tail[1:].sum())

    def at_least(self, z: float) -> float:
        return float(self.frozen.sf(ceil(z) - 1))

    def shortfall(self, z: float, tries: int, worst: float = -inf) -> float:
        first = max(worst, float(self.frozen.ppf(LEAST)))
        edges = sorted({first, *range(ceil(first), ceil(z)), z}) if first < z else []
        return float(sum((b - a) * self.frozen.cdf(floor(a)) ** tries for a, b in pairwise(edges)))

    def upper_quantile(self, share: float) -> float:
        place = float(self.frozen.isf(share))  # the least that at most this share exceeds
        return place + 1.0 if self.frozen.sf(place) >= share else place


def of_scipy(frozen: Any) -> Law:
    """A frozen law; the few that have a closed form by it."""
    name, args, named = frozen.dist.name, frozen.args, frozen.kwds
    if not isfinite(float(frozen.mean())):
        raise UsageError(f"{name}: this law has no finite mean: another try would be worth any cost")
    if name in ("norm", "uniform"):
        given = dict(zip(("loc", "scale"), args, strict=False)) | named
        loc, scale = float(given.get("loc", 0.0)), float(given.get("scale", 1.0))
        return Normal(loc, scale) if name == "norm" else Uniform(loc, loc + scale)
    if hasattr(frozen.dist, "pmf"):
        return Lattice(frozen)
    low, high = (float(edge) for edge in frozen.support())
    return Survival(frozen.sf, tuple(dict.fromkeys(float(frozen.ppf(share)) for share in TAILS)), low, high)


@lru_cache(maxsize=64)
def mean_of(law: Survival) -> float:
    middle = min(max(0.0, law.low), law.high)
    above = between(law.function, middle, law.high, law.places)
    return middle + above - between(lambda x: 1.0 - law.function(x), law.low, middle, law.places)


def between(function: Callable[[Any], Any], first: float, last: float, places: tuple[float, ...]) -> float:
    """The integral from ``first`` to ``last``, either of which may be infinite, in pieces."""
    import numpy

    if not first < last:
        return 0.0
    inner = sorted(place for place in places if first < place < last)
    edges = ([] if first == -inf else [first]) + inner + ([] if last == inf else [last])
    edges = edges or [0.0]
    total = in_pieces(function, edges)
    for side, edge, infinite in ((1.0, edges[-1], last == inf), (-1.0, edges[0], first == -inf)):
        if infinite:  # x = edge + scale (e^t - 1), so that a heavy tail falls as fast as a light one
            scale = max(abs(edge), 1.0)

            def stretched(t: Any, side: float = side, edge: float = edge, scale: float = scale) -> Any:
                return function(edge + side * scale * numpy.expm1(t)) * scale * numpy.exp(t)

            total += in_pieces(stretched, STRETCHES)
            if in_pieces(stretched, (STRETCHES[-1], FARTHEST)) > 1e-9 * total:
                return inf
    return total


def in_pieces(function: Callable[[Any], Any], edges: Any) -> float:
    """The integral over all pieces between the edges: at once for a function that takes arrays."""
    import numpy
    from scipy.integrate import quad, tanhsinh

    if len(edges) < 2:
        return 0.0
    places = numpy.asarray(edges, dtype=float)
    if takes_arrays(function, places):
        return float(tanhsinh(function, places[:-1], places[1:], maxlevel=LEVEL).integral.sum())
    return float(sum(quad(function, a, b, epsabs=1e-13, epsrel=1e-10, limit=100)[0] for a, b in pairwise(places)))


def takes_arrays(function: Callable[[Any], Any], places: Any) -> bool:
    import numpy

    try:
        return bool(numpy.shape(function(places)) == numpy.shape(places))
    except (TypeError, ValueError):
        return False
