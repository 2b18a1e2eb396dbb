"""The law of the time until an attempt succeeds: its variance for any branches, its quantiles for exponential ones.

A Markov jump process: a branch is entered with its probability and held for its time; a success ends it, any other
branch jumps back to the start. Only the branches' means enter the mean, so that it holds for any durations; quantiles
need the exponential model, P(T > t) = start exp(Q t) 1 with Q the sub-generator over the branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.makespan import (
    ROUNDING,
    Confusion,
    check_resets,
    cost_per_success,
    duration,
    probability,
)


@dataclass(frozen=True)
class Branch:
    """One way for an attempt to end: with which ``probability``, after what ``mean`` time and then ``reset``.

    ``variance`` is that of the time without reset; left out it is an exponential's, mean squared.
    """

    probability: float
    mean: float
    reset: float = 0.0
    succeeded: bool = False
    variance: float | None = None

    def __post_init__(self) -> None:
        probability("Branch: probability", self.probability)
        for name in ("mean", "reset", "variance"):
            if (value := getattr(self, name)) is not None:
                duration(f"Branch: {name}", value)

    @property
    def total(self) -> float:
        return self.mean + self.reset

    @property
    def square(self) -> float:
        """The mean square of the whole time, the reset being constant."""
        return (self.mean**2 if self.variance is None else self.variance) + self.total**2


@dataclass(frozen=True)
class MakespanLaw:
    """The time to success over branches: its mean and variance for any durations, its law for exponential ones.

    >>> law = MakespanLaw.of(Confusion.from_rates(0.4, tnr=0.7, fnr=0.1), (20, 60, 9.826087), (5, 3))
    >>> round(law.mean, 6), round(law.survival(100.0), 6)
    (68.888889, 0.21286)
    """

    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", tuple(self.branches))
        if abs(sum(branch.probability for branch in self.branches) - 1.0) > ROUNDING:
            raise UsageError(f"{self.branches}: the branches' probabilities do not sum to 1")
        cost_per_success(0.0, min(self.chance, 1.0))

    @classmethod
    def of(cls, confusion: Confusion, means: Sequence[float], resets: Sequence[float] = (0.0, 0.0)) -> MakespanLaw:
        """Three branches: success, failure, and all that is preempted as one."""
        after_failure, after_preemption = check_resets(resets)
        success, failure, negative = means
        return cls(
            (
                Branch(min(confusion.succeeded, 1.0), success, succeeded=True),
                Branch(min(confusion.failed, 1.0), failure, after_failure),
                Branch(min(confusion.preempted, 1.0), negative, after_preemption),
            )
        )

    @property
    def chance(self) -> float:
        """P(an attempt ends in success)."""
        return sum(branch.probability for branch in self.branches if branch.succeeded)

    @property
    def mean(self) -> float:
        return cost_per_success(sum(b.probability * b.total for b in self.branches), min(self.chance, 1.0))

    @property
    def variance(self) -> float:
        """Var X_S + E[N] Var Y + Var N E[Y]^2: the last attempt, and a geometric number N of others that each take Y."""
        q = self.chance
        ends = [_moments([b for b in self.branches if b.succeeded is kind]) for kind in (True, False)]
        (_, last), (mean, other) = ends
        return last + (1 - q) / q * other + (1 - q) / q**2 * mean**2

    def survival(self, t: float) -> float:
        """P(T > t) where every branch's whole time, reset included, is exponential."""
        duration("t", t)
        generator, start = self._generator()
        return float(np.clip(_propagate(start, generator, t).sum(), 0.0, 1.0))

    def quantile(self, share: float) -> float:
        """The time by which ``share`` of the successes have come, in the exponential model, to ten digits."""
        if not 0.0 <= probability("share", share) < 1.0:
            raise UsageError(f"quantile({share!r}): expected a share below 1; the law has no end")
        low, high = 0.0, max(self.mean, 1e-300)
        while self.survival(high) > 1.0 - share:
            low, high = high, 2.0 * high
        while high - low > 1e-10 * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.survival(middle) > 1.0 - share else (low, middle)
        return high

    def _generator(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The sub-generator over the branches, and the probabilities in which they are entered."""
        used = [branch for branch in self.branches if branch.probability > 0]
        if any(branch.total <= 0 for branch in used):
            raise UsageError(f"{self.branches}: the exponential model needs every branch's mean above 0")
        start = np.array([branch.probability for branch in used])
        rates = 1.0 / np.array([branch.total for branch in used])
        again = np.array([not branch.succeeded for branch in used])
        return -np.diag(rates) + np.outer(rates * again, start), start


def _moments(branches: list[Branch]) -> tuple[float, float]:
    """Mean and variance of the whole time of a mixture of branches."""
    share = sum(branch.probability for branch in branches)
    if share <= 0:
        return 0.0, 0.0
    mean = sum(branch.probability * branch.total for branch in branches) / share
    return mean, sum(branch.probability * branch.square for branch in branches) / share - mean**2


def _propagate(start: npt.NDArray[np.float64], generator: npt.NDArray[np.float64], t: float) -> npt.NDArray[np.float64]:
    """start exp(generator t), by a series without cancellation on a short step that is then squared up."""
    rate = float(-np.diag(generator).min())
    halvings = max(0, int(np.ceil(np.log2(max(rate * t, 1.0)))))
    step = rate * t / 2.0**halvings  # at most 1
    jump = np.eye(len(start)) + generator / rate  # nowhere negative
    term = np.eye(len(start)) * np.exp(-step)
    total = term.copy()
    for order in range(1, 25):
        term = term @ jump * (step / order)
        total += term
    for _ in range(halvings):
        total = total @ total
    answer: npt.NDArray[np.float64] = start @ total
    return answer
