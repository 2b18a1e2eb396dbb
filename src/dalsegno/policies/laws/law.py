"""Law: how long a run takes, as a distribution, and what a cutoff makes of it.

    T   the time of one run                        S    survival, P(T > t)          -> survival
    R   what a restart costs                       F    1 - S                       -> cumulative
    I   the integral of S from 0 to t              h    hazard                      -> hazard
                                                   I    E[min(T, t)]                -> restricted_mean

Runs that are cut at t and begun again, independently, take in the mean E_t = (I(t) + R S(t)) / F(t)
until one is solved: the mean time of one attempt over the probability that it is the last.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.optimal_cutoff import OptimalCutoff, best_of_smooth

Figures = npt.NDArray[np.float64]


class Law:
    """The distribution of the time of one run; times are at least 0 and may be infinite (never solved).

    A subclass says ``_survival``, ``_integral`` and ``_density`` for arrays of times that are finite and at
    least 0, the ``mean``, and ``places``: times, in order, between which it is smooth.
    """

    observed: Figures | None = None  # the solved times of the log that it was fitted to, sorted; None: it was given

    def survival(self, t: npt.ArrayLike) -> Figures:
        """P(T > t), the shape of ``t``."""
        return on_times(t, self._survival, self.never)

    def cumulative(self, t: npt.ArrayLike) -> Figures:
        """P(T <= t), the shape of ``t``."""
        return on_times(t, self._cumulative, 1.0 - self.never)

    def hazard(self, t: npt.ArrayLike) -> Figures:
        """The rate at which a run that has come to t is solved there, the shape of ``t``."""
        return on_times(t, self._hazard, 0.0)

    def restricted_mean(self, t: npt.ArrayLike) -> Figures:
        """E[min(T, t)], the integral of the survival from 0 to t, the shape of ``t``."""
        return on_times(t, self._integral, self.mean)

    @property
    def mean(self) -> float:
        """E[T]; infinite where the tail is so heavy, or where some runs are never solved."""
        raise TypeError(f"{type(self).__name__} has no mean")

    @property
    def never(self) -> float:
        """The probability that a run is never solved, however long it goes on."""
        return 0.0

    def sample(self, size: int, seed: int | np.random.Generator | None = None) -> Figures:
        """Times of ``size`` independent runs; ``seed`` is a number or a generator."""
        raise TypeError(f"{type(self).__name__} has no sample(self, size, seed)")

    def expected(self, t: npt.ArrayLike, overhead: float = 0.0) -> Figures:
        """The mean total time E_t of restarting at cutoff ``t`` until solved, the shape of ``t``.

        ``overhead`` is what each restart costs, in the unit of the law; it is paid for failed attempts only.
        Infinite where no run is solved by ``t``.
        """
        overhead = check_overhead(overhead)
        cutoffs = np.asarray(t, np.float64)
        solved = self.cumulative(cutoffs)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = (self.restricted_mean(cutoffs) + overhead * self.survival(cutoffs)) / solved
        return np.where(solved > 0.0, total, inf)[()]

    def optimal_cutoff(self, *, overhead: float = 0.0, min_successes: int = 5, min_F: float = 0.02) -> OptimalCutoff:
        """The cutoff with the least mean total time.

        ``overhead`` is what each restart costs. Of a law that was fitted to a log, only cutoffs are considered
        with at least ``min_successes`` solved runs at or before them and a probability of at least ``min_F``
        of being solved by then: the raw minimum follows the luckiest run. A law that was given is taken as
        it is.

        Raises :class:`UsageError` for a log in which no cutoff passes, and for an overhead below 0.
        """
        return best_of_smooth(self, check_overhead(overhead), self._least(min_successes, min_F))

    def _least(self, min_successes: int, min_F: float) -> float:
        """The least cutoff that the guard lets pass."""
        if self.observed is None:
            return 0.0
        check_successes(len(self.observed), min_successes)
        least = float(self.observed[min_successes - 1])
        if self._cumulative(np.array([least]))[0] >= min_F:
            return least
        passing = self.places()[self._cumulative(self.places()) >= min_F]
        if not len(passing):
            raise UsageError(f"no cutoff has a probability of {min_F:g} of being solved by then")
        return max(least, float(passing[0]))

    # -- of a subclass ----

    def _survival(self, t: Figures) -> Figures:
        raise TypeError(f"{type(self).__name__} has no _survival(self, t)")

    def _cumulative(self, t: Figures) -> Figures:
        return 1.0 - self._survival(t)

    def _integral(self, t: Figures) -> Figures:
        raise TypeError(f"{type(self).__name__} has no _integral(self, t)")

    def _density(self, t: Figures) -> Figures:
        raise TypeError(f"{type(self).__name__} has no _density(self, t)")

    def _hazard(self, t: Figures) -> Figures:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._density(t) / self._survival(t)

    def places(self) -> Figures:
        """Times in order that show every turn of the law; the search for a cutoff looks at each."""
        raise TypeError(f"{type(self).__name__} has no places(self)")


def on_times(t: npt.ArrayLike, function: Callable[[Figures], Figures], at_infinity: float) -> Figures:
    """A function of finite times at times of any shape, infinite ones too; a time below 0 is as 0."""
    given = np.asarray(t, np.float64)
    times = np.atleast_1d(given)
    if np.isnan(times).any():
        raise UsageError("a time is NaN: expected a number")
    finite = np.isfinite(times)
    if finite.all():
        found = function(np.maximum(times, 0.0))
    else:
        found = np.where(times > 0.0, at_infinity, 0.0)
        found[~finite & (times < 0.0)] = function(np.zeros(1))[0]
        found[finite] = function(np.maximum(times[finite], 0.0))
    return found.reshape(given.shape)[()]


def check_overhead(overhead: float) -> float:
    if isinstance(overhead, (bool, str)) or not hasattr(overhead, "__float__"):
        raise UsageError(f"overhead={overhead!r}: expected a finite number of at least 0")
    if not isfinite(overhead) or overhead < 0:
        raise UsageError(f"overhead={overhead!r}: expected a finite number of at least 0")
    return float(overhead)


def check_successes(found: int, least: int) -> None:
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        raise UsageError(f"min_successes={least!r}: expected a whole number of at least 1")
    if found < least:
        raise UsageError(
            f"{found} solved runs are too few for a cutoff: expected at least {least}; the least of a few times says "
            "more about luck than about the law"
        )
