"""Forked programs: SQLite cannot be used on both sides of a fork, and the journal does not let it be tried."""

from __future__ import annotations

import os

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal


def child(work):
    """What a forked child has to say, as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = str(work())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said


def test_a_forked_child_cannot_write_its_parents_run(run, path):
    said = child(lambda: run.decide(1))
    assert said.startswith("JournalError") and f"process {os.getpid()}" in said
    run.decide(2)
    assert [row["step"] for row in Journal(path).rows("decisions")] == [2]


def test_a_forked_child_cannot_open_the_journal_that_its_parent_writes(run, path):
    said = child(lambda: Journal(path).open_run("other", 1, identity={}))
    assert said.startswith("JournalError") and "spawn" in said


def test_a_forked_child_reads_a_copy(run, path):
    run.decide(1)

    def work():
        journal = Journal(path)
        return len(journal.rows("decisions")), journal.last_read

    assert child(work) == "(1, 'copy')"


def test_a_forked_child_that_closes_and_ends_takes_nothing_from_its_parent(run, path, start):
    run.step(1)
    child(run.writer.close)
    run.decide(1)
    asked = start("say(Journal(path).rows('runs')[0]['state'], len(Journal(path).rows('decisions')))")
    assert asked.line() == "running 1"


def test_a_forked_child_that_ends_like_any_program_takes_nothing_from_its_parent(start, path):
    code = """
writer, attempt, branch = begin()
if os.fork() == 0:
    sys.exit(0)           # the interpreter is torn down, and all that it holds with it
os.wait()
decide(writer, attempt, branch, 1)
say(path.with_name(path.name + "-wal").exists())
sys.stdin.readline()
"""
    parent = start(code)
    assert parent.line() == "True"
    assert len(Journal(path).rows("decisions")) == 1


def test_after_its_parent_has_closed_the_journal_a_forked_child_may_write(path):
    Journal(path).open_run("train", 0, identity={}).close()

    def work():
        Journal(path).open_run("other", 1, identity={}).close()
        return "done"

    assert child(work) == "done"


def test_a_run_in_memory_stays_with_its_program(begin):
    run = begin(Journal.memory())
    assert child(lambda: run.decide(1)).startswith(JournalError.__name__)
