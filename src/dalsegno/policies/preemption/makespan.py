"""The expected time until an attempt succeeds, with and without preemption, in closed form.

After Watson and Correll, "Optimal decision making in robotic assembly and other trial-and-error tasks" (2023).
One definition serves for everything here, a renewal argument that holds for any law of the durations:

    makespan = E[duration of one attempt, its reset included] / P(it ends in success)

    P_TP .. P_NCF   how an attempt ends, six probabilities that sum to 1    -> Confusion
    MTS, MTF, MTN   mean time to success, to failure, to a negative call    -> Means
    R_F, R_N        cost of a reset after a failure, after a preemption     -> resets
    q_S, q_F, q_N   succeeded, failed, preempted                            -> Confusion.succeeded, failed, preempted

"Positive" means: predicted to succeed. NCS and NCF are attempts that ended by themselves before any call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from math import inf, isfinite
from typing import NamedTuple

from dalsegno.core.errors import UsageError

ROUNDING = 1e-6  # by how much six probabilities may miss 1: figures from tables have six digits


class Means(NamedTuple):
    """Mean durations from the attempt's start, without resets: until success, failure, a negative call."""

    success: float
    failure: float
    negative: float = 0.0


@dataclass(frozen=True)
class Confusion:
    """How one attempt ends under preemption.

    ``tp``, ``fp``: called a success, and it succeeds, fails. ``tn``, ``fn``: stopped, and it would have failed,
    would have succeeded. ``ncs``, ``ncf``: it succeeded, failed before any call was made.

    Raises :class:`UsageError` for a probability outside [0, 1], or six that do not sum to 1.

    >>> Confusion.from_rates(p=0.4, tnr=0.7, fnr=0.1)
    Confusion(tp=0.36, fp=0.18, tn=0.42, fn=0.04, ncs=0.0, ncf=0.0)
    """

    tp: float
    fp: float
    tn: float
    fn: float
    ncs: float = 0.0
    ncf: float = 0.0

    def __post_init__(self) -> None:
        for name, value in zip(self.__dataclass_fields__, astuple(self), strict=True):
            probability(f"P_{name.upper()}", value)
        if abs(sum(astuple(self)) - 1.0) > ROUNDING:
            raise UsageError(f"{self}: the six probabilities sum to {sum(astuple(self)):g}, expected 1")

    @classmethod
    def from_rates(cls, p: float, tnr: float, fnr: float) -> Confusion:
        """Every attempt is called: ``p`` = P(success), ``tnr`` = P(stop | would fail), ``fnr`` = P(stop | would succeed)."""
        for name, value in (("p", p), ("tnr", tnr), ("fnr", fnr)):
            probability(name, value)
        exact = (p * (1 - fnr), (1 - p) * (1 - tnr), (1 - p) * tnr, p * fnr)
        return cls(*(round(value, 15) for value in exact))

    @property
    def succeeded(self) -> float:
        return self.tp + self.ncs

    @property
    def failed(self) -> float:
        return self.fp + self.ncf

    @property
    def preempted(self) -> float:
        return self.tn + self.fn


def cost_per_success(duration: float, success: float) -> float:
    """E[total] of independent attempts repeated until one succeeds: ``duration`` of one, over its chance of success.

    Raises :class:`UsageError` for a chance of 0: no number of attempts would do.

    >>> cost_per_success(10.0, 0.25)
    40.0
    """
    if not probability("P(success)", success) > 0:
        raise UsageError("no attempt ends in success, so that the expected total is infinite: expected P(success) > 0")
    return duration / success


def expected_makespan(
    confusion: Confusion | Mapping[str, float], means: Sequence[float], resets: Sequence[float] = (0.0, 0.0)
) -> float:
    """Expected time to success where attempts that are called failures are stopped at once.

    ``means`` are (MTS, MTF, MTN), ``resets`` (R_F, R_N), all in one unit.

    Raises :class:`UsageError` for negative or NaN times, bad probabilities, and where none ends in success.

    >>> round(expected_makespan(Confusion.from_rates(0.4, tnr=0.7, fnr=0.1), (20, 60, 9.826087), (5, 3)), 6)
    68.888889
    """
    if not isinstance(confusion, Confusion):
        confusion = Confusion(**{name.lower(): value for name, value in confusion.items()})
    success, failure, negative = (duration(name, t) for name, t in zip(("MTS", "MTF", "MTN"), means, strict=True))
    after_failure, after_preemption = check_resets(resets)
    one = confusion.succeeded * success
    one += confusion.failed * (failure + after_failure) + confusion.preempted * (negative + after_preemption)
    return cost_per_success(one, confusion.succeeded)


def reactive_makespan(p: float, mts: float, mtf: float, reset: float = 0.0) -> float:
    """Expected time to success where every attempt runs to its own end.

    >>> reactive_makespan(0.4, mts=20, mtf=60, reset=5)
    117.5
    """
    return expected_makespan(Confusion(p, 1 - probability("p", p), 0.0, 0.0), (mts, mtf, 0.0), (reset, 0.0))


def breakeven_fnr(p: float, tnr: float, mtf: float, mtn: float) -> float:
    """The false-negative rate below which preemption saves time; 0 where none does.

    ``tnr`` = P(stop | would fail); ``mtf`` and ``mtn`` include their resets. MTS does not matter.

    >>> round(breakeven_fnr(0.4, tnr=0.7, mtf=65, mtn=13), 6)
    0.494118
    """
    probability("p", p), probability("tnr", tnr)
    f, n = duration("mtf", mtf), duration("mtn", mtn)
    lost = p * n + (1 - p) * f
    return max(0.0, (1 - p) * tnr * (f - n) / lost) if lost > 0 else 0.0


# -- arguments -------------------------------------------------------------------------------------------------


def probability(name: str, value: float) -> float:
    if isinstance(value, (bool, str)) or not 0.0 <= value <= 1.0:
        raise UsageError(f"{name}={value!r}: expected a probability from 0 to 1")
    return value


def duration(name: str, value: float) -> float:
    if isinstance(value, (bool, str)) or not 0.0 <= value < inf:
        raise UsageError(f"{name}={value!r}: expected a finite time of at least 0")
    return value


def check_resets(resets: Sequence[float]) -> tuple[float, float]:
    """(R_F, R_N), refused where they are no two finite times."""
    pair = tuple(resets) if isinstance(resets, Sequence) and not isinstance(resets, str) else ()
    if len(pair) != 2 or not all(isinstance(cost, (int, float)) and isfinite(cost) for cost in pair):
        raise UsageError(f"reset costs {resets!r}: expected two times, after a failure and after a preemption")
    return duration("reset cost after a failure", pair[0]), duration("reset cost after a preemption", pair[1])
