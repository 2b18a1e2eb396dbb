"""How far apart failures lie, whole segments, and the schedule that learns from failures."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as some

import dalsegno as ds
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import AttemptSummary, Trace
from dalsegno.policies import (
    LearnedYoungDaly,
    best_segments,
    checkpoint_interval,
    expected_completion,
    mean_time_between_failures,
)

stats = pytest.importorskip("scipy.stats")
M, C, R, W = 21600.0, 120.0, 300.0, 86400.0


def test_the_worked_example_takes_39_segments() -> None:
    best = best_segments(W, M, C, R)
    assert (best.count, round(best.expected / W, 7)) == (39, 1.1288352)


@given(some.floats(1.0, 1e5), some.floats(1.0, 1e4), some.floats(0.01, 100.0), some.booleans())
def test_no_other_whole_number_is_better(work: float, mtbf: float, cost: float, fails: bool) -> None:
    best = best_segments(work, mtbf, cost, failures_in_restart=fails)
    for count in {1, max(best.count - 1, 1), best.count + 1, 2 * best.count}:
        other = expected_completion(work, work / count, mtbf, cost, failures_in_restart=fails)
        assert best.expected <= other * (1 + 1e-12)


def test_work_shorter_than_the_interval_is_one_segment() -> None:
    assert best_segments(10.0, M, C).count == 1


@pytest.mark.parametrize(
    ("work", "mtbf", "cost"), [(0, M, C), (W, 0, C), (W, M, 0), (W, -1, C), (nan, M, C), (inf, M, C)]
)
def test_what_is_not_above_0_is_refused(work: Any, mtbf: Any, cost: Any) -> None:
    with pytest.raises(UsageError, match="above 0"):
        best_segments(work, mtbf, cost)


def test_the_mean_is_all_of_the_time_over_the_failures() -> None:
    seen = mean_time_between_failures([10.0, 30.0, 20.0, 40.0], [True, True, True, False])
    assert (seen.mean, seen.failures, seen.time) == (pytest.approx(100 / 3), 3, 100.0)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_interval_is_the_chi_square_laws(confidence: float) -> None:
    tail = (1 - confidence) / 2
    cut = mean_time_between_failures([10.0, 30.0, 60.0], [True, True, False], confidence=confidence)
    assert (cut.low, cut.high) == (
        pytest.approx(200 / stats.chi2.ppf(1 - tail, 6)),
        pytest.approx(200 / stats.chi2.ppf(tail, 4)),
    )
    ended = mean_time_between_failures([10.0, 30.0, 60.0], confidence=confidence)
    assert (ended.low, ended.high) == (
        pytest.approx(200 / stats.chi2.ppf(1 - tail, 6)),
        pytest.approx(200 / stats.chi2.ppf(tail, 6)),
    )


def test_without_a_failure_there_is_a_lower_bound_only() -> None:
    seen = mean_time_between_failures([50.0, 50.0], False)
    assert (seen.mean, seen.high, seen.low) == (inf, inf, pytest.approx(100 / -numpy.log(0.05)))


@pytest.mark.parametrize("censored", [False, True])
def test_the_interval_holds_the_truth_as_often_as_it_says(censored: bool) -> None:
    rng = numpy.random.default_rng(0)
    held = 0
    for _ in range(1000):
        gaps = rng.exponential(10.0, 8)
        ends = gaps < 12.0 if censored else gaps < inf
        seen = mean_time_between_failures(numpy.minimum(gaps, 12.0) if censored else gaps, ends, confidence=0.9)
        held += seen.low <= 10.0 <= seen.high
    assert 0.87 <= held / 1000 <= 0.96  # three standard errors, and a little more where times are cut


@given(some.lists(some.tuples(some.floats(0.1, 1e6), some.booleans()), min_size=1, max_size=30))
def test_the_interval_is_around_the_mean_and_narrower_at_less_confidence(log: list[tuple[float, bool]]) -> None:
    wide, narrow = (mean_time_between_failures(*zip(*log, strict=True), confidence=c) for c in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.mean <= narrow.high <= wide.high


@pytest.mark.parametrize(
    ("times", "failed"),
    [([], True), ([0.0], True), ([-1.0, 5.0], True), ([nan], True), ([inf], True), ([1.0, 2.0], [True])],
)
def test_logs_without_time_are_refused(times: Any, failed: Any) -> None:
    with pytest.raises(UsageError):
        mean_time_between_failures(times, failed)


# -- the schedule ------------------------------------------------------------------------------------------


def after(failures: int, seconds: float) -> Trace:
    trace = Trace()
    trace.seconds, trace.attempt.seconds = seconds, 5.0
    trace.attempts = [AttemptSummary(k, "failed", False, 1, 1.0, {}) for k in range(failures)]
    trace.attempts.append(AttemptSummary(failures, "cut", True, 1, 1.0, {}))
    return trace


@pytest.mark.parametrize(
    ("failures", "seconds", "mtbf"), [(0, 0.0, 86400.0), (0, 86400.0, 172800.0), (3, 3600.0, 22500.0)]
)
def test_failures_of_the_run_shorten_the_interval(failures: int, seconds: float, mtbf: float) -> None:
    due = LearnedYoungDaly().due(after(failures, seconds), 20.0)
    assert due == (inf, 5.0 + checkpoint_interval(mtbf, 20.0))


def test_with_many_failures_the_prior_does_not_matter() -> None:
    found = [LearnedYoungDaly(prior).mtbf(1000, 1e6) for prior in ("1h", "48h")]
    assert found[0] == pytest.approx(1000.0, rel=0.01) and found[1] == pytest.approx(found[0], rel=0.2)


def test_a_run_with_it_takes_snapshots_and_can_be_resumed(tmp_path: Any) -> None:
    def work(attempt: Any) -> None:
        for step, _ in attempt.over(range(5)):
            step.report()
            if step == 3 and attempt.number < 3:
                attempt.fail(f"for the {attempt.number}. time")

    rules = [ds.restart(ds.when.failed()), ds.stop(ds.when.succeeded())]
    plan = {"rules": rules, "checkpoint": LearnedYoungDaly("1h"), "journal": tmp_path / "runs.db", "seed": 0}
    assert len(ds.run(work, **plan).attempts) == 3
    assert ds.run(work, **plan).succeeded


@pytest.mark.parametrize("arguments", [{"prior": 0}, {"prior": "soon"}, {"weight": 0}, {"weight": -1}, {"weight": nan}])
def test_mistaken_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LearnedYoungDaly(**arguments)
