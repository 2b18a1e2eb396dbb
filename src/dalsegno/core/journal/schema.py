"""The tables of a journal, its format version and how older formats are brought up, and the refusal of foreign files.

A format's number is ``PRAGMA user_version``; ``PRAGMA application_id`` says whose file it is.  Both stand in the first
100 bytes of the file from the moment it has any: the tables are made in rollback mode, in one transaction, and only then
is the write-ahead log switched on.  So a foreign file is known by its head, before SQLite has touched it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalsegno.core.errors import InUseError, JournalError
from dalsegno.core.journal import owner
from dalsegno.core.journal.connection import Connection, make_durable
from dalsegno.core.journal.looking import head_of, read

APPLICATION_ID = 0x44616C53  # "DalS"
MAGIC = b"SQLite format 3\x00"

FIRST_FORMAT = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid TEXT NOT NULL UNIQUE,              -- begins the names of its snapshots' folders
  name TEXT NOT NULL,
  seed TEXT,                             -- decimal: seeds may have more than 64 bits
  generation INTEGER NOT NULL DEFAULT 0, -- 0 is the one that counts; earlier ones were put aside by fresh=True
  root_seed TEXT,                        -- drawn where no seed was given
  state TEXT NOT NULL,                   -- open (running or interrupted: whose lock is it?), or how it ended
  started REAL NOT NULL,                 -- wall clock, for people; durations are never computed from it
  ended REAL,
  owner INTEGER NOT NULL DEFAULT 0,      -- counts the programs that owned it; who has an older number writes nothing more
  pid INTEGER, host TEXT,
  identity TEXT NOT NULL, outcome TEXT, verdict TEXT,
  paid_seconds REAL NOT NULL DEFAULT 0, paid_steps INTEGER NOT NULL DEFAULT 0, paid_cost TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE UNIQUE INDEX runs_by_name ON runs (name, ifnull(seed, ''), generation);

CREATE TABLE owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs, number INTEGER NOT NULL,
  pid INTEGER NOT NULL, host TEXT NOT NULL, began REAL NOT NULL, ended REAL
) STRICT;
CREATE INDEX owners_by_run ON owners (run);

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs,
  sequence INTEGER NOT NULL,             -- attempts, decisions and snapshots of a run share one numbering
  number INTEGER NOT NULL, seed TEXT NOT NULL, origin TEXT NOT NULL, started_from INTEGER, verified INTEGER,
  propensity REAL NOT NULL, state TEXT NOT NULL, censored INTEGER, started REAL NOT NULL, ended REAL,
  steps INTEGER, seconds REAL, cost TEXT, paid TEXT, value REAL, best_step INTEGER, failure TEXT, returned TEXT,
  reset_seconds REAL, summary TEXT
) STRICT;
CREATE INDEX attempts_by_run ON attempts (run);

CREATE TABLE branches (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs, attempt INTEGER NOT NULL REFERENCES attempts,
  number INTEGER NOT NULL,
  parent INTEGER REFERENCES branches,    -- its steps up to from_step count, those after it are abandoned
  from_step INTEGER NOT NULL, cause TEXT NOT NULL, decision INTEGER
) STRICT;
CREATE INDEX branches_by_attempt ON branches (attempt);
CREATE INDEX branches_by_run ON branches (run);

CREATE TABLE blocks (                    -- the steps: see blocks.py
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs, attempt INTEGER NOT NULL REFERENCES attempts,
  branch INTEGER NOT NULL REFERENCES branches,
  first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, count INTEGER NOT NULL,
  seconds REAL NOT NULL, cost TEXT NOT NULL, -- sums
  columns TEXT NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_by_branch ON blocks (branch, first_step);
CREATE INDEX blocks_by_run ON blocks (run);

CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs, sequence INTEGER NOT NULL,
  attempt INTEGER NOT NULL REFERENCES attempts, branch INTEGER NOT NULL REFERENCES branches, step INTEGER NOT NULL,
  verb TEXT NOT NULL, rule TEXT NOT NULL, action TEXT NOT NULL, saw TEXT NOT NULL, state TEXT NOT NULL,
  seconds REAL NOT NULL,                 -- of the run's own clock
  taken REAL NOT NULL, superseded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX decisions_by_run ON decisions (run);

CREATE TABLE snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs, sequence INTEGER NOT NULL,
  attempt INTEGER NOT NULL REFERENCES attempts, branch INTEGER NOT NULL REFERENCES branches, step INTEGER NOT NULL,
  name TEXT NOT NULL, kind TEXT NOT NULL, label TEXT,
  path TEXT NOT NULL,                    -- relative to the folder of the snapshots, <journal>.snapshots
  bytes INTEGER NOT NULL, checksum TEXT NOT NULL, metrics TEXT NOT NULL, value REAL,
  seconds REAL NOT NULL,                 -- what saving it took
  changes INTEGER NOT NULL, logical TEXT NOT NULL, saved REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'ok', why TEXT
) STRICT;
CREATE INDEX snapshots_by_run ON snapshots (run);

CREATE TABLE calls (                     -- of once: sent is committed before the call, the value before it is used
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs, attempt INTEGER NOT NULL REFERENCES attempts,
  branch INTEGER NOT NULL REFERENCES branches, step INTEGER NOT NULL, key TEXT NOT NULL,
  inputs TEXT NOT NULL, idempotency_key TEXT NOT NULL, state TEXT NOT NULL, sent INTEGER NOT NULL,
  held TEXT NOT NULL, value TEXT, cost TEXT, began REAL NOT NULL, ended REAL,
  UNIQUE (run, attempt, branch, step, key)
) STRICT;
"""


def make_tables(raw: Any) -> None:
    raw.execute(FIRST_FORMAT)


# Entry n brings a file of format n to format n + 1, inside a transaction; format 0 is an empty file.
MIGRATIONS: list[Callable[[Any], None]] = [make_tables]


def version() -> int:
    """The format that this dalsegno writes, and the newest that it reads."""
    return len(MIGRATIONS)


def recognise(path: Path, wait: float = 5.0) -> bool:
    """Whether there is a journal to be read at ``path``; False where the file is missing or empty, which is a fresh one.

    Raises :class:`JournalError` for a folder, a file that is not ours and a newer format; nothing is changed, and no
    file is made beside it.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JournalError(f"{path} cannot be looked at ({error.strerror}): give the journal another path") from None
    if os.path.isdir(path):
        raise JournalError(f"{path} is a folder: a journal is a file, such as {path / 'runs.db'}")
    if found.st_size == 0:
        return False
    head = head_of(path)
    if os.path.exists(f"{path}-journal") and not head.startswith(MAGIC):
        return died_while_made(path, wait)
    if not head.startswith(MAGIC) or len(head) < 100:
        raise JournalError(f"{path} is no journal: it is not a SQLite file; give the journal another path")
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise JournalError(f"{path} is a SQLite file of another program and no journal: give the journal another path")
    format_ = int.from_bytes(head[60:64], "big")
    if os.path.exists(f"{path}-wal") and format_ <= version():  # the log may have been upgraded where the head was not
        format_, _ = read(path, wait, format_of)
    if format_ > version():
        raise newer(path, format_)
    return True


def died_while_made(path: Path, wait: float) -> bool:
    """A file without a head beside a rollback journal: empty, if that is what going back gives (in a copy)."""
    (format_, tables), _ = read(
        path, wait, lambda connection: (format_of(connection), connection.rows("SELECT count(*) FROM sqlite_schema"))
    )
    if tables != [(0,)] and not 0 < format_ <= version():
        raise JournalError(f"{path} is a SQLite file of another program and no journal: give the journal another path")
    return True


def newer(path: Path | None, format_: int) -> JournalError:
    return JournalError(
        f"{path} has journal format {format_} and this dalsegno knows formats up to {version()}: use a newer dalsegno"
    )


def open_for_writing(path: Path, wait: float) -> Connection:
    """A connection to the journal at ``path``, made or brought up to date where need be.

    Any number of programs may do this at once.
    """
    if not path.parent.is_dir():
        raise JournalError(f"{path.parent} is no folder: make it first, or give the journal another path")
    there = recognise(path, wait)
    connection = Connection(path, wait=wait)
    try:
        if format_of(connection) != version():
            upgrade(connection)
        connection.write_ahead()
        if not there:
            make_durable(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def open_in_memory() -> Connection:
    connection = Connection(None, wait=0.0)
    upgrade(connection)
    return connection


def format_of(connection: Connection) -> int:
    ((found,),) = connection.rows("PRAGMA user_version")
    return int(found)


def upgrade(connection: Connection) -> None:
    """Bring a file from its format to this one, in one transaction; an empty file has format 0."""
    path = connection.path
    with connection.transaction("EXCLUSIVE") as raw:
        ((format_,),) = list(raw.execute("PRAGMA user_version"))
        ((tables,),) = list(raw.execute("SELECT count(*) FROM sqlite_schema"))
        if format_ > version():
            raise newer(path, format_)
        if format_ == version():
            return  # another program was there first, between our look at the file and our lock on it
        if format_ == 0 and tables:
            raise JournalError(
                f"{path} is a SQLite file of another program and no journal: give the journal another path"
            )
        if format_ and path is not None:
            living = owner.holder(path, 1, length=0)
            if living is not None:
                raise InUseError(
                    f"{path} has journal format {format_} and process {living} is using it: it is brought to format "
                    f"{version()} as soon as no run of it is running"
                )
        for migrate in MIGRATIONS[format_:]:
            migrate(raw)
        raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        raw.execute(f"PRAGMA user_version = {version()}")
