"""Past attempts read from journals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dalsegno.core.errors import JournalError, UsageError
from dalsegno.policies import FixedCutoff
from dalsegno.policies.past import journal_log, logs_of_ended_runs


def test_the_log_has_every_attempt_of_every_run(tmp_path: Path, search: Any) -> None:
    results = [search(tmp_path / "runs.db", FixedCutoff(10), attempts=20, seed=seed) for seed in (1, 2)]
    log = journal_log(tmp_path / "runs.db", of="steps")
    attempts = [attempt for result in results for attempt in result.attempts]
    assert log.times.tolist() == [attempt.steps for attempt in attempts]
    assert log.solved.tolist() == [attempt.state == "succeeded" for attempt in attempts]


def test_runs_are_chosen_by_name_and_id(tmp_path: Path, search: Any) -> None:
    first, _ = (search(tmp_path / "runs.db", FixedCutoff(10), attempts=5, seed=seed) for seed in (1, 2))
    assert len(journal_log(tmp_path / "runs.db", runs=[first.run])) == len(first.attempts)
    assert len(journal_log(tmp_path / "runs.db", name="other")) == 0


def test_an_attempt_that_was_interrupted_is_censored_where_it_is(tmp_path: Path, search: Any) -> None:
    search(tmp_path / "runs.db", FixedCutoff(10), kill_after=47)
    log = journal_log(tmp_path / "runs.db", of="steps")
    assert log.times.sum() in (46, 47) and not log.solved[-1]  # the newest telemetry may be lost


def test_of_a_run_that_is_not_over_nothing_is_past(tmp_path: Path, search: Any) -> None:
    done = search(tmp_path / "runs.db", FixedCutoff(10), attempts=5, seed=1)
    search(tmp_path / "runs.db", FixedCutoff(10), seed=2, kill_after=47)
    assert list(logs_of_ended_runs(tmp_path / "runs.db", of="steps")) == [done.run]


def test_before_the_first_run_there_is_no_past(tmp_path: Path) -> None:
    assert logs_of_ended_runs(tmp_path / "runs.db") == {}


def test_a_journal_that_is_not_there_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        journal_log(tmp_path / "runs.db")


def test_what_is_no_journal_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a journal"):
        journal_log(3)  # type: ignore[arg-type]
