"""The same cutoff for every attempt: the best schedule there is, if the law of the run time is known."""

from __future__ import annotations

from dataclasses import dataclass

from dalsegno.core.conditions.leaf import refuses
from dalsegno.policies.cutoff import Cutoff


@refuses
@dataclass(frozen=True)
class FixedCutoff(Cutoff):
    """Restart every attempt once it has used ``after`` of steps, seconds or a unit of cost.

    >>> FixedCutoff(500, of="evaluations").cutoff(7)
    500.0
    """

    after: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "after", self.amount("after", self.after))

    def cutoff(self, k: int) -> float:
        return self.after
