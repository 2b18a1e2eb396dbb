"""Kaplan and Meier's estimate of the law behind a log in which attempts were cut.

Kaplan and Meier, "Nonparametric estimation from incomplete observations" (1958). With d_i runs solved at
time t_i and n_i that had come so far,

    S(t) = product over t_i <= t of (1 - d_i / n_i)

A run that was cut at t_i had come so far: at equal times the solved ones come first.
"""

from __future__ import annotations

from math import nan

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.discrete import Discrete
from dalsegno.policies.laws.law import check_overhead, check_successes
from dalsegno.policies.optimal_cutoff import OptimalCutoff, best_of_steps
from dalsegno.policies.run_log import RunLog


class KaplanMeier(Discrete):
    """The estimate from a log: nothing is assumed of the law but that the cuts did not depend on the runs' progress.

    ``times`` are the m distinct solved times, ``survivals`` the estimate after each, ``solved`` and
    ``at_risk`` the counts d and n at each, all of shape (m,); ``longest`` is the longest time seen. Beyond it
    nothing is known: the curve is held level there, and the ``mean`` is NaN where that level is above 0. The
    mean up to ``longest`` is then a lower bound of it.

    >>> log = RunLog(times=[2, 3, 4, 4, 5, 6, 7, 8], solved=[1, 0, 1, 1, 0, 1, 0, 1])
    >>> law = KaplanMeier(log)
    >>> law.times.tolist(), law.survivals.round(6).tolist()
    ([2.0, 4.0, 6.0, 8.0], [0.875, 0.583333, 0.388889, 0.0])

    Raises :class:`UsageError` for a log in which nothing was solved.
    """

    def __init__(self, log: RunLog) -> None:
        self.runs, self.successes = len(log), log.successes
        if not self.successes:
            raise UsageError(
                f"0 of {self.runs} attempts were solved: there is nothing to estimate; the log needs some that were"
            )
        order = np.argsort(log.times)
        times, solved = log.times[order], log.solved[order]
        first = np.flatnonzero(np.concatenate([[True], times[1:] > times[:-1]]))  # of each distinct time
        counts = np.add.reduceat(solved, first, dtype=np.int64)
        event = counts > 0
        self.solved = counts[event]
        self.at_risk = self.runs - first[event]
        self.longest = float(times[-1])
        self.observed = times[solved]
        self._take(times[first][event], np.cumprod(1.0 - self.solved / self.at_risk, dtype=np.float64))

    @property
    def mean(self) -> float:
        return float(self._areas[-1]) if self.survivals[-1] == 0.0 else nan

    @property
    def lower_mean(self) -> float:
        """The mean up to the longest time seen: the mean itself if all is solved by then, else a lower bound."""
        return float(self._integral(np.array([self.longest]))[0])

    def guarded_cutoff(
        self, *, overhead: float = 0.0, min_successes: int = 5, min_F: float = 0.02
    ) -> OptimalCutoff | None:
        """As :meth:`optimal_cutoff`; None where no cutoff passes the guard."""
        reached = np.cumsum(self.solved) >= min_successes
        passing = reached & (1.0 - self.survivals >= min_F) & (self.times > 0.0)
        considered = int(np.argmax(passing)) if passing.any() else len(self.times)
        excluded = considered > 0 and self.times[considered - 1] > 0.0
        return best_of_steps(
            self.times, self.expected_at_times(check_overhead(overhead)), considered, self.lower_mean, excluded
        )

    def optimal_cutoff(self, *, overhead: float = 0.0, min_successes: int = 5, min_F: float = 0.02) -> OptimalCutoff:
        check_successes(self.successes, min_successes)
        found = self.guarded_cutoff(overhead=overhead, min_successes=min_successes, min_F=min_F)
        if found is None:
            raise UsageError(
                f"no cutoff above 0 has {min_successes} solved runs and a probability of at least {min_F:g} of being "
                "solved by then"
            )
        return found
