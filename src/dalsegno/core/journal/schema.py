"""The tables of a journal, its format version, and the refusal of files that are not ours or newer than we are."""

from __future__ import annotations

from pathlib import Path

from dalsegno.core.errors import JournalError
from dalsegno.core.journal.connection import APPLICATION_ID, Connection

VERSION = 1

TABLES = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, name TEXT NOT NULL, seed INTEGER, root_seed TEXT,
  generation INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, started REAL NOT NULL, ended REAL,
  owner INTEGER NOT NULL DEFAULT 0, pid INTEGER, host TEXT, identity TEXT NOT NULL, outcome TEXT, verdict TEXT,
  paid_seconds REAL NOT NULL DEFAULT 0, paid_steps INTEGER NOT NULL DEFAULT 0, paid_cost TEXT NOT NULL DEFAULT '{}') STRICT;
CREATE UNIQUE INDEX runs_by_name ON runs (name, ifnull(seed, -1), generation);
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, sequence INTEGER NOT NULL,
  number INTEGER NOT NULL, seed INTEGER NOT NULL, origin TEXT NOT NULL, started_from INTEGER, verified INTEGER,
  propensity REAL NOT NULL, state TEXT NOT NULL, censored INTEGER, started REAL NOT NULL, ended REAL,
  steps INTEGER, seconds REAL, cost TEXT, value REAL, best_step INTEGER, failure TEXT, returned TEXT,
  reset_seconds REAL, summary TEXT) STRICT;
CREATE INDEX attempts_by_run ON attempts (run);
CREATE TABLE branches (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, attempt INTEGER NOT NULL REFERENCES attempts,
  number INTEGER NOT NULL, parent INTEGER, from_step INTEGER NOT NULL, cause TEXT NOT NULL, decision INTEGER) STRICT;
CREATE INDEX branches_by_attempt ON branches (attempt);
CREATE TABLE blocks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, attempt INTEGER NOT NULL,
  branch INTEGER NOT NULL, first_row INTEGER NOT NULL, first_step INTEGER NOT NULL, count INTEGER NOT NULL,
  columns TEXT NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX blocks_by_branch ON blocks (branch, first_step);
CREATE INDEX blocks_by_run ON blocks (run);
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, sequence INTEGER NOT NULL,
  attempt INTEGER NOT NULL, branch INTEGER NOT NULL, step INTEGER NOT NULL, verb TEXT NOT NULL, rule TEXT NOT NULL,
  action TEXT NOT NULL, saw TEXT NOT NULL, state TEXT NOT NULL, seconds REAL NOT NULL, taken REAL NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX decisions_by_run ON decisions (run);
CREATE TABLE snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, sequence INTEGER NOT NULL,
  attempt INTEGER NOT NULL, branch INTEGER NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
  label TEXT, path TEXT NOT NULL, bytes INTEGER NOT NULL, checksum TEXT NOT NULL, metrics TEXT NOT NULL, value REAL,
  seconds REAL NOT NULL, changes INTEGER NOT NULL, logical TEXT NOT NULL, saved REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'ok', why TEXT) STRICT;
CREATE INDEX snapshots_by_run ON snapshots (run);
CREATE TABLE calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, attempt INTEGER NOT NULL,
  branch INTEGER NOT NULL, step INTEGER NOT NULL, key TEXT NOT NULL, inputs TEXT NOT NULL, idempotency_key TEXT NOT NULL,
  state TEXT NOT NULL, sent INTEGER NOT NULL, held TEXT NOT NULL, value TEXT, cost TEXT, began REAL NOT NULL, ended REAL,
  UNIQUE (run, attempt, branch, step, key)) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
INSERT INTO counters VALUES ('row', 1);
CREATE TABLE owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, number INTEGER NOT NULL,
  pid INTEGER NOT NULL, host TEXT NOT NULL, began REAL NOT NULL, ended REAL) STRICT;
"""

# From version n to n + 1: functions of a connection inside a transaction. Version 1 is the first that was released.
MIGRATIONS: dict[int, str] = {}


def check_file(path: Path) -> None:
    """Refuse what is no journal by its first bytes, before SQLite touches it; a file of 0 bytes is a fresh journal."""
    if path.is_dir():
        raise JournalError(f"{path} is a folder: a journal is a file, such as {path / 'runs.db'}")
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        return
    if head[:16] != b"SQLite format 3\x00":
        raise JournalError(f"{path} is no journal (it does not begin as a SQLite file): give another path")
    owner = int.from_bytes(head[68:72], "big")
    version = int.from_bytes(head[60:64], "big")
    if owner == 0 and version == 0 and not Path(f"{path}-wal").exists():
        raise JournalError(f"{path} is a SQLite file of another program, not a dalsegno journal: give another path")
    if owner not in (0, APPLICATION_ID):
        raise JournalError(f"{path} is a SQLite file of another program, not a dalsegno journal: give another path")
    if owner == APPLICATION_ID and version > VERSION:
        raise newer(path, version)


def newer(path: Path | None, version: int) -> JournalError:
    return JournalError(
        f"{path} has journal format {version} and this dalsegno knows formats up to {VERSION}: use a newer dalsegno"
    )


def prepare(connection: Connection) -> None:
    """Make the tables where there are none; bring an older file up to date; refuse what is not ours. Safe at once."""
    with connection.transaction() as raw:
        (owner,) = next(raw.execute("PRAGMA application_id"))
        (version,) = next(raw.execute("PRAGMA user_version"))
        (tables,) = next(raw.execute("SELECT count(*) FROM sqlite_schema"))
        if owner != APPLICATION_ID and tables:
            raise JournalError(f"{connection.path} is a SQLite file of another program, not a dalsegno journal")
        if version > VERSION:
            raise newer(connection.path, version)
        if not tables:
            raw.execute(TABLES)
            raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            raw.execute(f"PRAGMA user_version = {VERSION}")
            return
        while version < VERSION:
            raw.execute(MIGRATIONS[version])
            version += 1
            raw.execute(f"PRAGMA user_version = {version}")
