"""One owner a run, by an operating-system lock: it dies with its program, and anyone may ask who holds it.

An fcntl record lock, one byte a run, on ``<journal>.lock``.  The file is opened once a program and never closed, since
closing any descriptor of it would drop every lock the program has; a forked child inherits no record lock.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from dalsegno.core.errors import InUseError, JournalError

FLOCK = "hhqqi4x"  # struct flock on 64-bit Linux: type, whence, start, length, pid
_files: dict[tuple[int, str], int] = {}
_held: set[tuple[int, str, int]] = set()


def lock_path(journal: Path) -> Path:
    return Path(f"{journal}.lock")


def descriptor(journal: Path) -> int:
    """The lock file's descriptor in this program (a forked child opens its own)."""
    key = (os.getpid(), str(journal.resolve()))
    if key not in _files:
        _files[key] = os.open(lock_path(journal), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    return _files[key]


def holder(journal: Path, run: int) -> int | None:
    """The process id of the living owner of a run, or None; asking changes nothing and creates nothing."""
    key = (os.getpid(), str(journal.resolve()), run)
    if key in _held:
        return os.getpid()
    path = lock_path(journal)
    own = _files.get((os.getpid(), str(journal.resolve())))
    try:
        # A second descriptor would drop this program's locks when closed, so its own is used where there is one.
        file = own if own is not None else os.open(path, os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY)
    except FileNotFoundError:
        return None
    if own is None:
        _files[(os.getpid(), str(journal.resolve()))] = file
    kind = fcntl.F_WRLCK if os.access(path, os.W_OK) else fcntl.F_RDLCK
    try:
        answer = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(FLOCK, kind, os.SEEK_SET, run, 1, 0))
    except OSError as error:
        raise JournalError(
            f"{path}: locks cannot be asked for here ({error}); keep the journal on a local disk"
        ) from None
    found, _, _, _, pid = struct.unpack(FLOCK, answer)
    return None if found == fcntl.F_UNLCK else pid


def acquire(journal: Path, run: int) -> None:
    """Take the lock of a run, or raise :class:`InUseError` that names who has it."""
    key = (os.getpid(), str(journal.resolve()), run)
    if key in _held:
        raise InUseError(f"run {run} in {journal} is in use by this very program (process {os.getpid()})")
    file = descriptor(journal)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, run, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        pid = holder(journal, run)
        who = f"process {pid}" if pid else "a program on another machine"
        raise InUseError(f"run {run} in {journal} is in use by {who}: wait for it to end, or stop it") from None
    except OSError as error:
        raise JournalError(
            f"{lock_path(journal)}: record locks do not work here ({error}). Keep the journal on a local disk, "
            "or on a network file system with working locks"
        ) from None
    _held.add(key)


def release(journal: Path, run: int) -> None:
    key = (os.getpid(), str(journal.resolve()), run)
    if key in _held:
        _held.discard(key)
        fcntl.lockf(descriptor(journal), fcntl.LOCK_UN, 1, run, os.SEEK_SET)
