"""Whether to restart, from a log of past attempts: yes, no, or too few data to say.

The cutoff is the best one that passes the guard; the log is resampled with that cutoff held fixed. With RM the
mean up to the longest time seen L, a lower bound of the mean without restarts, and E_t the mean with them,

    restart         in at least 97.5% of the resamples E_t is below 95% of RM
    don't restart   in at most 10% of them E_t is below 95% of E_L, and at most 20% of the runs last beyond L
    too few data    else, or with fewer than 10 solved runs

The limits were chosen so that about 4% of logs of runs without memory are told to restart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Literal

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.kaplan_meier import KaplanMeier
from dalsegno.policies.laws.law import Figures, check_overhead
from dalsegno.policies.optimal_cutoff import OptimalCutoff
from dalsegno.policies.resampled import resample
from dalsegno.policies.run_log import RunLog

Said = Literal["restart", "don't restart", "too few data"]

LEAST_SUCCESSES = 10
WORTH = 0.95
FOR = 0.975
AGAINST = 0.1
MOST_LEFT = 0.2
LEAST_RESAMPLES = 1000
LEAST_DEVIATIONS = 0.1


@dataclass(frozen=True)
class Verdict:
    """What a log says about restarts; times in the unit of the log.

    ``says`` is ``"restart"``, ``"don't restart"`` or ``"too few data"``, ``reason`` why. ``cutoff`` is the best
    that passes the guard (None under 5 solved runs, or where none passes), ``expected`` E_t at it and
    ``at_longest`` E_L. ``lower_mean`` is RM, ``longest`` L, ``beyond`` the part of runs that lasts longer.
    ``share_for`` and ``share_against`` are of the resamples: E_t < .95 RM and E_t < .95 E_L. The intervals hold
    95% of the resamples: of E_t and of the part of RM that restarts save. ``needed`` is about how many more
    solved runs would settle it (None where it is settled, or more runs as these would not settle it).
    """

    says: Said
    reason: str
    unit: str
    runs: int
    successes: int
    overhead: float
    lower_mean: float
    longest: float
    beyond: float
    cutoff: OptimalCutoff | None = None
    expected: float | None = None
    at_longest: float | None = None
    share_for: float | None = None
    share_against: float | None = None
    expected_interval: tuple[float, float] | None = None
    saving: float | None = None
    saving_interval: tuple[float, float] | None = None
    needed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        if self.says == "restart" and self.cutoff is not None:
            return f"restart at {self.cutoff.t:g} {self.unit}: {self.reason}"
        if self.says == "too few data":
            more = f"; about {self.needed} more solved runs would settle it" if self.needed else ""
            return f"too few data to say: {self.reason}{more}"
        return f"{self.says}: {self.reason}"


def verdict(log: RunLog, *, overhead: float = 0.0, resamples: int = LEAST_RESAMPLES, seed: int = 0) -> Verdict:
    """Whether restarting would save time, by the log.

    ``overhead`` is what each restart costs, in the unit of the log; ``resamples`` is at least 1000. The same
    seed gives the same verdict.

    >>> rng = np.random.default_rng(0)
    >>> log = RunLog(times=rng.lognormal(0.0, 2.5, 200), solved=np.ones(200, bool))
    >>> verdict(log).says
    'restart'

    Raises :class:`UsageError` for a log in which nothing was solved, and for fewer resamples.
    """
    overhead = check_overhead(overhead)
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < LEAST_RESAMPLES:
        raise UsageError(f"resamples={resamples!r}: expected a whole number of at least {LEAST_RESAMPLES}")
    law = KaplanMeier(log)
    cutoff = law.guarded_cutoff(overhead=overhead)
    beyond = float(law.survivals[-1])
    facts: dict[str, Any] = {
        "unit": log.unit,
        "runs": law.runs,
        "successes": law.successes,
        "overhead": overhead,
        "lower_mean": law.lower_mean,
        "longest": law.longest,
        "beyond": beyond,
    }
    if cutoff is None:
        why = f"{law.successes} of {law.runs} runs were solved, too few for any cutoff"
        return Verdict("too few data", why, needed=max(LEAST_SUCCESSES - law.successes, 1), **facts)
    drawn = resample(log, cutoff.t, overhead, resamples, seed)
    share_for = float(np.mean(drawn.at_cutoff < WORTH * drawn.lower_mean))
    share_against = float(np.mean(drawn.at_cutoff < WORTH * drawn.at_longest))
    at_longest = float(law.expected(law.longest, overhead))
    facts |= {
        "cutoff": cutoff,
        "expected": cutoff.expected,
        "at_longest": at_longest,
        "share_for": share_for,
        "share_against": share_against,
        "expected_interval": interval(drawn.at_cutoff),
        "saving": 1.0 - cutoff.expected / law.lower_mean,
        "saving_interval": interval(1.0 - drawn.at_cutoff / drawn.lower_mean),
    }
    if law.successes < LEAST_SUCCESSES:
        why = f"{law.successes} of {law.runs} runs were solved, and {LEAST_SUCCESSES} are the least to judge by"
        return Verdict("too few data", why, needed=LEAST_SUCCESSES - law.successes, **facts)
    if share_for >= FOR:
        return Verdict("restart", in_favour(facts), **facts)
    if share_against <= AGAINST and beyond <= MOST_LEFT:
        why = f"no cutoff saves 5% or more in {100 * (1 - share_against):.0f}% of the resamples"
        return Verdict("don't restart", why, **facts)
    return undecided(facts, resamples)


def in_favour(facts: dict[str, Any]) -> str:
    low, high = facts["saving_interval"]
    bound = "at least " if facts["beyond"] > 0.0 else ""
    return (
        f"the mean falls from {bound}{facts['lower_mean']:.4g} to {facts['expected']:.4g} {facts['unit']}, "
        f"{100 * facts['saving']:.0f}% less ({100 * low:.0f} to {100 * high:.0f}%)"
    )


def undecided(facts: dict[str, Any], resamples: int) -> Verdict:
    """Neither: said with how many more solved runs would settle it."""
    share = f"5% or more in {100 * facts['share_for']:.0f}% of the resamples"
    if facts["saving"] > 0.0:
        saves = f"seems to save {100 * facts['saving']:.0f}%, but {share} only"
    else:
        saves = f"saves nothing that can be seen ({share})"
    unclear = f"restarting at {facts['cutoff'].t:.4g} {saves}"
    more = further(facts["share_for"], FOR, facts["successes"], resamples)
    if more is None and facts["beyond"] <= MOST_LEFT:
        more = further(1.0 - facts["share_against"], 1.0 - AGAINST, facts["successes"], resamples)
    elif more is None:
        unclear += (
            f"; {100 * facts['beyond']:.0f}% of the runs lasted beyond the longest time seen: let some of them go on"
        )
    return Verdict("too few data", unclear, needed=more, **facts)


def further(share: float, wanted: float, successes: int, resamples: int) -> int | None:
    """How many more solved runs until a share is as wanted, if it is that of a normal law whose spread shrinks as 1 / sqrt(n).

    None where the share is below a half, or so little above it that the number would mean nothing.
    """
    from statistics import NormalDist

    deviations = NormalDist().inv_cdf(min(max(share, 1.0 / resamples), 1.0 - 1.0 / resamples))
    if deviations < LEAST_DEVIATIONS:
        return None
    return max(ceil(successes * ((NormalDist().inv_cdf(wanted) / deviations) ** 2 - 1.0)), 1)


def interval(values: Figures) -> tuple[float, float]:
    """The middle 95%; an end may be infinite."""
    low, high = np.quantile(values, (0.025, 0.975), method="nearest")
    return float(low), float(high)
