"""How far apart failures lie, from those that were seen, and the schedule of snapshots that follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor, inf

from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace
from dalsegno.policies.schedules import Schedule, above_0
from dalsegno.policies.young_daly import (
    ASSUMED_COST,
    LEAST_COST,
    check,
    checkpoint_interval,
    expected_completion,
)


@dataclass(frozen=True)
class Segments:
    """The work in ``count`` equal parts of ``interval``, a snapshot after each: ``expected`` time in all."""

    count: int
    interval: float
    expected: float


def best_segments(
    work: float, mtbf: float, cost: float, restart: float = 0.0, *, failures_in_restart: bool = True
) -> Segments:
    """The whole number of segments that takes least time: one of the two beside work / best interval.

    >>> best_segments(86400, 21600, 120, 300).count
    39
    """
    tau = checkpoint_interval(mtbf, cost)
    check(work=work)
    counts = {max(floor(work / tau), 1), max(ceil(work / tau), 1)}
    means = {
        count: expected_completion(work, work / count, mtbf, cost, restart, failures_in_restart=failures_in_restart)
        for count in sorted(counts)
    }
    best = min(means, key=means.__getitem__)
    return Segments(best, work / best, means[best])


@dataclass(frozen=True)
class FailureTimes:
    """The mean time between failures and an interval for it, from ``failures`` in ``time`` of running."""

    mean: float
    low: float
    high: float
    failures: int
    time: float


def mean_time_between_failures(
    times: Iterable[float], failed: Iterable[bool] | bool = True, *, confidence: float = 0.95
) -> FailureTimes:
    """How far apart failures lie, if they come at random (an exponential law), with an exact interval.

    ``times`` are running times; ``failed`` says of each whether a failure ended it, or of all. One that
    ended otherwise is censored: it counts as time without a failure. The interval is by the gamma law; with
    censored times it holds at least the confidence. Without a failure there is only a lower bound.

    >>> seen = mean_time_between_failures([10.0, 30.0, 20.0, 40.0], [True, True, True, False])
    >>> round(seen.mean, 3), round(seen.low, 3), round(seen.high, 3)
    (33.333, 11.406, 161.637)

    Raises :class:`UsageError` for no time at all, and for a time that is negative or not finite.
    """
    from scipy.special import gammaincinv

    if not 0 < confidence < 1:
        raise UsageError(f"confidence={confidence!r}: expected a share between 0 and 1")
    spans = [float(time) for time in times]
    ends = [failed] * len(spans) if isinstance(failed, bool) else [bool(one) for one in failed]
    if len(ends) != len(spans):
        raise UsageError(f"{len(spans)} times and {len(ends)} endings: expected one for each")
    if not all(0 <= span < inf for span in spans) or not sum(spans) > 0:
        raise UsageError("times: expected finite numbers of at least 0, and some time in all")
    total, count = sum(spans), sum(ends)
    if not count:
        return FailureTimes(inf, total / float(gammaincinv(1, confidence)), inf, 0, total)
    tail = (1.0 - confidence) / 2.0
    more = 0 if all(ends) else 1  # the time was given, not the number of failures
    low, high = total / float(gammaincinv(count + more, 1.0 - tail)), total / float(gammaincinv(count, tail))
    return FailureTimes(total / count, low, high, count, total)


@dataclass(frozen=True)
class LearnedYoungDaly(Schedule):
    """A snapshot after every best interval, from the cost of snapshots and the failures of this run so far.

    ``prior`` is a first guess of the mean time between failures, in seconds or as ``"24h"``; it counts as
    much as ``weight`` failures that lie so far apart. The failures are the run's failed attempts; what kills
    a program from outside leaves no attempt that has ended, so where jobs are killed say how often by
    ``prior`` and give it the weight of the kills that it is from.

    >>> LearnedYoungDaly("6h").mtbf(failures=2, seconds=10_800.0)
    10800.0
    """

    prior: float = "24h"  # type: ignore[assignment]
    weight: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "prior", above_0("LearnedYoungDaly", "prior", self.prior))
        check(weight=self.weight)

    def mtbf(self, failures: int, seconds: float) -> float:
        """The mean time between failures after so many in so many seconds of running."""
        return (self.weight * self.prior + seconds) / (self.weight + failures)

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]:
        failures = sum(one.state == "failed" for one in trace.attempts)
        cost = ASSUMED_COST if saved is None else max(saved, LEAST_COST)
        return inf, trace.attempt.seconds + checkpoint_interval(self.mtbf(failures, trace.seconds), cost)
