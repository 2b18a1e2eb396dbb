"""Deleting a run's rows, and giving the space that deleted runs have left back to the file system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dalsegno.core.errors import JournalError, UsageError
from dalsegno.core.journal import owner

if TYPE_CHECKING:
    from dalsegno.core.journal.journal import Journal

TABLES = ("calls", "snapshots", "decisions", "blocks", "branches", "attempts", "owners")  # those that refer come first


def delete(journal: Journal, run: int) -> list[str]:
    path = file_of(journal)
    if not path.exists():
        raise JournalError(f"there is no journal at {journal.path}")
    connection = journal.writable()
    lock = None
    try:
        with connection.transaction() as raw:
            found = raw.execute("SELECT uid, name FROM runs WHERE id = ?", (run,)).fetchone()
            if found is None:
                raise JournalError(f"{journal.path} has no run {run}")
            lock = owner.acquire(path, run, f"run {run} ({found[1]!r})")
            names = raw.execute("SELECT name FROM snapshots WHERE run = ? AND state != 'removed'", (run,)).fetchall()
            for table in TABLES:
                raw.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
            raw.execute("DELETE FROM runs WHERE id = ?", (run,))
    finally:
        if lock is not None:
            owner.release(lock)
        connection.close()
    return [f"{found[0]}.{name}" for (name,) in names]


def shrink(journal: Journal) -> None:
    """Nothing is done while any run is running, which would have to wait for it."""
    path = file_of(journal)
    if not path.exists() or owner.holder(path, 1, length=0) is not None:
        return
    connection = journal.writable()
    try:
        connection.rows("VACUUM")
        connection.shorten_log()
    finally:
        connection.close()


def file_of(journal: Journal) -> Path:
    if journal.file is None:
        raise UsageError("a journal in memory has nothing to delete")
    return journal.file
