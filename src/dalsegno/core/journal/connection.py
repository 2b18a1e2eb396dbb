"""The one place that speaks to SQLite: connections, transactions that wait, checkpoints of the write-ahead log, errors.

The driver is the ``apsw`` wheel and not the standard library's ``sqlite3``.  Several programs write one journal, and
SQLite had a race between writers and checkpointers (the WAL-reset bug) that can corrupt a file; it was fixed in 3.51.3,
``sqlite3`` uses whatever library the system has (3.40.1 on Debian 12), and the wheel brings its own (3.54).  Speed does
not decide: both take about 100 microseconds of processor time for a commit and then wait for the disk
(``benchmarks/bench_journal.py`` prints both).

What this leaves to the user: a POSIX lock goes when *any* descriptor of a file is closed, so a program that is writing
a journal must not open that file by other means at the same time (``shutil.copy``, ``sqlite3.connect``); other programs
may, best reading only (``sqlite3 "file:runs.db?mode=ro"``) if their SQLite is older than 3.51.3.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from dalsegno.core.errors import JournalError

T = TypeVar("T")

POLL_SECONDS = 0.05  # SQLite waits this long by itself before this program looks whether it was asked to leave
CHECKPOINT_PAGES = 1_000  # the log is copied into the file after this many pages (4 MB), as far as readers let it
LARGE_LOG_PAGES = 16_000  # beyond this (64 MB) readers are waited for a little, so that the log can start afresh
LARGE_LOG_PAUSE = 5.0  # seconds between two such waits
LARGE_LOG_WAIT = 0.1  # seconds that one of them takes at most
KEPT_LOG_BYTES = 16 << 20  # what the log is cut to when it has started afresh

_open: weakref.WeakSet[Connection] = weakref.WeakSet()
_inherited: set[tuple[int, int]] = set()  # files that the parent had open when this program was forked off it


class Connection:
    """A connection to one journal; ``path`` None is a database in memory.

    ``options`` are those of a SQLite URI (``mode=ro&immutable=1``); with any, the connection only reads.  ``shown`` is
    the path that errors name, where this is a copy.
    """

    def __init__(self, path: Path | None, *, wait: float, options: str = "", shown: Path | None = None) -> None:
        import apsw

        self.apsw, self.path, self.wait, self.options, self.shown = apsw, path, wait, options, shown or path
        self.patience = wait
        self.log_pages = 0
        self.synchronous = True  # whether commits are fsynced at this moment
        self.next_large = 0.0
        self.pid = os.getpid()
        try:
            if path is None:
                self.raw = apsw.Connection(":memory:")
            elif options:
                flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
                self.raw = apsw.Connection(f"file:{quote(os.fsencode(path))}?{options}", flags=flags)
            else:
                self.refuse_fork(path)
                self.raw = apsw.Connection(str(path))
        except apsw.Error as error:
            raise self.say(error) from None
        self.raw.set_busy_timeout(int(min(wait, POLL_SECONDS) * 1000))
        self.place = None if path is None or options else place_of(path)
        if path is not None:
            _open.add(self)

    @property
    def name(self) -> str:
        return "the journal in memory" if self.path is None else f"journal {self.shown}"

    def refuse_fork(self, path: Path) -> None:
        if is_inherited(path):
            raise JournalError(
                f"journal {path} was open in the program that this one was forked from, and SQLite cannot be used on "
                "both sides of a fork: start this program by spawn (multiprocessing.get_context('spawn')) or subprocess"
            )

    def check_still_ours(self) -> None:
        """Refuse to write in a forked child, and into a file that is no longer at its path."""
        if self.pid != os.getpid():
            raise JournalError(
                f"{self.name} is being written by process {self.pid}, and this is process {os.getpid()}, forked from "
                "it: a forked program cannot write its parent's run"
            )
        if self.path is None:
            return
        found = place_of(self.path)
        if self.place is None:
            self.place = found  # SQLite makes a new file only when it first uses it
        elif found != self.place:
            raise JournalError(
                f"{self.name} was removed or replaced while it was being written: what was written since is lost with "
                "it. Put it back, or give the same command again to begin anew"
            )

    def write_ahead(self) -> None:
        """Write-ahead log, every commit fsynced; this program decides when the log is copied into the file."""
        if self.path is None:
            return
        mode = self.insist(lambda: self.raw.execute("PRAGMA journal_mode = WAL").fetchone())
        if mode is None or mode[0] != "wal":
            raise JournalError(
                f"{self.name}: its file system offers no shared memory, which SQLite's write-ahead log needs; "
                "keep the journal on a local disk"
            )
        self.raw.execute("PRAGMA synchronous = FULL")
        self.synchronous = True
        self.raw.execute("PRAGMA foreign_keys = ON")
        self.raw.execute(f"PRAGMA journal_size_limit = {KEPT_LOG_BYTES}")
        self.raw.set_wal_hook(self.log_grew)

    # -- queries ------------------------------------------------------------------------------------------------

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; a lock is waited for."""
        return self.insist(lambda: list(self.raw.execute(sql, values)))

    def dicts(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows of a query by column name."""

        def query() -> list[dict[str, Any]]:
            cursor = self.raw.execute(sql, values)
            found: list[dict[str, Any]] = []
            names: list[str] = []
            for row in cursor:
                names = names or [column[0] for column in cursor.get_description()]
                found.append(dict(zip(names, row, strict=True)))
            return found

        return self.insist(query)

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query one after the other, inside a reading transaction."""
        try:
            yield from self.raw.execute(sql, values)
        except self.apsw.Error as error:
            raise self.say(error) from None

    def insist(self, attempt: Callable[[], T]) -> T:
        """Do something that may find the file locked, again and again for as long as the connection was told to wait."""
        apsw = self.apsw
        until = time.monotonic() + self.patience
        while True:
            try:
                result = attempt()
                self.patience = self.wait
                return result
            except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
                if time.monotonic() >= until:
                    raise self.give_up(error) from None
                time.sleep(0.001)
            except apsw.Error as error:
                raise self.say(error) from None

    # -- transactions -------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE", *, durable: bool = True) -> Iterator[Any]:
        """A write transaction: a lock is waited for; all of it is committed and durable after it, or nothing.

        One that is not ``durable`` survives the death of the program and is on the disk with the next one that is; what
        nobody acts upon before that (the beginning and the end of an attempt's row) need not wait for the disk.
        """
        self.check_still_ours()
        if durable is not self.synchronous:
            self.raw.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.synchronous = durable
        self.insist(lambda: self.raw.execute(f"BEGIN {kind}"))
        try:
            yield self.raw
            self.insist(lambda: self.raw.execute("COMMIT"))
        except self.apsw.Error as error:
            self.undo()
            raise self.say(error) from None
        except BaseException:
            self.undo()
            raise
        if self.log_pages >= CHECKPOINT_PAGES:
            self.checkpoint()

    def undo(self) -> None:
        if self.raw.in_transaction:
            try:
                self.raw.execute("ROLLBACK")
            except self.apsw.Error:
                pass  # SQLite has rolled back by itself, as it does on a full disk

    def last_id(self) -> int:
        return int(self.raw.last_insert_rowid())

    # -- the log ------------------------------------------------------------------------------------------------

    def log_grew(self, raw: Any, name: str, pages: int) -> int:
        """SQLite tells after each commit how many pages the log has."""
        self.log_pages = pages
        return 0

    def checkpoint(self) -> None:
        """Copy the log into the file as far as readers let it; nobody is waited for, unless the log has become large.

        What was committed is durable in the log, so a checkpoint that fails (a full disk) loses nothing and the next
        commit that finds no room says so.
        """
        now = time.monotonic()
        if self.log_pages >= LARGE_LOG_PAGES and now >= self.next_large:
            self.next_large = now + LARGE_LOG_PAUSE
            self.shorten_log()
            return
        try:
            self.raw.wal_checkpoint(mode=self.apsw.SQLITE_CHECKPOINT_PASSIVE)
        except self.apsw.Error:
            pass

    def shorten_log(self) -> None:
        """Let the log start afresh, if its readers are done within a moment; those who write wait for that."""
        self.raw.set_busy_timeout(int(LARGE_LOG_WAIT * 1000))
        try:
            self.raw.wal_checkpoint(mode=self.apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self.log_pages = 0
        except self.apsw.Error:
            pass
        finally:
            self.raw.set_busy_timeout(int(min(self.wait, POLL_SECONDS) * 1000))

    # -- what went wrong, in words ------------------------------------------------------------------------------

    def give_up(self, error: Exception) -> JournalError:
        """Waited long enough; the next thing tried on this connection waits only a moment, so that a program can leave."""
        from dalsegno.core.journal.holders import describe_holders

        waited, self.patience = self.patience, min(self.wait, 0.2)
        who = "" if self.path is None else describe_holders(self.path)
        return JournalError(
            f"{self.name} is locked: another program{who} has held it for more than {waited:g} s ({error}). Nothing that "
            "was acknowledged is lost and no attempt counts as failed: close what holds it and give the same command again"
        )

    def say(self, error: Exception) -> JournalError:
        apsw = self.apsw
        if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and self.disk_is_full()):
            return JournalError(
                f"{self.name}: the disk is full. Nothing that was acknowledged is lost: free some space and give the "
                "same command again"
            )
        if isinstance(error, apsw.NotADBError):
            return JournalError(f"{self.shown} is no journal: it is not a SQLite file; give the journal another path")
        if isinstance(error, apsw.CorruptError):
            return JournalError(f"{self.name} is damaged ({error}): put back a copy of it, or begin with another path")
        if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
            return JournalError(
                f"{self.name} cannot be opened or written ({error}): check the permissions of its folder"
            )
        return JournalError(f"{self.name}: {type(error).__name__}: {error}")

    def disk_is_full(self) -> bool:
        if self.path is None:
            return False
        try:
            room = os.statvfs(self.path.parent)
        except OSError:
            return False
        return room.f_bavail * room.f_frsize < 64 << 10

    def close(self) -> None:
        _open.discard(self)
        if self.pid == os.getpid():
            self.raw.close()


def place_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file, None where there is none: what SQLite knows it by."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_inherited(path: Path) -> bool:
    """Whether a parent program had this file open when this one was forked off it."""
    return bool(_inherited) and place_of(path) in _inherited


def in_forked_child() -> None:
    """A forked child must not so much as close what it inherited: SQLite would act on locks that it does not have."""
    for connection in list(_open):
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection.raw))
        place = None if connection.path is None else place_of(connection.path)
        if place is not None:
            _inherited.add(place)
    _open.clear()


os.register_at_fork(after_in_child=in_forked_child)


def make_durable(folder: Path) -> None:
    """fsync a folder, so that a file made in it stays."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise JournalError(f"{folder} cannot be made durable ({error.strerror or error}): check its disk") from None
