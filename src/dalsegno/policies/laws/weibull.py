"""Mixture of Weibull laws: in each component the survival is exp(-(t / scale) ^ shape)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.law import Figures
from dalsegno.policies.laws.mixture import Mixture, Sample

SPREAD = float(np.pi / np.sqrt(6.0))  # of the log time where the shape is 1
NEWTON_STEPS = 50


class WeibullMixture(Mixture):
    """``weights``, ``scales`` and ``shapes`` of k Weibull components, shape (k,); one number each for a single one.

    A shape below 1 is a decreasing hazard, 1 the exponential law, above 1 an increasing hazard.

    >>> WeibullMixture(1.0, 1.0, 2.0).optimal_cutoff().pays
    False
    >>> best = WeibullMixture(1.0, 1.0, 0.5).optimal_cutoff()
    >>> best.t, best.attained
    (0.0, False)

    ``WeibullMixture.fit(log)`` fits one to a log; it then has ``log_likelihood`` and ``bic``.
    """

    spread_name: ClassVar[str] = "shapes"

    def __init__(self, weights: npt.ArrayLike, scales: npt.ArrayLike, shapes: npt.ArrayLike) -> None:
        super().__init__(weights, scales, shapes)
        if not (self._centres > 0.0).all():
            raise UsageError(f"WeibullMixture(scales={scales!r}): expected numbers above 0")

    @property
    def scales(self) -> Figures:
        return self._centres

    @property
    def shapes(self) -> Figures:
        return self._spreads

    @property
    def mean(self) -> float:
        from scipy.special import gamma

        return float(self.weights @ (self.scales * gamma(1.0 + 1.0 / self.shapes)))

    def places(self) -> Figures:
        # Hazards from 1e-12 to 40: below, the first part of a run, above, what next to none comes to.
        found = self.scales * np.exp(np.linspace(np.log(1e-12), np.log(40.0), 1201)[:, None] / self.shapes)
        return np.unique(found[(found > 0.0) & np.isfinite(found)])

    def __repr__(self) -> str:
        return f"WeibullMixture({self.weights.tolist()}, {self.scales.tolist()}, {self.shapes.tolist()})"

    def _cumulated_hazard(self, t: Figures) -> Figures:
        with np.errstate(over="ignore"):
            return np.asarray((t[:, None] / self.scales) ** self.shapes)

    def _cumulative(self, t: Figures) -> Figures:
        return np.asarray(-np.expm1(-self._cumulated_hazard(t)) @ self.weights)

    def _density(self, t: Figures) -> Figures:
        each = self._cumulated_hazard(t)
        with np.errstate(divide="ignore", invalid="ignore"):
            powers = np.where(self.shapes == 1.0, 1.0, (t[:, None] / self.scales) ** (self.shapes - 1.0))
        return np.asarray((self.shapes / self.scales * powers * np.exp(-each)) @ self.weights)

    def _integral(self, t: Figures) -> Figures:
        from scipy.special import gamma, gammainc

        means = self.weights * self.scales * gamma(1.0 + 1.0 / self.shapes)
        return np.asarray(gammainc(1.0 / self.shapes, self._cumulated_hazard(t)) @ means)

    def _inner_centres(self) -> Figures:
        return np.log(self.scales)

    def _draw(self, which: npt.NDArray[Any], generator: np.random.Generator) -> Figures:
        return np.asarray(self.scales[which] * generator.weibull(self.shapes[which]))

    # -- fitting: centres are log scales ----

    @classmethod
    def _told(cls, centres: Figures) -> Figures:
        return np.exp(centres)

    @classmethod
    def _begin(cls, sample: Sample, shares: Figures) -> tuple[Figures, Figures]:
        parts = shares / shares.sum(axis=0)
        centres = sample.logs @ parts
        spreads = np.sqrt(np.sum(parts * (sample.logs[:, None] - centres) ** 2, axis=0))
        return centres, SPREAD / np.maximum(spreads, sample.least_spread)

    @classmethod
    def _maximise(cls, sample: Sample, shares: Figures, centres: Figures, spreads: Figures) -> tuple[Figures, Figures]:
        """The likelihood's maximum: Newton's on the shape, whose equation is monotone, then the scale from it.

        With d the solved share, 1 / shape = sum(w t^shape log t) / sum(w t^shape) - sum(d log t) / sum(d).
        """
        logs = sample.logs[:, None] - sample.logs.max()  # powers of times of at most 1
        events = shares[: sample.events].sum(axis=0)
        mean_log = np.sum(shares[: sample.events] * logs[: sample.events], axis=0) / events
        most = SPREAD / sample.least_spread
        shape = np.minimum(spreads, most)
        for _ in range(NEWTON_STEPS):
            powers = shares * np.exp(shape * logs)
            total = powers.sum(axis=0)
            slope = np.sum(powers * logs, axis=0) / total
            curve = np.sum(powers * logs**2, axis=0) / total - slope**2
            off = slope - mean_log - 1.0 / shape  # rises with the shape
            step = off / (curve + 1.0 / shape**2)
            further = np.clip(shape - step, 0.5 * shape, np.minimum(2.0 * shape, most))
            if np.all(np.abs(further - shape) < 1e-12 * shape):
                break
            shape = further
        total = np.sum(shares * np.exp(shape * logs), axis=0)
        return sample.logs.max() + np.log(total / events) / shape, shape

    @classmethod
    def _log_parts(cls, logs: Figures, events: int, centres: Figures, spreads: Figures) -> Figures:
        place = spreads * (logs[:, None] - centres)
        with np.errstate(over="ignore"):
            found = -np.exp(place)
        found[:events] += np.log(spreads) + place[:events] - logs[:events, None]
        return found
