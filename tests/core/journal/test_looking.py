"""Looking changes nothing, whatever there is to look at; and what is seen is whole."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal, looking

WRITE = """
writer, attempt, branch = begin()
for step in range(1, 6):
    writer.lane(attempt, branch).add((step, 0.5, Report({"loss": float(step)})))
decide(writer, attempt, branch, 5)
say("ready")
"""
LIVE = WRITE + "sys.stdin.readline()"
KILLED = WRITE + "os.kill(os.getpid(), signal.SIGKILL)"
CLOSED = WRITE + "writer.close()"


def look(path):
    journal = Journal(path)
    steps = [row["step"] for row in journal.rows("steps")]
    return steps, len(journal.rows("decisions")), journal.rows("runs")[0]["state"], journal.last_read


@pytest.mark.parametrize(
    ("code", "state", "way"),
    [(LIVE, "running", "shared"), (KILLED, "interrupted", "shared"), (CLOSED, "interrupted", "unchanging")],
    ids=["live", "killed", "closed"],
)
def test_looking_changes_no_byte_and_makes_no_file(path, tmp_path, start, contents, code, state, way):
    program = start(code)
    program.line()
    if code is not LIVE:
        program.end()
    before = contents(tmp_path)
    assert look(path) == ([1, 2, 3, 4, 5], 1, state, way)
    assert contents(tmp_path) == before


def test_a_log_without_its_shared_memory_is_read_in_a_copy(path, tmp_path, start, contents):
    start(KILLED).end()
    os.unlink(f"{path}-shm")
    before = contents(tmp_path)
    assert look(path) == ([1, 2, 3, 4, 5], 1, "interrupted", "copy")
    assert contents(tmp_path) == before


def test_a_journal_that_died_while_it_was_made_is_empty(path, tmp_path, start, contents):
    code = """
import apsw
connection = apsw.Connection(str(path))
connection.execute("PRAGMA cache_size = 1")  # writes into the file before the end of the transaction
connection.execute("BEGIN EXCLUSIVE")
from dalsegno.core.journal import schema
connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
schema.make_tables(connection)
connection.execute("CREATE TABLE filler (x)")
connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")
say("ready")
os.kill(os.getpid(), signal.SIGKILL)
"""
    start(code).end()
    assert path.stat().st_size and os.path.getsize(f"{path}-journal")
    before = contents(tmp_path)
    assert Journal(path).rows("runs") == []
    assert contents(tmp_path) == before
    Journal(path).open_run("train", 0, identity={}).close()
    assert len(Journal(path).rows("runs")) == 1


@pytest.fixture
def read_only(tmp_path):
    """Move a folder's content into a file system that cannot be written."""
    mounted = []

    def lock(folder):
        place = tmp_path / "read only"
        place.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
        mounted.append(place)
        for file in folder.glob("runs.db*"):
            shutil.copy(file, place)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        return place

    yield lock
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("code", [KILLED, CLOSED], ids=["killed", "closed"])
def test_a_folder_that_cannot_be_written_is_read(path, tmp_path, start, read_only, code):
    start(code).end()
    assert look(read_only(tmp_path) / "runs.db")[:3] == ([1, 2, 3, 4, 5], 1, "interrupted")


def test_a_folder_that_cannot_be_written_is_refused_for_a_run(path, tmp_path, start, read_only):
    start(CLOSED).end()
    with pytest.raises(JournalError, match="cannot be opened or written"):
        Journal(read_only(tmp_path) / "runs.db").open_run("train", 0, identity={})


def test_what_is_seen_while_others_write_is_whole(path, start):
    program = start(
        """
writer, attempt, branch = begin()
add = writer.lane(attempt, branch).add
say("ready")
step = 0
until = time.monotonic() + 3
while time.monotonic() < until:
    for _ in range(50):
        step += 1
        add((step, 0.5, Report({"loss": float(step)})))
    decide(writer, attempt, branch, step)
writer.close()
"""
    )
    program.line()
    seen = []
    while program.process.poll() is None:
        journal = Journal(path)
        steps, decisions = journal.look(
            lambda connection: (
                connection.rows("SELECT sum(count), max(last_step) FROM blocks")[0],
                connection.rows("SELECT count(*), max(step) FROM decisions")[0],
            )
        )
        if decisions[0]:
            assert steps == (50 * decisions[0], decisions[1])
        seen.append(decisions[0])
    assert seen == sorted(seen) and len(set(seen)) > 3


def test_a_file_that_changes_under_a_reader_is_read_again(path, begin, monkeypatch):
    begin(Journal(path)).writer.close()
    marks = iter([(1,), (2,), (3,), (3,)])
    monkeypatch.setattr(looking, "signature", lambda path, how: next(marks))
    calls = []
    result, how = looking.read(path, 1.0, lambda connection: calls.append(connection))
    assert (len(calls), result, how) == (2, None, "unchanging")


def test_a_damaged_file_is_said_to_be_damaged(path, begin):
    run = begin(Journal(path))
    run.step(1)
    run.writer.close()
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = os.urandom(len(data) - 4096 * 2)
    path.write_bytes(data)
    with pytest.raises(JournalError, match="is damaged"):
        [Journal(path).rows(table) for table in ("runs", "steps", "decisions", "snapshots")]


def test_a_link_to_a_journal_is_that_journal(path, tmp_path, start):
    program = start(LIVE)
    program.line()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(path)
    assert look(link)[:3] == ([1, 2, 3, 4, 5], 1, "running")
