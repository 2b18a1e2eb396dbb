"""Two owners, paused owners, many programs at once: one of them writes a run, and the others are told."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.programs_run import environment, start_alone, until

import dalsegno as ds

pytestmark = pytest.mark.torture

REPLACE = """
import apsw, sys
journal = apsw.Connection(sys.argv[1])
journal.set_busy_timeout(20_000)
journal.execute("UPDATE runs SET owner = owner + 1")
"""


def rows(journal, table):
    try:
        return ds.Journal(journal).rows(table)
    except ds.JournalError:
        return []


def test_of_two_owners_at_once_one_runs_and_the_other_is_told(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    programs = [
        start_alone("counting.py", journal, json.dumps({"pause": 0.02, "until": 80}), out=tmp_path / f"out {number}")
        for number in range(2)
    ]
    ended = [program.ended() for program in programs]
    assert sorted(one.status for one in ended) == [0, 1]
    (refused,) = [one for one in ended if one.status == 1]
    (winner,) = [one for one in ended if one.status == 0]
    assert refused.last_words.startswith("dalsegno.core.errors.InUseError: ")
    assert str(winner.told["pid"]) in refused.last_words
    assert [row["step"] for row in rows(journal, "steps")] == list(range(1, 81))
    assert len(rows(journal, "attempts")) == 1


def contents(journal):
    """All that a replaced owner could have written, the owner's number aside."""
    tables = ("attempts", "branches", "decisions", "snapshots", "calls")
    found = [
        {**row, "state": "(derived)"} if table == "attempts" else row
        for table in tables
        for row in rows(journal, table)
    ]
    return [*found, ds.Journal(journal).rows("steps", all=True)]


def test_a_paused_owner_that_was_replaced_writes_nothing_more(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    text = json.dumps({"pause": 0.01, "until": 400})
    program = launcher.start("counting.py", journal, text, out=tmp_path / "out")
    until(lambda: len(rows(journal, "snapshots")) > 3)
    os.kill(program.pid, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{program.pid}/stat").read_text().rpartition(") ")[2][0] == "T")
    try:
        subprocess.run([sys.executable, "-c", REPLACE, journal], check=True, env=environment(), timeout=30)
        before = contents(journal)
    finally:
        os.kill(program.pid, signal.SIGCONT)
    ended = program.ended()
    assert ended.status == 1 and "dalsegno.core.errors.InUseError: " in ended.last_words
    assert "taken over" in ended.last_words
    assert contents(journal) == before
    again = launcher.run("counting.py", journal, text, out=tmp_path / "again")
    assert again.told["result"]["steps"] == 400 and again.told["verdict"] == "exact"


def twenty(attempt):
    for step, item in attempt.over(range(20)):
        step.report(item=float(item))


def count_together(gate, journal, seed):
    gate.wait()
    ds.run(twenty, journal=journal, seed=seed, checkpoint=ds.checkpoint.Every(steps=5), wait=90.0)


def test_thirty_programs_at_once_on_a_journal_that_is_not_there(tmp_path):
    journal = tmp_path / "runs.db"
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(30)
    programs = [context.Process(target=count_together, args=(gate, journal, seed)) for seed in range(30)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(100)
    assert [program.exitcode for program in programs] == [0] * 30
    assert sorted(row["seed"] for row in rows(journal, "runs")) == list(range(30))
    steps = rows(journal, "steps")
    assert sorted((row["run"], row["step"]) for row in steps) == [
        (run, n) for run in range(1, 31) for n in range(1, 21)
    ]
    assert len({row["id"] for row in steps}) == 600


def test_a_fork_inside_a_step_touches_neither_locks_nor_journal(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    text = json.dumps({"until": 60, "does": "fork", "pause": 0.02})
    program = launcher.start("counting.py", journal, text, out=tmp_path / "out")
    until(lambda: any(row["step"] >= 20 for row in rows(journal, "steps")))
    second = launcher_refused(journal, text, tmp_path)
    ended = program.ended()
    assert "InUseError" in second.last_words and str(program.pid) in second.last_words
    assert ended.told["result"]["steps"] == 60
    assert [row["step"] for row in rows(journal, "steps")] == list(range(1, 61))


def launcher_refused(journal, text, folder):
    ended = start_alone("counting.py", journal, text, out=folder / "second").ended()
    assert ended.status == 1, ended.printed
    return ended


def test_the_second_interrupt_leaves_at_once(tmp_path):
    journal = tmp_path / "runs.db"
    text = json.dumps({"pause": 20.0, "until": 3, "every": 1})
    program = start_alone("counting.py", journal, text, out=tmp_path / "out")
    until(lambda: rows(journal, "snapshots"))
    os.kill(program.pid, signal.SIGINT)
    program.thread.join(1.5)
    assert program.alive, "the first one waits for the step"
    os.kill(program.pid, signal.SIGINT)
    ended = program.ended(patience=12.0)  # the step would take 20
    assert "KeyboardInterrupt" in ended.printed and ended.status in (-2, 130)
    assert [row["state"] for row in rows(journal, "attempts")] == ["interrupted"]


def test_a_step_that_never_returns_is_journaled_as_hung_and_the_program_leaves_with_8(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    text = json.dumps({"until": 12, "does": "hang", "every": 2, "timeout": 1.0})
    ended = launcher.run("counting.py", journal, text, out=tmp_path / "out")
    assert ended.status == 8 and "step 6 of attempt 1 did not return within 1 s" in ended.printed
    (attempt,) = rows(journal, "attempts")
    assert attempt["state"] == "hung" and "step 6" in attempt["failure"]["message"]
    assert [row["step"] for row in rows(journal, "steps")] == [1, 2, 3, 4, 5]
    again = launcher.run("counting.py", journal, text, out=tmp_path / "again")
    assert again.status == 8  # the same command went on where it was, and hung in the same step
    assert rows(journal, "owners")[-1]["number"] == 2 and len(rows(journal, "attempts")) == 1
