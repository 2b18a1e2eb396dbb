"""What another try may bring, as a law: its mean gain over a place, and how often it reaches one.

    E[(X - z)^+]          mean gain over z                -> excess(z)
    P(X >= z)             chance to reach z               -> at_least(z)
    int_y^z P(X < x)^n dx what n tries leave below z      -> shortfall(z, n, y)

Normal, Uniform and Prize are exact and need nothing but the standard library and NumPy; a frozen law of
``scipy.stats`` and a survival function are integrated (``integrated_laws.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, erfc, exp, inf, isfinite, pi, sqrt
from typing import Any, Protocol

from dalsegno.core.errors import UsageError

ROOT_2_PI = sqrt(2.0 * pi)
FAR = 39.0  # standard deviations beyond which a normal law has nothing left that a float could hold


class Law(Protocol):
    """The law of what one try is worth."""

    @property
    def mean(self) -> float: ...
    def __hash__(self) -> int: ...
    def excess(self, z: float) -> float: ...
    def at_least(self, z: float) -> float: ...
    def shortfall(self, z: float, tries: int, worst: float = -inf) -> float: ...
    def upper_quantile(self, share: float) -> float:
        """The greatest place that at least this share of tries reaches."""
        ...


@dataclass(frozen=True)
class Normal:
    """A normal law.

    >>> round(Normal().excess(0.0), 6), Normal(1.0, 2.0).at_least(1.0)
    (0.398942, 0.5)
    """

    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        numbers(self, mean=self.mean, deviation=self.deviation)
        if self.deviation <= 0:
            raise UsageError(f"Normal(deviation={self.deviation!r}): expected a number above 0")

    def at(self, z: float) -> float:
        return (z - self.mean) / self.deviation

    def excess(self, z: float) -> float:
        u = self.at(z)
        density = exp(-u * u / 2.0) / ROOT_2_PI if abs(u) < FAR else 0.0
        return self.deviation * max(density - u * self.at_least(z), 0.0)

    def at_least(self, z: float) -> float:
        return erfc(self.at(z) / sqrt(2.0)) / 2.0

    def shortfall(self, z: float, tries: int, worst: float = -inf) -> float:
        lowest = max(worst, self.mean - FAR * self.deviation)
        return integral(lambda x: (1.0 - self.at_least(x)) ** tries, lowest, z, self.deviation)

    def upper_quantile(self, share: float) -> float:
        from statistics import NormalDist

        return self.mean - self.deviation * NormalDist().inv_cdf(share)


@dataclass(frozen=True)
class Uniform:
    """All of ``low`` to ``high`` alike.

    >>> Uniform().excess(0.5)
    0.125
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        numbers(self, low=self.low, high=self.high)
        if self.low >= self.high:
            raise UsageError(f"Uniform({self.low!r}, {self.high!r}): expected low below high")

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2.0

    def excess(self, z: float) -> float:
        if z <= self.low:
            return self.mean - z
        return max(self.high - z, 0.0) ** 2 / (2.0 * (self.high - self.low))

    def at_least(self, z: float) -> float:
        return min(max((self.high - z) / (self.high - self.low), 0.0), 1.0)

    def shortfall(self, z: float, tries: int, worst: float = -inf) -> float:
        width = self.high - self.low
        first, last = (min(max(x - self.low, 0.0), width) for x in (worst, z))
        within = (last * (last / width) ** tries - first * (first / width) ** tries) / (tries + 1)
        return within + max(z - max(self.high, worst), 0.0)

    def upper_quantile(self, share: float) -> float:
        return self.high - share * (self.high - self.low)


@dataclass(frozen=True)
class Prize:
    """``amount`` with this probability, else 0: a try that succeeds or not.

    >>> Prize(0.3).excess(0.5), Prize(0.3).at_least(0.5)
    (0.15, 0.3)
    """

    probability: float
    amount: float = 1.0

    def __post_init__(self) -> None:
        numbers(self, probability=self.probability, amount=self.amount)
        if not 0 < self.probability <= 1:
            raise UsageError(f"Prize({self.probability!r}): expected a probability above 0, at most 1")
        if self.amount <= 0:
            raise UsageError(f"Prize(amount={self.amount!r}): expected a number above 0")

    @property
    def mean(self) -> float:
        return self.probability * self.amount

    def excess(self, z: float) -> float:
        return self.mean - z if z <= 0 else self.probability * max(self.amount - z, 0.0)

    def at_least(self, z: float) -> float:
        return 1.0 if z <= 0 else self.probability if z <= self.amount else 0.0

    def shortfall(self, z: float, tries: int, worst: float = -inf) -> float:
        without = max(min(z, self.amount) - max(worst, 0.0), 0.0) * (1.0 - self.probability) ** tries
        return without + max(z - max(self.amount, worst), 0.0)

    def upper_quantile(self, share: float) -> float:
        return self.amount if share <= self.probability else 0.0


def reward_law(law: Any) -> Law:
    """``law`` as a law of what a try is worth.

    It is one of this file's, a frozen law of ``scipy.stats``, or a survival function P(X > x). Raises
    :class:`UsageError` for values that were seen: their own law gives no try a chance to beat the best of
    them; write ``expected_gain(values)``.
    """
    from dalsegno.policies import integrated_laws

    if isinstance(law, (Normal, Uniform, Prize, integrated_laws.Survival, integrated_laws.Lattice)):
        return law
    if hasattr(law, "dist") and hasattr(law, "sf"):
        return integrated_laws.of_scipy(law)
    if hasattr(law, "__len__") or hasattr(law, "__array__"):
        raise UsageError(
            "values are no law: by their own law nothing beats the best of them, and every search would stop at "
            "once; give the law that they are from, or ask expected_gain(values)"
        )
    if callable(law) and not isinstance(law, type):
        return integrated_laws.Survival(law)
    raise UsageError(f"law={law!r}: expected Normal(...), Uniform(...), Prize(p), a frozen scipy.stats law or P(X > x)")


def integral(function: Callable[[float], float], first: float, last: float, scale: float) -> float:
    """The same of a smooth function by Gauss and Legendre's rule, a piece for each unit of ``scale``."""
    import numpy

    if not first < last:
        return 0.0
    nodes, weights = numpy.polynomial.legendre.leggauss(16)
    pieces = numpy.linspace(first, last, ceil((last - first) / scale) + 1)
    half = (pieces[1] - pieces[0]) / 2.0
    places = (pieces[:-1] + half)[:, None] + half * nodes
    values = numpy.array([[function(float(x)) for x in row] for row in places])
    return float(half * (values @ weights).sum())


def numbers(law: object, **given: Any) -> None:
    for name, value in given.items():
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not isfinite(value):
            raise UsageError(f"{type(law).__name__}({name}={value!r}): expected a finite number")
