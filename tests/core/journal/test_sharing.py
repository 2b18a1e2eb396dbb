"""A journal is shared: programs begin at once, readers and writers hold it, and nobody loses a step."""

from __future__ import annotations

import os
import time

import pytest

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal, holders

WRITE = """
say("ready")
sys.stdin.readline()
writer, attempt, branch = begin(seed=int(os.environ["SEED"]))
for step in range(1, 201):
    writer.lane(attempt, branch).add((step, 0.5, Report({"loss": float(step)})))
    if step % 20 == 0:
        decide(writer, attempt, branch, step)
writer.close()
"""

HOLD_READING = """
import apsw
connection = apsw.Connection(str(path))
connection.execute("BEGIN")
connection.execute("SELECT * FROM runs").fetchall()
say("held")
sys.stdin.readline()
"""

HOLD = """
import apsw
connection = apsw.Connection(str(path))
connection.execute("BEGIN IMMEDIATE")
say("held")
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


def test_eight_programs_at_once_make_the_journal_once_and_lose_nothing(path, start):
    programs = [start(WRITE, environment={"SEED": str(seed)}) for seed in range(8)]
    for program in programs:
        program.line()
    for program in programs:
        program.tell()
    ends = [program.end() for program in programs]
    assert [status for status, _, _ in ends] == [0] * 8, ends
    journal = Journal(path)
    steps = journal.rows("steps")
    assert sorted(row["seed"] for row in journal.rows("runs")) == list(range(8))
    assert len({row["id"] for row in steps}) == 1600
    assert sorted((row["run"], row["step"]) for row in steps) == [
        (run, step) for run in range(1, 9) for step in range(1, 201)
    ]


def test_one_of_several_programs_gets_a_run_and_the_others_are_told(path, start):
    code = """
say("ready")
sys.stdin.readline()
try:
    begin()
    say("mine")
    sys.stdin.readline()
except InUseError:
    say("in use")
"""
    programs = [start(code) for _ in range(4)]
    for program in programs:
        program.line()
    for program in programs:
        program.tell()
    assert sorted(program.line() for program in programs) == ["in use", "in use", "in use", "mine"]
    assert len(Journal(path).rows("runs")) == 1


def test_a_reader_that_stays_stops_no_writer(run, path, start):
    reader = start(HOLD_READING)
    reader.line()
    begun = time.monotonic()
    for step in range(1, 101):
        run.step(step)
        run.decide(step)
    assert time.monotonic() - begun < 20.0
    assert len(Journal(path).rows("steps")) == 100
    reader.tell()
    assert reader.end()[0] == 0


def test_a_lock_that_is_let_go_in_time_costs_nothing_but_the_wait(run, path, start):
    holder = start(HOLD.replace("sys.stdin.readline()", "time.sleep(1.0)"))
    holder.line()
    run.step(1)
    run.decide(1)
    assert [row["step"] for row in Journal(path).rows("steps")] == [1]


def test_a_lock_that_stays_is_a_journal_error_that_names_file_and_holder(path, start, begin):
    run = begin(Journal(path, wait=0.5))
    holder = start(HOLD)
    holder.line()
    begun = time.monotonic()
    with pytest.raises(
        JournalError, match=rf"runs.db is locked: another program \(process {holder.pid}, python"
    ) as refused:
        run.decide(1)
    assert 0.4 < time.monotonic() - begun < 3.0 and "0.5 s" in str(refused.value)
    holder.tell()
    holder.end()
    run.decide(1)
    assert len(Journal(path).rows("decisions")) == 1


def test_a_program_that_gives_up_leaves_without_waiting_again(path, start, begin):
    run = begin(Journal(path, wait=1.5))
    holder = start(HOLD)
    holder.line()
    run.step(1)
    with pytest.raises(JournalError, match="is locked"):
        run.decide(1)
    begun = time.monotonic()
    with pytest.raises(JournalError, match="is locked"):
        run.writer.close()
    assert time.monotonic() - begun < 1.0


def test_a_lock_at_the_beginning_is_waited_for(path, start, begin):
    begin(Journal(path)).writer.close()
    holder = start(HOLD)
    holder.line()
    with pytest.raises(JournalError, match="is locked"):
        Journal(path, wait=0.3).open_run("other", 1, identity={})
    assert len(Journal(path).rows("runs")) == 1


def test_a_locked_journal_is_read(path, start, begin):
    begin(Journal(path)).writer.close()
    start(HOLD).line()
    assert len(Journal(path, wait=0.3).rows("runs")) == 1


def test_two_connections_of_one_program_wait_for_each_other_and_say_so(path, begin):
    one, two = begin(Journal(path)), begin(Journal(path, wait=0.3), "other")
    with (
        one.writer.connection.transaction(),
        pytest.raises(JournalError, match="another connection of this very program"),
    ):
        two.decide(1)


def test_holders_are_not_told_where_the_kernel_has_no_list(path, monkeypatch):
    monkeypatch.setattr(holders, "LOCKS", "/nowhere")
    assert holders.describe_holders(path) == ""


def test_a_log_that_a_reader_has_held_back_is_cut_when_the_reader_is_done(run, path, start):
    reader = start(HOLD_READING)
    reader.line()

    def write(count):
        for step in range(count):
            run.writer.decision(
                attempt=run.attempt,
                branch=run.branch,
                step=step,
                rule="r",
                action={"verb": "adapt"},
                saw=[],
                state={"weights": "x" * 100_000},
                seconds=0.0,
            )

    write(200)
    held_back = os.path.getsize(f"{path}-wal")
    reader.tell()
    reader.end()
    write(60)
    first = os.path.getsize(path)
    write(100)
    assert held_back > 20_000_000  # all of it waits in the log
    assert first > 20_000_000  # and is copied into the file as soon as it may be
    assert os.path.getsize(f"{path}-wal") <= max(held_back, 16 << 20)  # the log starts afresh and does not grow on


def test_a_large_log_waits_for_its_readers_only_a_moment(run, path, start, monkeypatch):
    from dalsegno.core.journal import connection

    monkeypatch.setattr(connection, "LARGE_LOG_PAGES", 100)
    reader = start(HOLD_READING)
    reader.line()
    begun = time.monotonic()
    run.writer.connection.log_pages = 2000
    run.decide(1)
    assert time.monotonic() - begun < 2.0
    reader.tell()
    reader.end()
    run.writer.connection.next_large = 0.0
    run.writer.connection.log_pages = 2000
    run.writer.connection.checkpoint()
    assert os.path.getsize(f"{path}-wal") == 0


def test_a_journal_that_was_removed_is_not_written_in_silence(run, path):
    run.decide(1)
    for name in (path, f"{path}-wal", f"{path}-shm"):
        os.unlink(name)
    with pytest.raises(JournalError, match="removed or replaced"):
        run.decide(2)
    with pytest.raises(JournalError, match="removed or replaced"):
        run.writer.close()


def test_a_program_that_comes_second_to_make_the_journal_finds_nothing_to_upgrade(tmp_path):
    """It looked before the first one's tables were there and gets its lock when they are, and in use."""
    from dalsegno.core.journal import schema
    from dalsegno.core.journal.connection import Connection
    from dalsegno.core.journal.journal import Journal

    path = tmp_path / "runs.db"
    writer = Journal(path).open_run("first", 0, identity={})
    try:
        second = Connection(path, wait=5.0)
        schema.upgrade(second)
        assert schema.format_of(second) == schema.version()
        second.close()
    finally:
        writer.close()
