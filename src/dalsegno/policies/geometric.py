"""Cutoffs that grow by a factor: unit, unit * factor, unit * factor^2, ..."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from dalsegno.core.conditions.leaf import refuses
from dalsegno.core.errors import UsageError
from dalsegno.policies.cutoff import Cutoff

ROUNDING = 1e-12


@refuses
@dataclass(frozen=True)
class Geometric(Cutoff):
    """Restart the k-th attempt once it has used ``unit * factor ** (k - 1)`` of steps, seconds or a cost.

    ``success`` is the probability with which an attempt that is never cut succeeds (default 1). If it is
    below 1, the expected total is infinite for every factor of at least 1 / (1 - success): such a factor is
    refused.

    >>> [round(Geometric(10).cutoff(k), 2) for k in (1, 2, 3)]
    [10.0, 11.0, 12.1]

    Raises :class:`UsageError` for a factor below 1, or one that is too large for ``success``.
    """

    unit: float
    factor: float = field(default=1.1, kw_only=True)
    success: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "unit", self.amount("unit", self.unit))
        if not 1.0 <= self.factor < inf:
            raise UsageError(f"Geometric(factor={self.factor!r}): expected a finite factor of at least 1")
        if not 0.0 < self.success <= 1.0:
            raise UsageError(f"Geometric(success={self.success!r}): expected a probability above 0, at most 1")
        if self.factor * (1.0 - self.success) >= 1.0 - ROUNDING:
            raise UsageError(
                f"Geometric(factor={self.factor!r}, success={self.success!r}): the expected total is "
                f"infinite; expected a factor below 1 / (1 - success) = {1.0 / (1.0 - self.success):g}"
            )

    def cutoff(self, k: int) -> float:
        try:
            return self.unit * self.factor ** (k - 1)
        except OverflowError:
            return inf
