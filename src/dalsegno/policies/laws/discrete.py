"""A law of finitely many times: its survival is a step function, and its best cutoff is one of the times."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.law import Figures, Law, check_overhead
from dalsegno.policies.optimal_cutoff import OptimalCutoff, best_of_steps

ROUNDING = 1e-12
LEAST_DIFFERENCE = 1e-9  # of two means that were summed up in different ways


class Discrete(Law):
    """A run takes one of ``times``, each with its probability; what is missing to 1 is never solved.

    Both have shape (m,); times need not be in order. The hazard at one of the times is the probability of
    being solved there for a run that has come so far, and 0 elsewhere.

    >>> law = Discrete([10, 1000], [0.1, 0.9])
    >>> print(law.optimal_cutoff())
    restart at 10: mean 100, saves 88.9%

    Raises :class:`UsageError` for times that are not finite or below 0, and for probabilities that are not
    above 0 or add up to more than 1.
    """

    def __init__(self, times: npt.ArrayLike, probabilities: npt.ArrayLike) -> None:
        at = np.asarray(times, np.float64)
        masses = np.asarray(probabilities, np.float64)
        if at.ndim != 1 or at.shape != masses.shape or not len(at):
            raise UsageError(f"times {times!r} and probabilities {probabilities!r}: expected two lists of one length")
        if not (np.isfinite(at) & (at >= 0.0)).all():
            raise UsageError(f"times={times!r}: expected finite numbers of at least 0")
        if not (masses > 0.0).all() or masses.sum() > 1.0 + ROUNDING:
            raise UsageError(f"probabilities={probabilities!r}: expected numbers above 0 that add up to at most 1")
        at, place = np.unique(at, return_inverse=True)
        left = 1.0 - np.cumsum(np.bincount(place, masses))
        self._take(at, np.where(left < ROUNDING, 0.0, left))

    def _take(self, times: Figures, survivals: Figures) -> None:
        """Keep the curve: ``survivals`` are those after each time."""
        self.times, self.survivals = times, survivals
        self._levels = np.concatenate([[1.0], survivals])  # between the knots
        self._knots = np.concatenate([[0.0], times])
        self._areas = np.concatenate([[0.0], np.cumsum(self._levels[:-1] * np.diff(self._knots))])

    @property
    def mean(self) -> float:
        return inf if self.survivals[-1] > 0.0 else float(self._areas[-1])

    @property
    def never(self) -> float:
        return float(self.survivals[-1])

    def expected_at_times(self, overhead: float = 0.0) -> Figures:
        """E_t at each of the times, shape (m,)."""
        solved = 1.0 - self.survivals
        with np.errstate(divide="ignore", invalid="ignore"):
            total = (self._areas[1:] + overhead * self.survivals) / solved
        return np.where(solved > 0.0, total, inf)

    def optimal_cutoff(self, *, overhead: float = 0.0, min_successes: int = 5, min_F: float = 0.02) -> OptimalCutoff:
        first = int(self.times[0] <= 0.0)  # nothing can be cut at 0
        found = best_of_steps(self.times, self.expected_at_times(check_overhead(overhead)), first, self.mean, False)
        if found is None:
            raise UsageError("every solved run takes no time at all: there is nothing to cut")
        return found if found.gain > LEAST_DIFFERENCE else OptimalCutoff(inf, self.mean, 0.0, False, "last")

    def sample(self, size: int, seed: int | np.random.Generator | None = None) -> Figures:
        drawn = np.random.default_rng(seed).random(size)  # the part of runs that are slower
        place = np.searchsorted(-self.survivals, -drawn, side="left")
        return np.asarray(np.concatenate([self.times, [inf]])[place])

    def places(self) -> Figures:
        return self.times

    def _survival(self, t: Figures) -> Figures:
        return np.asarray(self._levels[np.searchsorted(self.times, t, side="right")])

    def _integral(self, t: Figures) -> Figures:
        place = np.searchsorted(self.times, t, side="right")
        return np.asarray(self._areas[place] + self._levels[place] * (t - self._knots[place]))

    def _hazard(self, t: Figures) -> Figures:
        place = np.minimum(np.searchsorted(self.times, t, side="left"), len(self.times) - 1)
        there = self.times[place] == t
        return np.where(there, 1.0 - self.survivals[place] / self._levels[place], 0.0)
