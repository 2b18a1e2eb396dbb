"""Whether to restart: the worked logs, too few data, and how often the verdict is right."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dalsegno.core.errors import UsageError
from dalsegno.policies import resampled
from dalsegno.policies.resampled import resample
from dalsegno.policies.run_log import RunLog
from dalsegno.policies.verdict import verdict

MANY = 20_000  # resamples: the standard error of a share is at most .0035


def quantiles(law: Any, limit: float = inf) -> RunLog:
    """50 runs at the law's quantiles (i - .5) / 50, cut at a limit."""
    times = law.ppf((np.arange(1, 51) - 0.5) / 50)
    return RunLog(times=np.minimum(times, limit), solved=times <= limit)


LOGNORMAL, WEIBULL, EXPONENTIAL = stats.lognorm(2), stats.weibull_min(2), stats.expon()


def test_a_heavy_tail_is_restarted() -> None:
    said = verdict(quantiles(LOGNORMAL), resamples=MANY)
    assert said.cutoff is not None
    assert (said.cutoff.t, said.expected, said.lower_mean) == pytest.approx((0.068460, 0.654290, 5.912405), abs=1e-6)
    assert said.share_for == pytest.approx(0.992, abs=0.01)
    assert said.says == "restart"


def test_a_heavy_tail_cut_early_says_too_little() -> None:
    said = verdict(quantiles(LOGNORMAL, 3.0), resamples=MANY)
    assert said.lower_mean == pytest.approx(1.417166, abs=1e-6)
    assert said.share_for == pytest.approx(0.888, abs=0.01)
    assert said.says == "too few data"


@pytest.mark.parametrize("limit", [inf, 1.5])
def test_an_increasing_hazard_is_not_restarted(limit: float) -> None:
    said = verdict(quantiles(WEIBULL, limit))
    assert (said.share_for, said.share_against, said.says) == (0.0, 0.0, "don't restart")


def test_an_increasing_hazard_cut_too_early_says_too_little() -> None:
    said = verdict(quantiles(WEIBULL, 0.9))
    assert (said.beyond, said.says) == (pytest.approx(0.44), "too few data")
    assert "let some of them go on" in said.reason


def test_runs_without_memory_say_too_little() -> None:
    said = verdict(quantiles(EXPONENTIAL), resamples=MANY)
    assert said.share_for == pytest.approx(0.503, abs=0.01)
    assert said.says == "too few data"


@pytest.mark.parametrize("successes", [1, 4])
def test_under_5_successes_no_cutoff_is_named(successes: int) -> None:
    said = verdict(RunLog(times=range(1, 21), solved=[i < successes for i in range(20)]))
    assert (said.says, said.cutoff, said.share_for, said.needed) == ("too few data", None, None, 10 - successes)


@pytest.mark.parametrize("successes", [5, 9])
def test_from_5_to_9_successes_figures_are_given_and_no_verdict(successes: int) -> None:
    times = np.concatenate([np.full(successes, 1.0), np.full(40, 1000.0)])
    said = verdict(RunLog(times=times, solved=np.arange(len(times)) < successes))
    assert said.cutoff is not None and said.cutoff.t == 1.0
    assert (said.says, said.needed) == ("too few data", 10 - successes)


def test_with_10_successes_the_same_log_is_told_to_restart() -> None:
    times = np.concatenate([np.full(10, 1.0), np.full(40, 1000.0)])
    assert verdict(RunLog(times=times, solved=np.arange(50) < 10)).says == "restart"


def test_a_log_without_success_is_refused() -> None:
    with pytest.raises(UsageError, match="0 of 4"):
        verdict(RunLog(times=[1, 2, 3, 4], solved=[0] * 4))


def test_the_same_seed_gives_the_same_verdict() -> None:
    log = quantiles(EXPONENTIAL)
    assert verdict(log, seed=3) == verdict(log, seed=3) != verdict(log, seed=4)


def test_with_as_many_more_as_are_needed_the_share_is_reached() -> None:
    log = quantiles(LOGNORMAL, 3.0)
    said = verdict(log, resamples=MANY)
    assert said.needed is not None and said.cutoff is not None
    assert 2 * said.successes < said.successes + said.needed < 3 * said.successes
    shares = []
    for times in (2, 3):
        larger = RunLog(times=np.tile(log.times, times), solved=np.tile(log.solved, times))
        drawn = resample(larger, said.cutoff.t, 0.0, MANY, 0)
        shares.append(float(np.mean(drawn.at_cutoff < 0.95 * drawn.lower_mean)))
    assert shares[0] < 0.975 < shares[1]


def test_an_overhead_takes_from_the_saving() -> None:
    log = quantiles(LOGNORMAL)
    free, dear = verdict(log), verdict(log, overhead=3.0)
    assert dear.saving is not None and free.saving is not None and dear.saving < free.saving


@pytest.mark.parametrize("resamples", [999, 0, 1000.0, True])
def test_fewer_resamples_than_1000_are_refused(resamples: Any) -> None:
    with pytest.raises(UsageError, match="1000"):
        verdict(quantiles(EXPONENTIAL), resamples=resamples)


def test_the_figures_are_plain_values() -> None:
    told = json.loads(json.dumps(verdict(quantiles(LOGNORMAL)).to_dict()))
    assert told["cutoff"]["t"] == pytest.approx(0.068460, abs=1e-6)


def test_intervals_hold_the_estimates() -> None:
    said = verdict(quantiles(LOGNORMAL))
    assert said.expected_interval is not None and said.saving_interval is not None
    assert said.expected_interval[0] < (said.expected or 0) < said.expected_interval[1]
    assert said.saving_interval[0] < (said.saving or 0) < said.saving_interval[1]


@pytest.mark.parametrize(
    ("law", "word", "least", "most"),
    [(LOGNORMAL, "restart", 0.9, 1.0), (EXPONENTIAL, "restart", 0.0, 0.15), (WEIBULL, "restart", 0.0, 0.0)],
    ids=["lognormal", "exponential", "weibull"],
)
def test_how_often_40_logs_are_told_to_restart(law: Any, word: str, least: float, most: float) -> None:
    logs = [RunLog(times=law.rvs(50, random_state=seed), solved=np.ones(50, bool)) for seed in range(40)]
    told = np.mean([verdict(log, seed=seed).says == word for seed, log in enumerate(logs)])
    assert least <= told <= most


def test_joining_neighbours_hardly_changes_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    times, limits = rng.lognormal(0, 2, 3000), rng.lognormal(1, 1, 3000)
    log = RunLog(times=np.minimum(times, limits), solved=times <= limits)
    exact = resample(log, 0.05, 0.0, 2000, 0)
    monkeypatch.setattr(resampled, "MANY", 300)
    joined = resample(log, 0.05, 0.0, 2000, 0)
    for one, other in ((exact.at_cutoff, joined.at_cutoff), (exact.lower_mean, joined.lower_mean)):
        # the resamples are other ones: means within four standard errors, spreads within a tenth
        assert other.mean() == pytest.approx(one.mean(), abs=4 * one.std() / np.sqrt(1000))
        assert other.std() == pytest.approx(one.std(), rel=0.1)
