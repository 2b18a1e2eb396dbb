"""How often to try from one base state before it is built anew, and what chains of stages cost.

Building a base costs D and is good with probability g. A try from it costs d, succeeds with probability p
if the base is good and never if it is bad, which tries alone can tell. Building anew after r failures in a
row, a success takes in the mean

    E(r) = ( D + d ( g (1 - (1 - p)^r) / p + (1 - g) r ) ) / ( g (1 - (1 - p)^r) )

    D   cost of building a base           -> build
    d   cost of a try                     -> attempt
    g   a base is good                    -> good
    p   a try from a good base succeeds   -> success
    r   failures after which to build     -> failures
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, inf, log1p
from typing import Any

from dalsegno.core.actions import Change, Restart
from dalsegno.core.conditions.endings import failed
from dalsegno.core.errors import UsageError
from dalsegno.core.rules import Rule, roll_back
from dalsegno.policies.retries import whole

MOST = 2**62  # failures; a base that good is never worth building anew


@dataclass(frozen=True)
class Depth:
    """Build anew after so many failures in a row (infinite: never), at this expected cost of a success."""

    failures: float
    expected: float


def rebuilding_cost(failures: float, *, build: float, attempt: float, good: float, success: float) -> float:
    """E(r): what a success costs in the mean if the base is built anew after ``failures`` failures in a row.

    >>> round(rebuilding_cost(12, build=20, attempt=1, good=0.5, success=0.2), 3)
    60.837
    """
    check(build=build, attempt=attempt, good=good, success=success)
    if failures != inf:
        failures = whole("rebuilding_cost", "failures", failures, 1)
    elif good < 1:
        return inf  # a bad base is tried for ever
    found = good * (1.0 if success == 1.0 else -expm1(failures * log1p(-success)))
    wasted = (1.0 - good) * failures if good < 1 else 0.0
    return (build + attempt * (found / success + wasted)) / found


def still_good(failures: int, *, good: float, success: float) -> float:
    """How likely the base is a good one after so many failures.

    >>> round(still_good(11, good=0.5, success=0.2), 4)
    0.0791
    """
    check(good=good, success=success)
    failures = whole("still_good", "failures", failures)
    missed = good * (1.0 - success) ** failures
    return missed / (missed + 1.0 - good) if good < 1 else 1.0


def continuation_index(failures: int, worth: float, *, good: float, success: float) -> float:
    """What the next try is worth after so many failures; try again while it is at least what a try costs.

    ``worth`` is what a success costs in the mean, played well.

    >>> [round(continuation_index(f, 60.792543, good=0.5, success=0.2), 4) for f in (10, 11)]
    [1.1789, 0.9618]
    """
    return success * still_good(failures, good=good, success=success) * worth


def best_depth(*, build: float, attempt: float, good: float, success: float) -> Depth:
    """The number of failures after which to build anew, and the expected cost then.

    E(r) falls as long as the next try is worth its cost and rises from there on, so that bisection finds it.

    >>> best = best_depth(build=20, attempt=1, good=0.5, success=0.2)
    >>> best.failures, round(best.expected, 4)
    (11, 60.7925)
    """
    law = {"build": build, "attempt": attempt, "good": good, "success": success}
    check(**law)

    def another_pays(failures: int) -> bool:
        worth = rebuilding_cost(failures, **law)
        return attempt < continuation_index(failures, worth, good=good, success=success)

    if good == 1.0 and success < 1.0 and build > 0:
        return Depth(inf, rebuilding_cost(inf, **law))
    low, high = 0, 1  # another try pays after low failures and does not after high
    while another_pays(high):
        low, high = high, 2 * high
        if high > MOST:
            return Depth(inf, rebuilding_cost(low, **law))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if another_pays(middle) else (low, middle)
    return Depth(high, rebuilding_cost(high, **law))


def stage_chain(success: Sequence[float], cost: Sequence[float], back: int = 0) -> list[float]:
    """What it costs in the mean to finish from each stage on, if a failure sends back ``back`` stages.

    Stage j succeeds with ``success[j]`` and costs ``cost[j]``, done well or not; nothing sends back beyond
    the first. It solves (I - P) x = d; the first entry is the whole.

    >>> [round(stage_chain([0.9, 0.8, 0.7, 0.6], [1, 2, 3, 4], back)[0], 6) for back in (0, 1, 2, 3)]
    [14.563492, 19.68254, 22.328042, 23.068783]

    Raises :class:`UsageError` for a stage that cannot succeed, a negative cost, lists of other lengths.
    """
    import numpy

    back = whole("stage_chain", "back", back)
    p, d = numpy.asarray(success, dtype=float), numpy.asarray(cost, dtype=float)
    if p.ndim != 1 or p.shape != d.shape or not len(p):
        raise UsageError(f"stage_chain: {len(p)} chances and {len(d)} costs: expected one of each for every stage")
    if not ((p > 0) & (p <= 1)).all() or not ((d >= 0) & (d < inf)).all():
        raise UsageError("stage_chain: expected chances above 0, at most 1, and finite costs of at least 0")
    stages = numpy.arange(len(p))
    matrix = numpy.eye(len(p))
    numpy.add.at(matrix, (stages, numpy.maximum(stages - back, 0)), p - 1.0)
    numpy.add.at(matrix, (stages[:-1], stages[1:]), -p[:-1])
    return [float(x) for x in numpy.linalg.solve(matrix, d)]


def rebuild_after(failures: int, *, base: str, then: Change, name: str | None = None) -> Rule:
    """A rule that answers failures by going back to the snapshot ``base`` until there were ``failures`` of them.

    The next failure begins another attempt, which builds a base of its own; the loop names it once it is
    built (``attempt.snapshot(base)``). A failure before that begins another attempt too. ``then`` has to
    make the next try differ from the one before: the snapshot brings the random generators back as well.
    Take no other snapshots between base and failure (``checkpoint=ds.checkpoint.Never()``), and give the run
    a budget of attempts (``ds.stop(ds.when.spent(attempts=...))``): without one, three identical failures in
    a row end restarting.

    >>> print(rebuild_after(11, base="plan", then="draw_anew"))
    roll back when failed()
    """
    failures = whole("rebuild_after", "failures", failures, 1)
    if isinstance(base, str) and base in ("last", "best", "start", ""):
        raise UsageError(f"rebuild_after(base={base!r}): expected the name of a snapshot of your own")
    return roll_back(failed(), to=base, then=then, limit=failures - 1, escalate=Restart(), name=name)


def check(**given: Any) -> None:
    for name, value in given.items():
        chance, least = name in ("good", "success"), 0 if name == "build" else None
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not 0 <= value < inf:
            raise UsageError(f"{name}={value!r}: expected a finite number of at least 0")
        if (value == 0 and least is None) or (chance and value > 1):
            raise UsageError(f"{name}={value!r}: expected a number above 0{', at most 1' if chance else ''}")
