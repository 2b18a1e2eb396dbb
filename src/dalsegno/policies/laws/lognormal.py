"""Mixture of lognormals: the logarithm of the time is normal in each component."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dalsegno.policies.laws.law import Figures
from dalsegno.policies.laws.mixture import Mixture, Sample

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


class LognormalMixture(Mixture):
    """``weights``, ``mus`` and ``sigmas`` of k lognormal components, shape (k,); one number each for a single one.

    >>> law = LognormalMixture(1.0, 0.0, 2.0)
    >>> best = law.optimal_cutoff()
    >>> round(best.t, 7), round(best.expected, 6), round(law.mean, 6)
    (0.0511967, 0.721127, 7.389056)

    ``LognormalMixture.fit(log)`` fits one to a log; it then has ``log_likelihood`` and ``bic``.
    """

    spread_name: ClassVar[str] = "sigmas"

    def __init__(self, weights: npt.ArrayLike, mus: npt.ArrayLike, sigmas: npt.ArrayLike) -> None:
        super().__init__(weights, mus, sigmas)

    @property
    def mus(self) -> Figures:
        return self._centres

    @property
    def sigmas(self) -> Figures:
        return self._spreads

    @property
    def mean(self) -> float:
        with np.errstate(over="ignore"):
            return float(self.weights @ np.exp(self.mus + 0.5 * self.sigmas**2))

    def places(self) -> Figures:
        return np.unique(np.exp(self.mus + self.sigmas * np.linspace(-12.0, 12.0, 1201)[:, None]))

    def __repr__(self) -> str:
        return f"LognormalMixture({self.weights.tolist()}, {self.mus.tolist()}, {self.sigmas.tolist()})"

    def _standard(self, t: Figures) -> Figures:
        with np.errstate(divide="ignore"):
            return np.asarray((np.log(t)[:, None] - self.mus) / self.sigmas)

    def _cumulative(self, t: Figures) -> Figures:
        from scipy.special import ndtr

        return np.asarray(ndtr(self._standard(t)) @ self.weights)

    def _density(self, t: Figures) -> Figures:
        place = self._standard(t)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.exp(-0.5 * place**2 - HALF_LOG_2PI) / (self.sigmas * t[:, None])
        return np.where(t > 0.0, each @ self.weights, 0.0)

    def _integral(self, t: Figures) -> Figures:
        from scipy.special import ndtr

        means = self.weights * np.exp(self.mus + 0.5 * self.sigmas**2)
        return np.asarray(t * self._survival(t) + ndtr(self._standard(t) - self.sigmas) @ means)

    def _draw(self, which: npt.NDArray[Any], generator: np.random.Generator) -> Figures:
        return np.asarray(generator.lognormal(self.mus[which], self.sigmas[which]))

    # -- fitting ----

    @classmethod
    def _begin(cls, sample: Sample, shares: Figures) -> tuple[Figures, Figures]:
        parts = shares / shares.sum(axis=0)
        centres = sample.logs @ parts
        spreads = np.sqrt(np.sum(parts * (sample.logs[:, None] - centres) ** 2, axis=0))
        return centres, np.maximum(spreads, sample.least_spread)

    @classmethod
    def _maximise(cls, sample: Sample, shares: Figures, centres: Figures, spreads: Figures) -> tuple[Figures, Figures]:
        """The moments, with those of the normal law above the cut in place of what a cut hides."""
        from scipy.special import log_ndtr

        place = (sample.logs[sample.events :, None] - centres) / spreads
        ratio = np.exp(-0.5 * place**2 - HALF_LOG_2PI - log_ndtr(-place))  # density over survival
        first = np.repeat(sample.logs[:, None], len(centres), axis=1)
        first[sample.events :] = centres + spreads * ratio
        parts = shares / shares.sum(axis=0)
        found = np.sum(parts * first, axis=0)
        second = np.sum(parts * (first - found) ** 2, axis=0)
        hidden = spreads**2 * np.maximum(1.0 + ratio * (place - ratio), 0.0)
        second += np.sum(parts[sample.events :] * hidden, axis=0)
        return found, np.maximum(np.sqrt(second), sample.least_spread)

    @classmethod
    def _log_parts(cls, logs: Figures, events: int, centres: Figures, spreads: Figures) -> Figures:
        from scipy.special import log_ndtr

        place = (logs[:, None] - centres) / spreads
        found = np.empty_like(place)
        found[:events] = -0.5 * place[:events] ** 2 - HALF_LOG_2PI - np.log(spreads) - logs[:events, None]
        found[events:] = log_ndtr(-place[events:])
        return found
