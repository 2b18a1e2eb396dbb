"""Deleting runs and collecting what is left of them."""

from __future__ import annotations

import pytest

from dalsegno.core.errors import InUseError, JournalError, UsageError
from dalsegno.core.journal import Journal


@pytest.fixture
def two_runs(path, begin):
    runs = [begin(Journal(path), name) for name in ("one", "two")]
    for run in runs:
        for step in (1, 2):
            run.step(step)
        run.decide(2, new_branch=(1, 1))
        run.snapshot(2)
        run.writer.call_end(run.writer.call_begin(run.attempt, run.branch, 1, "a", ""), 1, {})
        folder = run.writer.snapshots_path / f"{run.writer.uid}.s2"
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(bytes(100))
        run.writer.close()
    return runs


def test_a_deleted_run_leaves_nothing_and_names_its_snapshots(path, two_runs):
    journal = Journal(path)
    assert journal.delete(1) == [f"{two_runs[0].writer.uid}.s2"]
    for table in ("runs", "attempts", "branches", "steps", "decisions", "snapshots", "calls", "owners"):
        assert {row["id"] if table == "runs" else row["run"] for row in journal.rows(table, None)} == {2}


def test_a_run_in_use_is_not_deleted(path, begin):
    run = begin(Journal(path))
    with pytest.raises(InUseError):
        Journal(path).delete(run.writer.run_id)
    assert len(Journal(path).rows("runs")) == 1


def test_a_run_that_there_is_not_cannot_be_deleted(path, two_runs):
    with pytest.raises(JournalError, match="has no run 9"):
        Journal(path).delete(9)


def test_deleting_in_a_journal_that_there_is_not_makes_none(path, tmp_path):
    with pytest.raises(JournalError, match="no journal"):
        Journal(path).delete(1)
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_run_may_be_begun_again_under_its_name(path, two_runs):
    Journal(path).delete(1)
    writer = Journal(path).open_run("one", 0, identity={})
    assert writer.created and writer.run_id == 3
    writer.close()


def test_collecting_removes_folders_of_no_run_and_nothing_else(path, two_runs):
    journal = Journal(path)
    journal.delete(1)
    notes = path.with_name("runs.db.snapshots") / "notes.old"
    notes.mkdir()
    found = journal.gc(dry=True)
    assert found.folders == [f"{two_runs[0].writer.uid}.s2"] and found.bytes == 100
    assert journal.gc().folders == found.folders
    left = {folder.name for folder in notes.parent.iterdir()}
    assert {f"{two_runs[1].writer.uid}.s2", "notes.old"} == left


def test_collecting_gives_the_space_of_deleted_runs_back(path, begin):
    run = begin(Journal(path))
    run.writer.decision(
        attempt=run.attempt,
        branch=run.branch,
        step=1,
        rule="r",
        action={"verb": "a"},
        saw=[],
        state="x" * 5_000_000,
        seconds=0.0,
    )
    run.writer.close()
    Journal(path).delete(1)
    before = path.stat().st_size
    Journal(path).gc()
    assert path.stat().st_size < before / 10


def test_a_journal_in_memory_has_nothing_to_delete():
    with pytest.raises(UsageError):
        Journal.memory().delete(1)
