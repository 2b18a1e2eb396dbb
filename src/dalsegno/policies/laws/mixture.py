"""Mixture: a law made of several of one family, fitted to logs with cut attempts by expectation and maximisation.

Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm" (1977). An attempt
that was solved at t counts with the density there, one that was cut at t with the survival. The number of
components is the one with the least BIC, whose sample size is the number of solved attempts (Volinsky and
Raftery, "Bayesian information criterion for censored survival models", 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.law import Figures, Law
from dalsegno.policies.run_log import RunLog

MOST_COMPONENTS = 3
FIRST_STEPS = 25  # from every start; only the best of them goes on
STEPS = 500
CONVERGED = 1e-9  # part of the log-likelihood that a step of EM adds
EMPTY = 2.0  # solved attempts: a component with fewer is given up
MANY = 1_000  # distinct times: where there are more, their logarithms are rounded
CELLS = 1_000  # to one of so many, far finer than any component
LEAST_SPREAD = 0.02  # of a component's log times, as part of that of all: a narrower one would follow single times


@dataclass(frozen=True)
class Sample:
    """Log times, the ``events`` solved ones first, and how often each was seen, shape (n,).

    ``least_spread`` is what the spread of no component's log times falls below.
    """

    logs: Figures
    events: int
    counts: Figures
    least_spread: float


@dataclass(frozen=True)
class Climb:
    """Where EM has come to: the components' centres and spreads (k,), their shares of attempts (n, k), the log-likelihood."""

    centres: Figures
    spreads: Figures
    shares: Figures
    reached: float


class Mixture(Law):
    """``weights``, ``centres`` and ``spreads`` of the components, shape (k,); what the last two are, a subclass says."""

    spread_name: ClassVar[str] = ""

    def __init__(self, weights: npt.ArrayLike, centres: npt.ArrayLike, spreads: npt.ArrayLike) -> None:
        name = type(self).__name__
        parts = [np.atleast_1d(np.asarray(part, np.float64)) for part in (weights, centres, spreads)]
        self.weights, self._centres, self._spreads = parts
        if any(part.ndim != 1 or part.shape != self.weights.shape or not np.isfinite(part).all() for part in parts):
            raise UsageError(f"{name}: expected three lists of finite numbers of one length, one number a component")
        if not (self.weights > 0.0).all() or abs(self.weights.sum() - 1.0) > 1e-6:
            raise UsageError(f"{name}(weights={weights!r}): expected numbers above 0 that add up to 1")
        if not (self._spreads > 0.0).all():
            raise UsageError(f"{name}({self.spread_name}={spreads!r}): expected numbers above 0")
        self.weights = self.weights / self.weights.sum()
        self.log_likelihood: float | None = None
        self.bic: float | None = None

    @classmethod
    def fit(cls, log: RunLog, components: int | None = None, *, starts: int = 5, seed: int = 0) -> Self:
        """The mixture with the greatest likelihood found from ``starts`` starts.

        ``components`` left out is 1, 2 or 3, whichever has the least BIC. The same seed gives the same fit.

        Raises :class:`UsageError` for a log without two different solved times, for one that was solved in no
        time at all, and for a number of components that is not whole and at least 1.
        """
        if components is not None and (isinstance(components, bool) or not isinstance(components, int)):
            raise UsageError(f"components={components!r}: expected a whole number of at least 1")
        if components is not None and components < 1:
            raise UsageError(f"components={components!r}: expected a whole number of at least 1")
        sample = sample_of(log)
        sizes = range(1, MOST_COMPONENTS + 1) if components is None else (components,)
        climbed = [cls._best(sample, size, starts if size > 1 else 1, seed) for size in sizes]
        found = [one for one in climbed if one is not None]
        if not found:
            raise UsageError(f"{log!r} has too few solved attempts for {components} components: fit fewer")
        for one in found:
            one.bic = -2.0 * (one.log_likelihood or 0.0) + (3 * len(one.weights) - 1) * np.log(log.successes)
        best = min(found, key=lambda one: one.bic or 0.0)
        best.observed = np.sort(log.times[log.solved])
        return best

    @classmethod
    def _best(cls, sample: Sample, size: int, starts: int, seed: int) -> Self | None:
        """EM from the start that is best after a few steps; None where components die from every start."""
        begun = []
        for start in range(starts):
            shares = first_shares(sample, size, start, seed)
            begun.append(cls._climb(sample, *cls._begin(sample, shares * sample.counts[:, None]), shares, FIRST_STEPS))
        begun.sort(key=lambda one: one.reached, reverse=True)
        for one in begun:
            end = cls._climb(sample, one.centres, one.spreads, one.shares, STEPS)
            if end.reached > -np.inf:
                order = np.argsort(end.centres)
                weights = (sample.counts @ end.shares) / sample.counts.sum()
                law = cls(weights[order], cls._told(end.centres)[order], end.spreads[order])
                law.log_likelihood = end.reached
                return law
        return None

    @classmethod
    def _climb(cls, sample: Sample, centres: Figures, spreads: Figures, shares: Figures, steps: int) -> Climb:
        """Steps of EM until the log-likelihood stands still; -inf is reached where a component dies on the way."""
        before = now = -np.inf
        for _ in range(steps):
            counted = shares * sample.counts[:, None]
            if len(centres) > 1 and (counted[: sample.events].sum(axis=0) < EMPTY).any():
                return Climb(centres, spreads, shares, -np.inf)
            weights = counted.sum(axis=0) / sample.counts.sum()
            centres, spreads = cls._maximise(sample, counted, centres, spreads)
            parts = np.log(weights) + cls._log_parts(sample.logs, sample.events, centres, spreads)
            peak = parts.max(axis=1, keepdims=True)
            each = peak[:, 0] + np.log(np.exp(parts - peak).sum(axis=1))
            shares = np.exp(parts - each[:, None])
            now = float(sample.counts @ each)
            if now - before < CONVERGED * abs(now):
                break
            before = now
        return Climb(centres, spreads, shares, now)

    def sample(self, size: int, seed: int | np.random.Generator | None = None) -> Figures:
        generator = np.random.default_rng(seed)
        which = generator.choice(len(self.weights), size, p=self.weights)
        return self._draw(which, generator)

    def _survival(self, t: Figures) -> Figures:
        with np.errstate(divide="ignore"):
            parts = self._log_parts(np.log(t), 0, self._inner_centres(), self._spreads)
        return np.where(t > 0.0, np.exp(parts) @ self.weights, 1.0)

    def _inner_centres(self) -> Figures:
        return self._centres

    # -- of a family ----

    @classmethod
    def _told(cls, centres: Figures) -> Figures:
        """Centres of log times as the constructor takes them."""
        return centres

    @classmethod
    def _begin(cls, sample: Sample, shares: Figures) -> tuple[Figures, Figures]:
        raise TypeError(f"{cls.__name__} has no _begin")

    @classmethod
    def _maximise(cls, sample: Sample, shares: Figures, centres: Figures, spreads: Figures) -> tuple[Figures, Figures]:
        """The parameters that fit attempts of which each component has its share, (n, k)."""
        raise TypeError(f"{cls.__name__} has no _maximise")

    @classmethod
    def _log_parts(cls, logs: Figures, events: int, centres: Figures, spreads: Figures) -> Figures:
        """Log density of the time at the first ``events`` attempts, log survival at the others, (n, k)."""
        raise TypeError(f"{cls.__name__} has no _log_parts")

    def _draw(self, which: npt.NDArray[Any], generator: np.random.Generator) -> Figures:
        raise TypeError(f"{type(self).__name__} has no _draw")


def sample_of(log: RunLog) -> Sample:
    """A log for EM: equal attempts counted together, and very many times rounded."""
    times, solved = log.times, log.solved
    if (solved & (times <= 0.0)).any():
        raise UsageError(
            "an attempt was solved in time 0: no such law has that; measure with a finer clock, or fit 'kaplan-meier'"
        )
    if len(np.unique(times[solved])) < 2:
        raise UsageError(f"{log!r}: expected at least 2 different solved times to fit a law to")
    informative = times > 0.0  # one that was cut at 0 says nothing
    logs, solved = np.log(times[informative]), solved[informative]
    pairs = np.stack([~solved, logs], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    if len(found) > MANY:
        width = float(np.ptp(logs)) / CELLS
        pairs[:, 1] = np.round(logs / width) * width
        found, counts = np.unique(pairs, axis=0, return_counts=True)
    spread = float(np.std(logs[solved]))
    events = int(np.sum(found[:, 0] == 0.0))
    return Sample(found[:, 1], events, counts.astype(np.float64), LEAST_SPREAD * spread)


def first_shares(sample: Sample, size: int, start: int, seed: int) -> Figures:
    """Which part of each attempt a component has to begin with: by the order of times first, then by nearness to drawn ones."""
    if start == 0:
        order = np.argsort(sample.logs, kind="stable")
        cumulated = np.cumsum(sample.counts[order]) / sample.counts.sum()
        group = np.empty(len(order), np.int64)
        group[order] = np.minimum((cumulated * size - 1e-9).astype(np.int64), size - 1)
    else:
        generator = np.random.default_rng((seed, size, start))
        chosen = generator.choice(sample.events, min(size, sample.events), replace=False)
        group = np.argmin(np.abs(sample.logs[:, None] - np.sort(sample.logs[chosen])), axis=1)
    shares = np.full((len(sample.logs), size), 0.1 / size)
    shares[np.arange(len(shares)), group] += 0.9
    return shares
