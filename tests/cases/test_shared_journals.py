"""Journals that are shared, foreign, locked; runs that are dead and not running (cases 2, 13), and their kinds."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cases.processes import Scripted

import dalsegno as ds


class Count(ds.Process):
    def __init__(self, pause=0.0, until=200):
        self.pause, self.until = pause, until

    def reset(self, *, seed, origin=None):
        self.n = 0

    def step(self):
        time.sleep(self.pause)
        self.n += 1
        return ds.Report({"n": float(self.n)}, status="succeeded" if self.n == self.until else "running")

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


def count(journal, seed, pause=0.0, until=200, wait=30.0):
    return ds.run(
        Count(pause, until), checkpoint=ds.checkpoint.Every(steps=20), journal=journal, seed=seed, wait=wait
    ).step


def test_eight_programs_at_once_on_a_journal_that_does_not_exist(tmp_path):
    journal = tmp_path / "runs.db"
    context = multiprocessing.get_context("fork")
    programs = [context.Process(target=count, args=(journal, seed)) for seed in range(8)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert [program.exitcode for program in programs] == [0] * 8
    assert len({row["id"] for row in ds.Journal(journal).rows("runs")}) == 8
    steps = ds.Journal(journal).rows("steps")
    assert len(steps) == 1600 and len({row["id"] for row in steps}) == 1600
    assert sorted((row["run"], row["step"]) for row in steps) == [
        (run, step) for run in range(1, 9) for step in range(1, 201)
    ]


HOLD = """
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2].split("; "):
    other.execute(statement).fetchall()
print("held", flush=True)
time.sleep(float(sys.argv[3]))
"""


def hold(journal, statements, seconds):
    """Another program that holds the journal (in this one, two SQLite libraries would not see each other's locks)."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(journal), statements, str(seconds)], stdout=subprocess.PIPE
    )
    assert program.stdout.readline() == b"held\n"
    return program


@pytest.mark.parametrize(
    "statements", ["BEGIN; SELECT count(*) FROM runs", "BEGIN IMMEDIATE"], ids=["reader", "writer"]
)
def test_another_program_that_holds_the_journal_costs_no_step(tmp_path, statements):
    journal = tmp_path / "runs.db"
    count(journal, 1)
    holder = hold(journal, statements, 2.0)
    assert count(journal, 2, 0.01) == 200
    holder.wait()
    assert len([row for row in ds.Journal(journal).rows("steps") if row["run"] == 2]) == 200


def test_a_journal_that_stays_locked_is_a_journal_error_and_no_failure_of_the_method(tmp_path):
    journal = tmp_path / "runs.db"
    count(journal, 1)
    held = []

    def take(event):
        if type(event).__name__ == "SnapshotSaved" and event.step == 20 and not held:
            held.append(hold(journal, "BEGIN IMMEDIATE", 60))

    with pytest.raises(ds.JournalError, match="runs.db is locked"):
        ds.run(
            Count(0.02), checkpoint=ds.checkpoint.Every(steps=20), journal=journal, seed=2, wait=1.0, listeners=[take]
        )
    held[0].kill()
    held[0].wait()
    states = {row["run"]: row["state"] for row in ds.Journal(journal).rows("attempts")}
    assert states[2] == "interrupted"
    assert count(journal, 2, 0.02) == 200


def foreign_sqlite(path):
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE alembic_version (version_num TEXT)")
        file.execute("CREATE TABLE experiments (id INTEGER)")
        file.execute("INSERT INTO experiments VALUES (1)")
    file.close()


def text_file(path):
    path.write_text("shopping list\n" * 20)


def newer(path):
    count(path, 1)
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()


def contents(folder: Path):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("make", "words"), [(foreign_sqlite, "another program"), (text_file, "no journal"), (newer, "99.*1")]
)
def test_a_file_that_is_not_ours_is_refused_and_unchanged(tmp_path, make, words):
    path = tmp_path / "runs.db"
    make(path)
    before = contents(tmp_path)
    for use in (lambda: count(path, 5), lambda: ds.Journal(path).rows("runs")):
        with pytest.raises(ds.JournalError, match=words) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


def test_an_empty_file_is_a_fresh_journal(tmp_path):
    path = tmp_path / "runs.db"
    path.touch()
    assert count(path, 0) == 200


def start(journal, pause=0.05):
    program = multiprocessing.get_context("fork").Process(target=count, args=(journal, 0, pause, 200))
    program.start()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if len(ds.Journal(journal).rows("steps")) >= 12:
                return program
        except ds.JournalError:
            pass
        time.sleep(0.05)
    raise AssertionError("the program took no steps")


def test_a_running_run_is_in_use_by_its_program(tmp_path):
    journal = tmp_path / "runs.db"
    program = start(journal)
    (row,) = ds.Journal(journal).rows("runs")
    assert (row["state"], row["pid"]) == ("running", program.pid) and row["host"]
    with pytest.raises(ds.InUseError, match=str(program.pid)):
        count(journal, 0, 0.05)
    program.kill()
    program.join()


def test_a_killed_run_is_interrupted_for_a_reader_that_changes_nothing(tmp_path):
    journal = tmp_path / "runs.db"
    program = start(journal)
    program.kill()
    program.join()
    before = journal.read_bytes()
    (row,) = ds.Journal(journal).rows("runs")
    assert row["state"] == "interrupted"
    assert journal.read_bytes() == before
    assert count(journal, 0, 0.05) == 200


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_arrives_within_one_step_and_cuts_none(tmp_path, number, code):
    journal = tmp_path / "runs.db"

    def main():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            count(journal, 0, 0.05)
        except KeyboardInterrupt:
            os._exit(130)
        except SystemExit as leaving:
            os._exit(leaving.code)

    program = multiprocessing.get_context("fork").Process(target=main)
    program.start()
    while not journal.exists() or len(safe_steps(journal)) < 5:
        time.sleep(0.05)
    os.kill(program.pid, number)
    sent = time.monotonic()
    program.join()
    assert program.exitcode == code and time.monotonic() - sent < 2.0
    rows = safe_steps(journal)
    newest = ds.Journal(journal).rows("snapshots")[-1]
    assert newest["step"] == rows[-1]["step"]
    assert ds.Journal(journal).rows("runs")[0]["state"] == "interrupted"
    assert ds.Journal(journal).rows("attempts")[0]["censored"]
    assert count(journal, 0, 0.05) == 200


def safe_steps(journal):
    try:
        return ds.Journal(journal).rows("steps")
    except ds.JournalError:
        return []


def test_a_changed_rule_list_is_refused_with_the_difference(tmp_path):
    def go(patience, **more):
        return ds.run(
            Scripted("loss", [1.0] * 30),
            rules=[ds.stop(ds.when.stalled("loss", patience=patience)), ds.stop(ds.when.spent(steps=25))],
            journal=tmp_path / "runs.db",
            seed=0,
            **more,
        ).step

    assert go(3) == 4
    with pytest.raises(ds.ChangedError, match="(?s)patience.*3.*5.*fresh=True"):
        go(5)
    assert go(5, fresh="if changed") == 6
    assert go(5) == 6
