"""Whether another try is worth its cost: the one stop rule of restarts, retries, samples and searches.

Tries bring independent values X of one law at a cost c each, and the best one counts (recall). It pays to
go on exactly while the best so far is below the reservation value z (McCall 1970; Weitzman 1979),

    E[(X - z)^+] = c

of which z is also the net worth of the search. The same z holds however many tries are left.

    X  value of a try, higher is better -> law (``Normal``, ``Uniform``, ``Prize``, scipy.stats, P(X > x))
    c  cost of a try, in its currency   -> cost
    z  reservation value                -> reservation_value(law, cost)
    y  best so far, or the fallback     -> best
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, isfinite, isnan, lgamma, log1p, pi, sqrt
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.policies.retries import whole
from dalsegno.policies.reward_laws import Law, reward_law

STEPS = 10_000


def reservation_value(law: Any, cost: float) -> float:
    """The value from which no further try is worth ``cost``.

    ``law`` is :class:`Normal`, :class:`Uniform`, :class:`Prize`, a frozen law of ``scipy.stats``, or a
    survival function P(X > x).

    >>> from dalsegno.policies.reward_laws import Normal, Prize
    >>> round(reservation_value(Normal(), 0.05), 6), round(reservation_value(Prize(0.3), 0.1), 6)
    (1.255582, 0.666667)

    Raises :class:`UsageError` for a cost that is not above 0, a law without a finite mean, and values in
    place of a law.
    """
    return root(reward_law(law), above_0("cost", cost))


@lru_cache(maxsize=64)
def root(law: Law, cost: float) -> float:
    place = law.mean - cost  # left of the root, from where Newton's steps rise to it: the gain is convex
    for _ in range(STEPS):
        chance = law.at_least(place)
        further = place + (law.excess(place) - cost) / chance if chance > 0 else place
        if not further - place > 1e-14 * max(abs(place), abs(further)):
            break
        place = further
    return float(place)


def expected_draws(law: Any, z: float) -> float:
    """How many tries it takes in the mean to reach ``z``; infinite if none can.

    >>> from dalsegno.policies.reward_laws import Normal
    >>> round(expected_draws(Normal(), 0.902346), 3)
    5.451
    """
    chance = reward_law(law).at_least(z)
    return 1.0 / chance if chance > 0 else inf


def expected_best(law: Any, tries: int) -> float:
    """The mean of the best of a fixed number of tries.

    >>> from dalsegno.policies.reward_laws import Normal
    >>> round(expected_best(Normal(), 10), 6)
    1.538753
    """
    law, tries = reward_law(law), whole("expected_best", "tries", tries, 1)
    top = max(law.upper_quantile(1e-12), law.mean)
    # E max = top - int^top F^n + E(max - top)^+, of which the last is at most n times that of one try
    return float(top - law.shortfall(top, tries) + tries * law.excess(top))


def value_with_budget(law: Any, cost: float, tries: int, best: float | None = None) -> float:
    """The net worth of a search that has at most ``tries`` left and stops at the reservation value.

    ``best`` is what one has already (the fallback, or the best so far); None: nothing, and the first try is
    made whatever it is worth. It is z - int_y^z P(X < x)^n dx.

    >>> from dalsegno.policies.reward_laws import Normal
    >>> [round(value_with_budget(Normal(), 0.1, n), 6) for n in (1, 2, 10)]
    [-0.1, 0.37428, 0.870711]
    """
    law, z = reward_law(law), reservation_value(law, cost)
    tries = whole("value_with_budget", "tries", tries, 0 if best is not None else 1)
    if best is None:
        return float(z - law.shortfall(z, tries))
    return float(best if best >= z else z - law.shortfall(z, tries, best))


@dataclass(frozen=True)
class Price:
    """What a try of a shared budget costs: stop a problem at ``z``, where a try is worth ``cost``."""

    z: float
    cost: float


def shared_price(law: Any, tries: int, problems: int) -> Price:
    """The price at which like problems spend a shared budget of ``tries`` in the mean: P(X >= z) = m / B.

    >>> from dalsegno.policies.reward_laws import Normal
    >>> price = shared_price(Normal(), tries=500, problems=100)
    >>> round(price.z, 6), round(price.cost, 6)
    (0.841621, 0.111638)

    Raises :class:`UsageError` for fewer tries than problems.
    """
    law = reward_law(law)
    tries, problems = whole("shared_price", "tries", tries, 1), whole("shared_price", "problems", problems, 1)
    if tries < problems:
        raise UsageError(f"shared_price(tries={tries}, problems={problems}): expected a try at least for each problem")
    z = law.upper_quantile(problems / tries)
    return Price(z, law.excess(z) if isfinite(z) else inf)


def expected_gain(values: Iterable[float], best: float | None = None) -> float:
    """What the next try adds to ``best`` in the mean, if the law is known by ``values`` of it alone.

    Student's predictive law: exact for normal values, good where they are roughly so. ``best`` is the
    greatest of the values unless it is given. Go on while the gain is above the cost, from 5 values on.

    >>> round(expected_gain([0.2, -0.5, 1.1, 0.4]), 6)
    0.148484

    Raises :class:`UsageError` for fewer than 3 values, and for one that is not finite.
    """
    seen = [float(value) for value in values]
    if not all(isfinite(value) for value in seen):
        raise UsageError(f"expected_gain({seen!r}): expected finite values")
    if len(seen) < 3:
        raise UsageError(f"expected_gain of {len(seen)} values: expected 3 at least, to know how far they scatter")
    n, y = len(seen), max(seen) if best is None else float(best)
    if isnan(y) or y == inf:
        raise UsageError(f"expected_gain(best={best!r}): expected a number")
    mean = sum(seen) / n
    scale = sqrt(sum((value - mean) ** 2 for value in seen) / (n - 1) * (1.0 + 1.0 / n))
    if scale == 0.0 or y == -inf:
        return max(mean - y, 0.0)
    u, nu = (y - mean) / scale, n - 1
    return scale * student_excess(u, nu)


def student_excess(u: float, nu: int) -> float:
    """E[(T - u)^+] for Student's law with ``nu`` degrees of freedom, at least 2."""
    from scipy.special import stdtr

    log_density = lgamma((nu + 1) / 2) - lgamma(nu / 2) - (nu + 1) / 2 * log1p(u * u / nu)
    density = exp(log_density) / sqrt(nu * pi)
    return max(float((nu + u * u) / (nu - 1) * density - u * stdtr(nu, -u)), 0.0)


def should_try(best: float, z: float, *, left: float = inf, needs: float = 0.0) -> bool:
    """Whether to begin another try: ``best`` (or the fallback's value) is below ``z``, and it fits in what is left.

    >>> should_try(0.5, 0.9, left=10, needs=4), should_try(0.5, 0.9, left=3, needs=4), should_try(0.9, 0.9)
    (True, False, False)
    """
    return best < z and needs <= left


def above_0(name: str, value: Any) -> float:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not 0 < value < inf:
        raise UsageError(f"{name}={value!r}: expected a finite number above 0")
    return float(value)
