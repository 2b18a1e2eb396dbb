"""Looking into a journal without changing a byte of it or beside it, whoever is writing it and however they died.

SQLite's plain way of reading a file with a write-ahead log makes a shared-memory file, and writes into one that is there.
So the way is chosen by what lies there:

``unchanging``   no log, or an empty one: the file is read as it is, without locks
``shared``       a log with its shared-memory file: that is opened for reading only, so that a live writer's locks are
                 honoured; where nobody is alive, SQLite makes itself an index of the log in memory
``copy``         anything else (a log without shared memory, a transaction that was cut off, a forked child): a copy of the
                 files in a temporary folder is read
``plain``        SQLite's own way, for the case that the file changes under the others again and again

The first three hold no lock, or may hold none where nobody is alive; so unless somebody was, the file must be the same
after the reading as before it: else it is read again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import owner
from dalsegno.core.journal.connection import Connection, is_inherited

T = TypeVar("T")

OPTIONS = {"unchanging": "mode=ro&immutable=1", "shared": "mode=ro&readonly_shm=1", "plain": "mode=ro"}
TRIES = 5
LOG_HEADER = 32  # bytes: a log that has no more holds nothing, and SQLite would wait for whoever died while it began it
BESIDE = ("-wal", "-journal")


def read(
    path: Path, wait: float, work: Callable[[Connection], T], *, upgrade: Callable[[Connection], None] | None = None
) -> tuple[T, str]:
    """Do ``work``, which only reads, on one unchanging view of the journal; its result, and the way it was read.

    With ``upgrade``, which may write, that is done first, to a copy.
    """
    for attempt in range(TRIES):
        how = "copy" if upgrade is not None else "plain" if attempt == TRIES - 1 else way_to_read(path)
        before, living = signature(path, how), owner.holder(path, 1, length=0)
        try:
            result = read_in_a_way(path, how, wait, work, upgrade)
        except JournalError:
            changed = signature(path, how) != before
            if attempt == TRIES - 1 or (how == "copy" and not changed):
                raise
            if not changed:  # such as a log whose shared memory a writer left in the middle of a change
                return read_in_a_way(path, "copy", wait, work, upgrade), "copy"
        else:
            if how == "plain" or signature(path, how) == before:
                return result, how
            if how == "shared" and living is not None and owner.holder(path, 1, length=0) == living:
                return result, how  # somebody wrote all the while, so the shared memory was there, and its locks held
    raise JournalError(f"journal {path} was changed {TRIES} times while it was read: try again")


def way_to_read(path: Path) -> str:
    if is_inherited(path) or size_of(f"{path}-journal"):
        return "copy"
    if size_of(f"{path}-wal") <= LOG_HEADER:
        return "unchanging"
    return "shared" if os.path.exists(f"{path}-shm") else "copy"


def size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def signature(path: Path, how: str) -> tuple[int, ...]:
    """What must not change while a file is read in this way."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    marks = [found.st_ino, found.st_size, found.st_mtime_ns]
    if how != "shared":  # a writer that appends to the log meanwhile is no matter there
        for name in BESIDE:
            try:
                beside = os.stat(f"{path}{name}")
            except OSError:
                marks.append(0)
            else:
                marks += [beside.st_size, beside.st_mtime_ns] if beside.st_size else [0]
    return tuple(marks)


def read_in_a_way(
    path: Path, how: str, wait: float, work: Callable[[Connection], T], upgrade: Callable[[Connection], None] | None
) -> T:
    if how != "copy":
        return done(Connection(path, wait=wait, options=OPTIONS[how]), work)
    with tempfile.TemporaryDirectory(prefix="dalsegno-") as folder:
        copy = Path(folder) / "journal.db"
        with copy.open("wb") as file:
            for piece in pieces(path):
                file.write(piece)
        for name in BESIDE:
            with suppress(FileNotFoundError):  # not there, or gone while it was looked at: the signature tells
                shutil.copyfile(f"{path}{name}", f"{copy}{name}")
        connection = Connection(copy, wait=wait, shown=path)
        if upgrade is not None:
            upgrade(connection)
        return done(connection, work)


def done(connection: Connection, work: Callable[[Connection], T]) -> T:
    try:
        connection.rows("BEGIN")
        return work(connection)
    finally:
        connection.close()


def head_of(path: Path) -> bytes:
    """The first 100 bytes of a file."""
    return next(pieces(path, 100), b"")


def pieces(path: Path, piece: int = 4 << 20) -> Iterator[bytes]:
    """A file's bytes, read through SQLite's own layer: closing it leaves the locks of this program's connections alone."""
    import apsw

    try:
        file = apsw.VFSFile("unix", str(path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    except apsw.Error as error:
        raise JournalError(f"{path} cannot be read ({error}): check its permissions") from None
    try:
        size = file.xFileSize()
        for place in range(0, size, piece):
            yield file.xRead(min(piece, size - place), place)
    except apsw.Error as error:
        raise JournalError(f"{path} cannot be read ({error})") from None
    finally:
        file.xClose()
