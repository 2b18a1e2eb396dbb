"""RunLog: what it takes in and what it refuses."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.core.trace import AttemptSummary
from dalsegno.policies.run_log import RunLog


def test_attempts_stand_in_order_of_addition() -> None:
    log = RunLog("steps", [3, 1], [True, False])
    log.add(2, True)
    assert (log.times.tolist(), log.solved.tolist()) == ([3.0, 1.0, 2.0], [True, False, True])


def test_counts() -> None:
    log = RunLog(times=[3, 1, 7], solved=[1, 1, 0])
    assert (len(log), log.successes, log.longest, str(log)) == (3, 2, 7.0, "RunLog(3 attempts in seconds, 2 solved)")


def test_an_empty_log_is_a_log() -> None:
    assert (len(RunLog()), RunLog().longest, RunLog().successes) == (0, 0.0, 0)


def test_zeros_and_equal_times_are_taken() -> None:
    assert RunLog(times=[0, 0, 5, 5], solved=[1, 0, 0, 1]).times.tolist() == [0.0, 0.0, 5.0, 5.0]


def test_seconds_may_be_written_as_people_write_them() -> None:
    log = RunLog()
    log.add("10m", True)  # type: ignore[arg-type]
    assert log.times.tolist() == [600.0]


def test_later_changes_of_the_callers_arrays_do_not_matter() -> None:
    times = np.array([1.0, 2.0])
    log = RunLog(times=times, solved=[1, 1])
    times[0] = 99.0
    assert log.times.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("time", [-1, -1e-9, nan, inf, None, "fast", True])
def test_a_wrong_time_is_refused_when_added(time: Any) -> None:
    log = RunLog("steps", [1], [True])
    with pytest.raises(UsageError, match="attempt 2: time"):
        log.add(time, True)
    assert len(log) == 1


@pytest.mark.parametrize("time", [-1, nan, inf])
def test_a_wrong_time_in_an_array_is_named_by_its_place(time: float) -> None:
    with pytest.raises(UsageError, match="attempt 3: time"):
        RunLog(times=[1, 2, time, 4], solved=[1, 1, 1, 1])


@pytest.mark.parametrize("solved", [2, -1, 0.5, nan, None, "yes"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(solved: Any) -> None:
    with pytest.raises(UsageError, match="solved"):
        RunLog().add(1.0, solved)
    with pytest.raises(UsageError, match="solved"):
        RunLog(times=[1.0, 2.0], solved=[1, solved])


@pytest.mark.parametrize(
    ("times", "solved"), [([1, 2], [1]), ([[1, 2]], [[1, 1]]), (3.0, True), (["1", "2"], [1, 1]), ([True], [1])]
)
def test_what_is_no_pair_of_lists_is_refused(times: Any, solved: Any) -> None:
    with pytest.raises(UsageError):
        RunLog(times=times, solved=solved)


def test_units_are_not_mixed() -> None:
    log = RunLog("seconds")
    with pytest.raises(UsageError, match="steps"):
        log.add(3, True, unit="steps")
    with pytest.raises(UsageError, match="steps"):
        log.extend(RunLog("steps", [1], [1]))


@pytest.mark.parametrize("unit", ["", "attempts", None, 3])
def test_a_unit_that_is_none_is_refused(unit: Any) -> None:
    with pytest.raises(UsageError, match="unit"):
        RunLog(unit)


def test_logs_of_one_unit_are_joined() -> None:
    log = RunLog("steps", [1], [1])
    log.add(2, False)
    log.extend(RunLog("steps", [3], [1]))
    assert (log.times.tolist(), log.solved.tolist()) == ([1.0, 2.0, 3.0], [True, False, True])


def attempt(state: str, steps: int) -> AttemptSummary:
    return AttemptSummary(1, state, state == "cut", steps, steps / 2, {"tokens": 10.0 * steps})


@pytest.mark.parametrize(("of", "times"), [("steps", [4, 6, 8]), ("seconds", [2, 3, 4]), ("tokens", [40, 60, 80])])
def test_attempts_of_a_run_are_solved_only_where_they_succeeded(of: str, times: list[float]) -> None:
    log = RunLog.from_attempts([attempt("succeeded", 4), attempt("failed", 6), attempt("cut", 8)], of=of)
    assert (log.times.tolist(), log.solved.tolist(), log.unit) == (times, [True, False, False], of)


def test_rows_of_a_journal_are_taken_and_a_running_attempt_is_censored_now() -> None:
    rows = [{"state": "succeeded", "steps": 3, "seconds": 1.0, "cost": None}]
    rows.append({"state": "running", "steps": None, "seconds": None, "cost": None})
    log = RunLog.from_attempts(rows, of="steps")
    assert (log.times.tolist(), log.solved.tolist()) == ([3.0, 0.0], [True, False])
