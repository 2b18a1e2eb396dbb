"""Luby's universal restart schedule: 1 1 2 1 1 2 4 1 1 2 1 1 2 4 8 ..., times a unit.

Luby, Sinclair and Zuckerman, "Optimal speedup of Las Vegas algorithms" (1993): for discrete time its
expected total is at most 192 l (log2 l + 5), with l that of the best cutoff for the law, which need not be
known; no schedule that knows nothing does better than order l log l. In continuous time the guarantee fails
(Lorenz 2021): the unit is a real choice, of the order of the least time in which an attempt can succeed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dalsegno.core.conditions.leaf import refuses
from dalsegno.core.errors import UsageError
from dalsegno.policies.cutoff import Cutoff


def luby(i: int) -> int:
    """The i-th term of the sequence, i from 1, in O(log i).

    >>> [luby(i) for i in range(1, 16)]
    [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]

    Raises :class:`UsageError` for an index below 1.
    """
    if isinstance(i, bool) or not isinstance(i, int) or i < 1:
        raise UsageError(f"luby({i!r}): expected a whole number of at least 1")
    while True:
        power = 1 << (i.bit_length() - 1)  # 2^(k-1) <= i < 2^k
        if i == 2 * power - 1:
            return power
        i -= power - 1


term = lru_cache(maxsize=4096)(luby)  # a policy asks for the same term at every step of an attempt


@refuses
@dataclass(frozen=True)
class Luby(Cutoff):
    """Restart the k-th attempt once it has used ``luby(k) * unit`` of steps, seconds or a unit of cost.

    ``unit`` is the shortest cutoff (of seconds also ``"10m"``); too small a unit pays for many restarts,
    too large a one waits in the tail.

    >>> policy = Luby(unit=100)
    >>> [policy.cutoff(k) for k in (1, 2, 3, 7)]
    [100.0, 100.0, 200.0, 400.0]
    """

    unit: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "unit", self.amount("unit", self.unit))

    def cutoff(self, k: int) -> float:
        return term(k) * self.unit
