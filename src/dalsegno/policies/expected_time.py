"""The exact mean total time of a schedule of restarts, for any law of run times.

With cutoffs c_1, c_2, ... and independent runs,

    E = sum over i of [product over j < i of S(c_j)] (I(c_i) + R S(c_i))

where S is the survival, I its integral from 0 and R what each restart costs. The sum goes on until next to
nothing survives. Luby's schedule repeats itself, so that 2^k - 1 of its terms take k steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite, isinf
from typing import Any

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.policies.cutoff import Cutoff
from dalsegno.policies.fixed import FixedCutoff
from dalsegno.policies.geometric import Geometric
from dalsegno.policies.laws.given import as_law
from dalsegno.policies.laws.law import Figures, Law, check_overhead
from dalsegno.policies.luby import Luby

SURVIVING = 1e-12
BLOCK = 1024
MOST_TERMS = 1 << 23
LUBY_STEPS = 1000


def expected_time(
    schedule: Cutoff | float | Sequence[float] | Callable[[int], float], law: Any, overhead: float = 0.0
) -> float:
    """The mean total time until a run is solved, in the unit of the law.

    ``schedule`` is a policy (:class:`Luby`, :class:`Geometric`, :class:`FixedCutoff` or any with
    ``cutoff(k)``), one cutoff for all, a list whose last cutoff is repeated for ever, or a function of the
    attempt's number, from 1. ``law`` is anything that :func:`as_law` takes. ``overhead`` is paid after each
    failed attempt.

    >>> from dalsegno.policies.laws import Discrete, LognormalMixture
    >>> round(expected_time(Luby(0.05, of="seconds"), LognormalMixture(1, 0, 2)), 6)
    0.780795
    >>> round(expected_time(10, Discrete([10, 1000], [0.1, 0.9])), 6)
    100.0

    Raises :class:`UsageError` where the mean is infinite, with the reason: a geometric schedule whose factor
    is at least 1 over the probability of never being solved, cutoffs at which no run is solved, an attempt
    that is not cut though some runs are never solved.
    """
    known = as_law(law)
    overhead = check_overhead(overhead)
    if isinstance(schedule, FixedCutoff):
        schedule = schedule.after
    if isinstance(schedule, (int, float)) and not isinstance(schedule, bool):
        return of_fixed(known, cutoffs_checked([schedule], 1)[0], overhead)
    if isinstance(schedule, Luby):
        return of_luby(known, schedule.unit, overhead)
    if isinstance(schedule, Geometric):
        refuse_fast_growth(schedule.factor, known.never)
    return of_terms(known, blocks(schedule), overhead)


def of_fixed(law: Law, cutoff: float, overhead: float) -> float:
    total = float(law.expected(cutoff, overhead))
    if isinf(total):
        raise UsageError(infinite(law, cutoff))
    return total


def infinite(law: Law, cutoff: float) -> str:
    if float(law.cumulative(cutoff)) <= 0.0:
        return f"the mean is infinite: no run is solved by {cutoff:g}, the longest cutoff that is used for ever"
    if law.never > 0.0:
        return f"the mean is infinite: a part of {law.never:g} of the runs is never solved, and they are not cut"
    return "the mean is infinite: so is that of the law, and runs are not cut"


def of_luby(law: Law, unit: float, overhead: float) -> float:
    """Block k, the first 2^k - 1 terms, is block k - 1 twice and then the term 2^(k-1)."""
    total, alive = 0.0, 1.0  # of the empty block
    cutoff = unit
    for _ in range(LUBY_STEPS):
        survival = float(law.survival(cutoff))
        term = float(law.restricted_mean(cutoff)) + overhead * survival
        further = total + alive * (total + alive * term)
        done = alive * alive <= SURVIVING and further - total <= SURVIVING * further
        total, alive = further, alive * alive * survival
        if done:
            return total
        if not isfinite(total) or not isfinite(2.0 * cutoff):
            break
        cutoff *= 2.0
    raise UsageError("the mean is infinite: no run is solved however long it goes on")


def refuse_fast_growth(factor: float, never: float) -> None:
    if factor * never >= 1.0 - SURVIVING:
        raise UsageError(
            f"the mean is infinite: runs are never solved with probability {never:g}, so the factor must be below "
            f"{1.0 / never:g}, and is {factor:g}"
        )


def of_terms(law: Law, cutoffs: Iterator[tuple[Figures, bool]], overhead: float) -> float:
    total, alive, terms = 0.0, 1.0, 0
    for block, is_last in cutoffs:
        distinct, place = np.unique(block, return_inverse=True)
        survival = law.survival(distinct)
        each = (law.restricted_mean(distinct) + overhead * survival)[place]
        before = alive * np.concatenate([[1.0], np.cumprod(survival[place])])
        with np.errstate(invalid="ignore"):
            added = np.where(before[:-1] > 0.0, before[:-1] * each, 0.0)
        total += float(added.sum())
        alive = float(before[-1])
        terms += len(block)
        if not isfinite(total):
            raise UsageError(infinite(law, float(block[-1])))
        if alive <= SURVIVING and added[-1] <= SURVIVING * total:
            return total
        if is_last:
            return total + alive * of_fixed(law, float(block[-1]), overhead)
        if terms >= MOST_TERMS:
            break
    raise UsageError(
        f"after {terms} attempts a part of {alive:g} is still unsolved: the cutoffs are too short for this law, or the "
        "mean is infinite"
    )


def blocks(schedule: Any) -> Iterator[tuple[Figures, bool]]:
    """Cutoffs in blocks, each with whether its last cutoff goes on for ever."""
    function = schedule.cutoff if hasattr(schedule, "cutoff") else schedule
    if not callable(function):
        if isinstance(schedule, (str, bytes)) or not hasattr(schedule, "__iter__"):
            raise UsageError(f"schedule={schedule!r}: expected a policy, a cutoff, a list or a function of the number")
        yield cutoffs_checked(list(schedule), 1), True
        return
    first = 1
    while True:
        yield cutoffs_checked([function(i) for i in range(first, first + BLOCK)], first), False
        first += BLOCK


def cutoffs_checked(given: list[Any], first: int) -> Figures:
    try:
        found = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"cutoffs {given!r}: expected numbers above 0") from None
    if found.ndim != 1 or not len(found):
        raise UsageError(f"cutoffs {given!r}: expected a list of at least one number above 0")
    wrong = ~(found > 0.0)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise UsageError(f"cutoff {first + place} is {given[place]!r}: expected a number above 0")
    return found
