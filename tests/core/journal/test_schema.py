"""Formats: a fresh file is made once, an older one is brought up, a newer or foreign one is refused and left alone."""

from __future__ import annotations

import os
import sqlite3

import pytest

from dalsegno.core.errors import InUseError, JournalError
from dalsegno.core.journal import Journal, schema


def other_tool(path):
    file = sqlite3.connect(path)
    file.executescript(
        "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE experiments (id INTEGER);"
        "INSERT INTO experiments VALUES (1);"
    )
    file.close()


def other_tool_with_a_log(path):
    """Of a tool that has died with a write-ahead log."""
    pid = os.fork()
    if pid == 0:
        file = sqlite3.connect(path)
        file.execute("PRAGMA journal_mode = WAL")
        file.executescript("CREATE TABLE experiments (id INTEGER); INSERT INTO experiments VALUES (1);")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.path.getsize(f"{path}-wal")


def other_identity(path):
    file = sqlite3.connect(path)
    file.executescript("PRAGMA application_id = 1234; CREATE TABLE runs (id INTEGER);")
    file.close()


def newer(path):
    Journal(path).open_run("train", 0, identity={}).close()
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 99")
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()


def newer_in_the_log(path):
    """Brought to a newer format by a program that died before the log was copied into the file."""
    Journal(path).open_run("train", 0, identity={}).close()
    pid = os.fork()
    if pid == 0:
        file = sqlite3.connect(path)
        file.execute("PRAGMA user_version = 99")
        os._exit(0)
    os.waitpid(pid, 0)


REFUSED = [
    (other_tool, "is a SQLite file of another program"),
    (other_tool_with_a_log, "is a SQLite file of another program"),
    (other_identity, "is a SQLite file of another program"),
    (lambda path: path.write_text("shopping list\n" * 200), "it is not a SQLite file"),
    (lambda path: path.write_text("x"), "it is not a SQLite file"),
    (lambda path: path.write_bytes(bytes(5000)), "it is not a SQLite file"),
    (lambda path: path.write_bytes(b"SQLite format 3\0cut"), "it is not a SQLite file"),
    (lambda path: path.mkdir(), "is a folder"),
    (newer, r"format 99 and this dalsegno knows formats up to 1"),
    (newer_in_the_log, r"format 99 and this dalsegno knows formats up to 1"),
]
NAMES = ["tables", "log", "application id", "text", "one byte", "zeros", "cut", "folder", "newer", "newer in the log"]


@pytest.mark.parametrize("use", ["read", "write"])
@pytest.mark.parametrize(("make", "words"), REFUSED, ids=NAMES)
def test_what_is_not_ours_is_refused_in_a_sentence_and_left_as_it_is(path, tmp_path, contents, make, words, use):
    make(path)
    before = contents(tmp_path)
    with pytest.raises(JournalError, match=words) as refused:
        Journal(path).rows("runs") if use == "read" else Journal(path).open_run("train", 0, identity={})
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    assert contents(tmp_path) == before


def test_a_missing_file_is_said_by_a_reader_and_not_made(path, tmp_path):
    with pytest.raises(JournalError, match="there is no journal at"):
        Journal(path).rows("runs")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(JournalError, match="missing is no folder"):
        Journal(tmp_path / "missing" / "runs.db").open_run("train", 0, identity={})


def test_making_a_journal_object_opens_nothing(path, tmp_path):
    Journal(path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_a_fresh_journal(path):
    path.touch()
    assert Journal(path).rows("runs") == [] and len(Journal(path).runs()) == 0
    Journal(path).open_run("train", 0, identity={}).close()
    assert len(Journal(path).rows("runs")) == 1


@pytest.mark.parametrize("name", ["a b.db", "run?mode=x.db", "100%.db", "é#.db", "file:x.db"])
def test_any_file_name_will_do(tmp_path, name):
    path = tmp_path / name
    Journal(path).open_run("train", 0, identity={}).close()
    assert path.exists() and len(Journal(path).rows("runs")) == 1


def test_the_head_of_a_fresh_journal_says_whose_it_is_before_anything_is_in_the_log(path):
    Journal(path).open_run("train", 0, identity={})  # stays open: nothing is copied out of the log
    assert int.from_bytes(path.read_bytes()[68:72], "big") == schema.APPLICATION_ID


# -- older formats ---------------------------------------------------------------------------------------------------


def add_a_column(raw):
    raw.execute("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'from before'")


@pytest.fixture
def next_format(monkeypatch):
    """From here on this library knows a format 2."""
    return lambda: monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, add_a_column])


def notes(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT note FROM runs").fetchall(), connection.execute(
            "PRAGMA user_version"
        ).fetchone()
    finally:
        connection.close()


def test_an_older_format_is_brought_up_by_the_next_writer_and_keeps_what_it_has(path, begin, next_format):
    run = begin(Journal(path))
    run.step(1)
    run.writer.close()
    next_format()
    Journal(path).open_run("other", 0, identity={}).close()
    assert notes(path) == ([("from before",), ("from before",)], (2,))
    assert [row["step"] for row in Journal(path).rows("steps")] == [1]


def test_an_older_format_is_read_as_it_is_and_not_brought_up(path, tmp_path, contents, next_format):
    Journal(path).open_run("train", 0, identity={}).close()
    next_format()
    before = contents(tmp_path)
    journal = Journal(path)
    assert ([row["name"] for row in journal.rows("runs")], journal.last_read) == (["train"], "copy")
    assert contents(tmp_path) == before


def test_an_older_format_in_use_is_not_brought_up_under_its_users_feet(path, start, next_format):
    other = start("begin(); say(1); sys.stdin.readline()")
    other.line()
    next_format()
    with pytest.raises(InUseError, match=rf"format 1 and process {other.pid} is using it"):
        Journal(path).open_run("other", 0, identity={})


def test_a_migration_that_fails_leaves_the_older_format(path, monkeypatch):
    Journal(path).open_run("train", 0, identity={}).close()

    def broken(raw):
        raw.execute("ALTER TABLE runs ADD COLUMN note TEXT")
        raise JournalError("cut off")

    with monkeypatch.context() as context:
        context.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, broken])
        with pytest.raises(JournalError, match="cut off"):
            Journal(path).open_run("other", 0, identity={})
    assert [row["name"] for row in Journal(path).rows("runs")] == ["train"]


def test_two_programs_bring_a_file_up_once(path, start, next_format):
    Journal(path).open_run("train", 0, identity={}).close()
    code = """
from dalsegno.core.journal import schema
schema.MIGRATIONS.append(lambda raw: raw.execute("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'from before'"))
say(1); sys.stdin.readline()
Journal(path).open_run("other", int(os.environ["SEED"]), identity={}).close()
"""
    programs = [start(code, environment={"SEED": str(seed)}) for seed in range(3)]
    for program in programs:
        program.line()
    for program in programs:
        program.tell()
    ends = [program.end() for program in programs]
    assert [status for status, _, _ in ends if status] == [] or all(
        "is using it" in errors for status, _, errors in ends if status
    )
    assert notes(path)[1] == (2,)
