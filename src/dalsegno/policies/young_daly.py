"""How often to save: the interval that loses least time to snapshots and failures.

Young, "A first order approximation to the optimum checkpoint interval" (1974); Daly, "A higher order
estimate of the optimum checkpoint interval for restart dumps" (2006). With failures at random (exponential
with mean M), a snapshot that costs C, and tau of useful work between snapshots, work W takes in the mean

    E[T] = (W / tau) e^(R / M) M (e^((tau + C) / M) - 1)

if a restart costs R and can fail too. It is least at tau = M (1 + W0(-e^(-C / M - 1))), W0 Lambert's
function, whatever R is. Young's and Daly's are its expansions in sqrt(C / M).

    M   mean time between failures          -> mtbf
    C   cost of a snapshot                  -> cost
    R   cost of a restart                   -> restart
    W   useful work                         -> work
    tau useful work between two snapshots   -> interval
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, inf, log1p, sqrt
from typing import Any

from dalsegno.core.conditions.leaf import refuses
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace
from dalsegno.policies.schedules import Schedule, above_0

ASSUMED_COST = 1.0  # seconds, until a snapshot has been measured
LEAST_COST = 1e-4  # seconds; below it the clock measures itself


def young(mtbf: float, cost: float) -> float:
    """Young's interval, sqrt(2 C M): good while the cost is small beside the time between failures.

    >>> round(young(21600, 120), 3)
    2276.84
    """
    check(mtbf=mtbf, cost=cost)
    return sqrt(2.0 * cost * mtbf)


def daly(mtbf: float, cost: float) -> float:
    """Daly's interval, the next two terms; M where the cost is 2 M or more.

    >>> round(daly(21600, 120), 3)
    2197.543
    """
    check(mtbf=mtbf, cost=cost)
    if cost >= 2.0 * mtbf:
        return mtbf
    small = cost / (2.0 * mtbf)
    return sqrt(2.0 * cost * mtbf) * (1.0 + sqrt(small) / 3.0 + small / 9.0) - cost


def checkpoint_interval(mtbf: float, cost: float) -> float:
    """The exact best interval, in the unit of both arguments.

    Raises :class:`UsageError` unless both are finite and above 0.

    >>> round(checkpoint_interval(21600, 120), 3)
    2197.553
    """
    check(mtbf=mtbf, cost=cost)
    ratio = cost / mtbf
    root = sqrt(2.0 * ratio)
    if ratio < 1e-8:  # below it the equation cancels, and the expansion's next term is below rounding
        return mtbf * root * (1.0 - root / 3.0 + root * root / 36.0)
    if ratio > 25.0:  # the root is within rounding of 1, where the steps below would divide by 0
        return mtbf * -expm1(-ratio - 1.0)
    # y = tau / M solves -log(1 - y) - y = C / M. The left side is convex and rises: Newton's from any point
    # right of the root falls to it, and this one is right of it.
    place = -expm1(-ratio - root)
    while True:
        further = place + (log1p(-place) + place + ratio) * (1.0 - place) / place
        if not further < place:
            return mtbf * place
        place = further


def expected_completion(
    work: float,
    interval: float,
    mtbf: float,
    cost: float,
    restart: float = 0.0,
    *,
    failures_in_restart: bool = True,
) -> float:
    """The mean time that ``work`` takes with a snapshot after every ``interval`` of it, the last part's too.

    ``failures_in_restart=False`` is for restarts that cannot fail themselves. ``work / interval`` need not
    be whole; to compare real schedules, try the two whole numbers beside it.

    >>> round(expected_completion(20, 4, 10, 1, 2), 6)
    39.617497
    >>> round(expected_completion(20, 4, 10, 1, 2, failures_in_restart=False), 6)
    38.923276

    Raises :class:`UsageError` for an interval longer than the work, and for what is not finite and above 0.
    """
    check(work=work, interval=interval, mtbf=mtbf, cost=cost)
    if interval > work:
        raise UsageError(f"interval={interval!r} is longer than work={work!r}: expected at most all of it")
    if not 0 <= restart < inf:
        raise UsageError(f"restart={restart!r}: expected a finite number of at least 0")
    try:
        first = exp(restart / mtbf) * mtbf if failures_in_restart else mtbf + restart
        return work / interval * first * expm1((interval + cost) / mtbf)
    except OverflowError:
        return inf  # no segment is ever done


def check(**given: Any) -> None:
    for name, value in given.items():
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not 0 < value < inf:
            raise UsageError(f"{name}={value!r}: expected a finite number above 0")


@refuses
@dataclass(frozen=True)
class YoungDaly(Schedule):
    """A snapshot after every best interval of running time, from the measured cost of the snapshots before.

    ``mtbf`` is the mean time between failures, in seconds or as ``"6h"``: of one machine divided by the
    number of machines. With the default of 24 hours the time lost to snapshots and failures is at most a
    sixth more than the least, as long as the truth is between 8 and 72 hours. Until a snapshot has been
    measured it is taken to cost 1 second.

    >>> YoungDaly(mtbf="6h").mtbf
    21600.0
    """

    mtbf: float = "24h"  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mtbf", above_0("YoungDaly", "mtbf", self.mtbf))

    def interval(self, saved: float | None) -> float:
        """Seconds of work between two snapshots that cost ``saved`` seconds each."""
        return checkpoint_interval(self.mtbf, ASSUMED_COST if saved is None else max(saved, LEAST_COST))

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]:
        return inf, trace.attempt.seconds + self.interval(saved)
