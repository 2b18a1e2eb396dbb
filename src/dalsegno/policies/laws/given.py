"""Laws that are given: a frozen distribution of scipy.stats, or a survival function."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log
from typing import Any

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.discrete import Discrete
from dalsegno.policies.laws.law import Figures, Law
from dalsegno.policies.laws.lognormal import LognormalMixture
from dalsegno.policies.laws.weibull import WeibullMixture

NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
PANEL = 0.5  # width in log time, before panels are halved
REACH = 70.0  # how far in log time the panels go from the median, to either side
HALVINGS = 44
MOST_PANELS = 20_000
TOLERANCE = 1e-13
TINY = 1e-15
MOST_TIMES = 1_000_000
STEP = 1e-4  # in log time, of numerical derivatives
SURE = 1e-6  # the least cumulative probability that the rounding of a survival near 1 leaves some digits of
JUMP = 1e-3  # a law that begins with more than this begins with a jump, and the place before it belongs to it


def as_law(what: Any, *, mean: float | None = None) -> Law:
    """``what`` as a law: a law itself, a frozen distribution of ``scipy.stats``, or a function S(t) = P(T > t).

    The function may take arrays or single times, and may jump. ``mean`` is E[T] where it is known; left out,
    it is computed. Lognormal, Weibull and exponential laws become laws in closed form, and those of whole
    numbers :class:`Discrete`.

    >>> import math
    >>> law = as_law(lambda t: math.exp(-t))
    >>> round(law.mean, 9), round(float(law.hazard(2.0)), 6)
    (1.0, 1.0)

    Raises :class:`UsageError` for a law with times below 0, and for what is no survival function.
    """
    if isinstance(what, Law):
        return what
    if hasattr(what, "sf") and hasattr(what, "dist"):
        return frozen(what)
    if hasattr(what, "ccdf") and hasattr(what, "support"):  # the newer form of scipy's distributions
        refuse_negative(what, float(what.support()[0]))
        return Numerical(what.ccdf, cumulative=what.cdf, density=what.pdf, mean=known(what.mean()))
    if callable(what):
        return Numerical(what, mean=mean)
    raise UsageError(f"{what!r} is no law: expected a law, a frozen distribution of scipy.stats, or a function S(t)")


def frozen(what: Any) -> Law:
    """A frozen distribution as a law, in closed form where there is one."""
    refuse_negative(what, float(what.support()[0]))
    if not hasattr(what.dist, "pdf"):
        return of_whole_numbers(what)
    name = what.dist.name
    if name in ("lognorm", "weibull_min", "expon"):
        shapes, place, scale = what.dist._parse_args(*what.args, **what.kwds)
        if float(place) == 0.0:
            if name == "lognorm":
                return LognormalMixture(1.0, log(scale), float(shapes[0]))
            return WeibullMixture(1.0, float(scale), float(shapes[0]) if shapes else 1.0)
    return Numerical(what.sf, cumulative=what.cdf, density=what.pdf, mean=known(what.mean()), draw=what.rvs)


def known(mean: Any) -> float | None:
    """A mean, if it is one; else it is computed."""
    return None if np.isnan(mean) else float(mean)


def refuse_negative(what: Any, least: float) -> None:
    if least < 0.0:
        raise UsageError(f"{what!r} has times below 0, down to {least:g}: expected a law of times of at least 0")


def of_whole_numbers(what: Any) -> Discrete:
    first, last = (float(end) for end in what.support())
    top = min(last, float(what.isf(1e-13)))
    if top - first >= MOST_TIMES:
        raise UsageError(f"{what!r} has more than {MOST_TIMES} times: give its survival function instead")
    times = np.arange(first, top + 1.0)
    masses = what.pmf(times)
    return Discrete(times[masses > 0.0], masses[masses > 0.0])


class Numerical(Law):
    """A law of which the survival function is known; integrals by Gauss's rule on panels in log time.

    Panels are halved until Gauss's rule on a panel and on its halves agree, so that they are narrow at jumps
    and the integrals are good to about 12 digits. ``cumulative`` and ``density`` are taken from the survival
    where they are not given. ``draw(size=, random_state=)`` samples; left out, the survival is inverted.
    """

    def __init__(
        self,
        survival: Callable[[Any], Any],
        *,
        cumulative: Callable[[Any], Any] | None = None,
        density: Callable[[Any], Any] | None = None,
        mean: float | None = None,
        draw: Callable[..., Any] | None = None,
    ) -> None:
        self.function, self.cumulated, self.density, self.draw = as_vectorised(survival), cumulative, density, draw
        self._mean = mean
        self._lay_panels()
        places = np.exp(self._left[:, None] + self._width[:, None] * np.linspace(0.0, 1.0, 5)[1:]).ravel()
        solved = self._cumulative(places)
        first = int(np.argmax(solved > (SURE if cumulative is None else 0.0)))
        self._places = places[max(first - (solved[first] > JUMP), 0) :]

    def _lay_panels(self) -> None:
        middle = log(self._middle())
        edges = np.arange(middle - REACH, middle + REACH + PANEL, PANEL)
        left, width = edges[:-1], np.diff(edges)
        done: list[tuple[Figures, Figures, Figures]] = []
        scale = np.exp(middle)
        for halving in range(HALVINGS + 1):
            whole = self._gauss(left, width)
            half = 0.5 * width
            halves = self._gauss(left, half) + self._gauss(left + half, half)
            coarse = np.abs(whole - halves) > TOLERANCE * np.maximum(scale, np.exp(left))
            if halving == HALVINGS or 2 * coarse.sum() > MOST_PANELS:
                coarse[:] = False
            done.append((left[~coarse], width[~coarse], halves[~coarse]))
            left, width = np.concatenate([left[coarse], left[coarse] + half[coarse]]), np.tile(half[coarse], 2)
            if not len(left):
                break
        left, width, areas = (np.concatenate(part) for part in zip(*done, strict=True))
        order = np.argsort(left)
        self._left, self._width = left[order], width[order]
        # Below the first panel the survival is that at its edge.
        first = np.exp(self._left[0])
        self._areas = np.concatenate([[0.0], np.cumsum(areas[order])]) + first * self.function(np.array([first]))[0]
        self._starts = np.exp(self._left)

    def _middle(self) -> float:
        """A time about the median of what is ever solved."""
        lowest, highest = 1e-200, 1e200
        ends = self.function(np.array([0.0, lowest, highest]))
        if not np.isfinite(ends).all() or (ends < -1e-9).any() or (ends > 1.0 + 1e-9).any():
            raise UsageError(f"S(t) is {ends.tolist()} at 0 and at both ends of time: expected probabilities")
        if ends[0] < ends[2]:
            raise UsageError("S(t) is greater at late times than at 0: expected P(T > t), not P(T <= t)")
        if ends[1] - ends[2] <= 0.0:
            raise UsageError("S(t) is the same at all times: no run is ever solved")
        aim = 0.5 * (ends[1] + ends[2])
        for _ in range(60):
            middle = np.exp(0.5 * (np.log(lowest) + np.log(highest)))
            lowest, highest = (middle, highest) if self.function(np.array([middle]))[0] > aim else (lowest, middle)
        return float(highest)

    def _gauss(self, left: Figures, width: Figures) -> Figures:
        """The integral of S over panels given in log time, shape (n,)."""
        times = np.exp(left[:, None] + 0.5 * width[:, None] * (NODES + 1.0))
        heights = self.function(times.ravel()).reshape(times.shape) * times
        return np.asarray(0.5 * width * (heights @ WEIGHTS))

    @property
    def mean(self) -> float:
        if self._mean is None:
            self._mean = float(self._areas[-1]) + self._tail()
        return self._mean

    def _tail(self) -> float:
        """The integral beyond the last panel, as of a power law that goes on with the slope at its end."""
        end = np.exp(self._left[-1] + self._width[-1])
        high = self.function(np.array([end / np.e, end]))
        if high[1] <= TINY * TINY or end * high[1] <= TINY * self._areas[-1]:
            return 0.0
        slope = log(high[0] / high[1])
        return float(end * high[1] / (slope - 1.0)) if slope > 1.0 + 1e-9 else inf

    @property
    def never(self) -> float:
        level = self.function(np.array([1e300]))[0]
        return float(level) if level == self.function(np.array([1e200]))[0] and level > 1e-12 else 0.0

    def sample(self, size: int, seed: int | np.random.Generator | None = None) -> Figures:
        generator = np.random.default_rng(seed)
        if self.draw is not None:
            return np.asarray(self.draw(size=size, random_state=generator), np.float64)
        aims = generator.random(size)
        low, high = np.full(size, log(1e-300)), np.full(size, log(1e300))
        for _ in range(70):
            middle = 0.5 * (low + high)
            slower = self.function(np.exp(middle)) > aims
            low, high = np.where(slower, middle, low), np.where(slower, high, middle)
        return np.where(aims < self.never, inf, np.exp(high))

    def places(self) -> Figures:
        return self._places

    def _survival(self, t: Figures) -> Figures:
        return self.function(t)

    def _cumulative(self, t: Figures) -> Figures:
        return 1.0 - self.function(t) if self.cumulated is None else np.asarray(self.cumulated(t), np.float64)

    def _integral(self, t: Figures) -> Figures:
        early = t <= self._starts[0]
        logs = np.log(np.where(early, self._starts[0], t))
        place = np.clip(np.searchsorted(self._left, logs, side="right") - 1, 0, len(self._left) - 1)
        found = self._areas[place] + self._gauss(self._left[place], logs - self._left[place])
        return np.where(early, t * self.function(t), found)

    def _density(self, t: Figures) -> Figures:
        if self.density is not None:
            return np.asarray(self.density(t), np.float64)
        return self._survival(t) * self._hazard(t)

    def _hazard(self, t: Figures) -> Figures:
        if self.density is not None:
            return super()._hazard(t)
        found = self._slope(np.maximum(t, self._places[0]))
        early = t < self._places[0]
        if early.any():
            found[early] = self._first_hazard()
        return found

    def _slope(self, t: Figures) -> Figures:
        """The hazard as a difference of survivals."""
        slower, faster = self.function(t * np.exp(-STEP)), self.function(t * np.exp(STEP))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((slower - faster) / (2.0 * STEP * t * self.function(t)))

    def _first_hazard(self) -> float:
        """The hazard at 0: that of the first place at which it shows, infinite where it still grows towards 0."""
        first = self._places[0]
        near, far = self._slope(np.array([first, 100.0 * first]))
        return inf if near > 1.2 * far else float(near)


def as_vectorised(function: Callable[[Any], Any]) -> Callable[[Figures], Figures]:
    """A function of arrays, whether or not it was written for them."""
    probe = np.array([0.5, 1.0])
    try:
        takes_arrays = np.shape(function(probe)) == probe.shape
    except Exception:
        takes_arrays = False
    call = function if takes_arrays else np.vectorize(function, otypes=[np.float64])

    def called(t: Figures) -> Figures:
        with np.errstate(all="ignore"):
            return np.asarray(call(t), np.float64)

    return called
