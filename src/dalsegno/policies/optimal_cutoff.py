"""The best cutoff: where the mean total time of restarting is least, and whether there is such a place.

At an interior minimum of E_t the first-order condition E_t + R = 1 / h(t) holds, h the hazard and R what a
restart costs. A law with increasing hazard has no such place (never restart), one with constant hazard is
neutral, and where the hazard decreases from the start and restarts are free, the shorter the cutoff the
better: E_t falls to 1 / h(0), which no cutoff attains.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isinf, log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dalsegno.policies.laws.law import Figures, Law

LEAST_GAIN = 1e-3  # a smaller part saved counts as none
ROUNDING = 1e-9
APART = 1e-6  # places nearer to each other than this part of themselves are one


@dataclass(frozen=True)
class OptimalCutoff:
    """The best cutoff of a law.

    ``t`` is the cutoff, infinite for never; ``expected`` the mean total time with it; ``gain`` the part of the
    mean without restarts that it saves (of a log whose longest runs were cut, a lower bound). ``attained``
    is false where ``t`` is only the edge of what could be considered: ``edge`` is then ``"first"`` (shorter
    cutoffs may be better still; at 0 ``expected`` is what they approach) or ``"last"`` (longer ones may be).
    ``pays`` is whether the gain is worth mention, at least a thousandth.

    >>> print(OptimalCutoff(2.0, 5.0, 0.5, True))
    restart at 2: mean 5, saves 50.0%
    """

    t: float
    expected: float
    gain: float
    attained: bool
    edge: str = ""

    @property
    def pays(self) -> bool:
        return self.gain >= LEAST_GAIN

    def __str__(self) -> str:
        if not self.pays:
            return f"no cutoff gains anything: mean {self.expected:g}"
        if self.t == 0.0:
            return f"the shorter the cutoff the better: the mean falls to {self.expected:g}, which none attains"
        edge = f" (the {self.edge} cutoff that could be considered)" if self.edge else ""
        return f"restart at {self.t:g}{edge}: mean {self.expected:g}, saves {100 * self.gain:.1f}%"


def gain_over(mean: float, expected: float) -> float:
    """The part of a mean that is saved."""
    if isinf(mean):
        return 0.0 if isinf(expected) else 1.0
    return 1.0 - expected / mean if mean > 0.0 else 0.0


def best_of_smooth(law: Law, overhead: float, least: float) -> OptimalCutoff:
    """The best cutoff, not below ``least``, of a law that is smooth between its places."""
    places = law.places()
    places = places[places > 0.0]
    if least > 0.0:
        places = np.concatenate([[least], places[places > least]])
    means = law.expected(places, overhead)
    here = int(np.argmin(means))
    mean = law.mean
    if not gain_over(mean, float(means[here])) > ROUNDING:
        return OptimalCutoff(inf, mean, 0.0, False, "last")
    if here == 0:
        return at_the_beginning(law, overhead, least, float(means[0]))
    if here == len(places) - 1:
        return OptimalCutoff(float(places[here]), float(means[here]), gain_over(mean, means[here]), False, "last")
    apart = np.searchsorted(places, places[here] * np.array([1.0 - APART, 1.0 + APART]))
    left, right = places[max(apart[0] - 1, 0)], places[min(apart[1], len(places) - 1)]
    t = float(refined(law, overhead, left, places[here], right))
    expected = float(law.expected(t, overhead))
    if expected > means[here]:
        t, expected = float(places[here]), float(means[here])
    return OptimalCutoff(t, expected, gain_over(mean, expected), True)


def at_the_beginning(law: Law, overhead: float, least: float, expected: float) -> OptimalCutoff:
    """The minimum is at the first cutoff that could be considered."""
    if least > 0.0:
        return OptimalCutoff(least, expected, gain_over(law.mean, expected), False, "first")
    hazard = float(law.hazard(0.0))
    limit = 0.0 if isinf(hazard) else 1.0 / hazard if hazard > 0.0 and not overhead else expected
    return OptimalCutoff(0.0, limit, gain_over(law.mean, limit), False, "first")


def refined(law: Law, overhead: float, left: float, middle: float, right: float) -> float:
    """The place near ``middle`` where the first-order condition holds; ``middle`` itself at a jump of the law."""
    from scipy.optimize import brentq

    def falling(logarithm: float) -> float:
        """Above 0 where E_t falls: h (I + R) - F."""
        t = exp(logarithm)
        rate = float(law.hazard(t))
        return rate * (float(law.restricted_mean(t)) + overhead) - float(law.cumulative(t)) if rate < inf else inf

    ends = log(left), log(middle), log(right)
    signs = [falling(end) for end in ends]
    for low, high in ((0, 1), (1, 2)):
        if signs[low] > 0.0 >= signs[high]:
            return exp(brentq(falling, ends[low], ends[high], xtol=1e-13, rtol=1e-13))
    return middle


def best_of_steps(
    times: Figures, expected: Figures, considered: int, end_mean: float, excluded: bool
) -> OptimalCutoff | None:
    """The best of the cutoffs ``times[considered:]``, the only places where a step function's E_t can be least.

    ``end_mean`` is the mean without restarts or a lower bound of it; ``excluded`` is whether the cutoffs before
    were left out by the guard. None where none is left.
    """
    if considered >= len(times):
        return None
    here = considered + int(np.argmin(expected[considered:]))
    edge = "last" if here == len(times) - 1 else "first" if here == considered and excluded else ""
    best = float(expected[here])
    return OptimalCutoff(float(times[here]), best, max(gain_over(end_mean, best), 0.0), edge == "", edge)
