"""The one place that speaks to SQLite.

The driver is the ``apsw`` wheel, which carries a SQLite of its own (3.54): several programs write one journal, and the
library of many systems (3.40 on Debian 12) has the WAL-reset bug, a race between writers and checkpointers that can
corrupt a file and was fixed in 3.51.3.  ``benchmarks/journal.py`` times both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dalsegno.core.errors import JournalError

APPLICATION_ID = 0x44616C53  # "DalS"
WAIT_STEP = 0.02


class Connection:
    """A connection with transactions that wait for a lock as long as they were told to, and say who holds it up."""

    def __init__(self, path: Path | None, *, readonly: bool, wait: float) -> None:
        import apsw

        self.apsw, self.path, self.wait = apsw, path, wait
        flags = apsw.SQLITE_OPEN_URI
        if path is None:
            target, flags = ":memory:", flags | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        elif readonly:
            target, flags = str(path), flags | apsw.SQLITE_OPEN_READONLY
        else:
            target, flags = str(path), flags | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            self.raw = apsw.Connection(target, flags=flags)
        except apsw.Error as error:
            raise JournalError(f"{self.name} cannot be opened: {error}") from None
        self.raw.set_busy_timeout(int(min(wait, 5.0) * 1000))

    @property
    def name(self) -> str:
        return "the journal in memory" if self.path is None else f"journal {self.path}"

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; a lock is waited for."""
        until = time.monotonic() + self.wait
        while True:
            try:
                return list(self.raw.execute(sql, values))
            except self.apsw.BusyError as error:
                self.still(until, error)
            except self.apsw.Error as error:
                raise self.say(error) from None

    def dicts(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        try:
            cursor = self.raw.execute(sql, values)
            names = None
            found = []
            for row in cursor:
                if names is None:
                    names = [column[0] for column in cursor.get_description()]
                found.append(dict(zip(names, row, strict=True)))
            return found
        except self.apsw.Error as error:
            raise self.say(error) from None

    def still(self, until: float, error: Exception) -> None:
        if time.monotonic() >= until:
            raise JournalError(
                f"{self.name} is locked: another program has held it for more than {self.wait:g} s ({error}). "
                "Nothing is lost: close what holds it open and give the same command again"
            ) from None
        time.sleep(WAIT_STEP)

    def say(self, error: Exception) -> JournalError:
        apsw = self.apsw
        if isinstance(error, apsw.FullError):
            return JournalError(f"{self.name}: the disk is full. Free some space and give the same command again")
        if isinstance(error, apsw.NotADBError):
            return JournalError(f"{self.name} is no SQLite file: give the journal another path; nothing was changed")
        if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
            return JournalError(f"{self.name} cannot be written: {error}. Check the permissions of it and of its folder")
        return JournalError(f"{self.name}: {type(error).__name__}: {error}")

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """BEGIN IMMEDIATE ... COMMIT; a lock is waited for, everything else is rolled back and said."""
        apsw = self.apsw
        until = time.monotonic() + self.wait
        while True:
            try:
                self.raw.execute("BEGIN IMMEDIATE")
                break
            except apsw.BusyError as error:
                self.still(until, error)
            except apsw.Error as error:
                raise self.say(error) from None
        try:
            yield self.raw
            while True:
                try:
                    self.raw.execute("COMMIT")
                    return
                except apsw.BusyError as error:
                    self.still(until, error)
        except apsw.Error as error:
            self.undo()
            raise self.say(error) from None
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        if self.raw.in_transaction:
            try:
                self.raw.execute("ROLLBACK")
            except self.apsw.Error:
                pass  # the transaction is gone already: SQLite rolls back by itself on a full disk

    def last_id(self) -> int:
        return int(self.raw.last_insert_rowid())

    def close(self) -> None:
        self.raw.close()


def make_durable(folder: Path) -> None:
    """fsync a directory, so that a file made in it stays."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
