"""One owner a run, by an operating-system lock: it dies with its program, and anyone may ask who holds it.

An fcntl record lock, one byte a run, on ``<journal>.lock``.  The file is opened once a program and never closed, since
closing any descriptor of it would drop every lock the program has on it.  A forked child inherits no record lock, so it
neither owns nor drops what its parent owns.  A lock file that outlives its owner holds nothing back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import threading
from pathlib import Path

from dalsegno.core.errors import InUseError, JournalError

File = tuple[int, int]  # device and inode
Ownership = tuple[int, File, int]  # process, lock file and byte

_guard = threading.Lock()
_descriptors: dict[tuple[File, bool], int] = {}  # of a lock file, and whether it may be written
_held: set[Ownership] = set()  # what this very program owns


def lock_path(journal: Path) -> Path:
    return Path(f"{journal}.lock")


def descriptor(journal: Path, *, writing: bool) -> tuple[File, int] | None:
    """This program's descriptor of the lock file; None where there is no lock file and none is to be made."""
    path = lock_path(journal)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if not writing:
            return None
    else:
        file = (found.st_dev, found.st_ino)
        for key in ((file, True), (file, writing)):
            if key in _descriptors:
                return file, _descriptors[key]
    try:
        opened = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if writing else 0), 0o666)
        writable = True
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not writing:
            return None  # removed between the two looks
        if writing:
            raise JournalError(
                f"{path} cannot be opened ({error.strerror}): check the permissions of its folder"
            ) from None
        try:
            opened, writable = os.open(path, os.O_RDONLY | os.O_CLOEXEC), False
        except OSError as again:
            raise JournalError(f"{path} cannot be read ({again.strerror}): check its permissions") from None
    found = os.fstat(opened)
    file = (found.st_dev, found.st_ino)
    kept = _descriptors.setdefault((file, writable), opened)  # one that is superfluous stays open all the same
    return file, kept


def holder(journal: Path, byte: int, length: int = 1) -> int | None:
    """The process id of the living owner of a byte, or None; asking changes nothing and creates nothing.

    An owner on another machine, or outside this container, has the id 0.  ``length`` 0 asks for all bytes from there on.
    """
    with _guard:
        known = descriptor(journal, writing=False)
    if known is None:
        return None
    file, opened = known
    own = os.getpid()
    if any(pid == own and of == file and (at == byte or (at > byte and length == 0)) for pid, of, at in _held):
        return own
    try:
        found, pid = ask(opened, byte, length)
    except OSError as error:
        raise broken(journal, error) from None
    return None if found == fcntl.F_UNLCK else max(pid, 0)


def ask(opened: int, byte: int, length: int) -> tuple[int, int]:
    """F_GETLK: the kind of lock that stands in the way of one on these bytes, and whose it is."""
    if sys.platform == "darwin":  # struct flock begins with the start there
        answer = fcntl.fcntl(opened, fcntl.F_GETLK, struct.pack("qqihh", byte, length, 0, fcntl.F_RDLCK, os.SEEK_SET))
        _, _, pid, found, _ = struct.unpack("qqihh", answer)
    else:
        answer = fcntl.fcntl(opened, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, byte, length, 0))
        found, _, _, _, pid = struct.unpack("hhqqi4x", answer)
    return found, pid


def acquire(journal: Path, byte: int, what: str, host: str | None = None) -> Ownership:
    """Take a byte, or raise :class:`InUseError` that says who has it; ``what`` names what the byte stands for."""
    with _guard:
        known = descriptor(journal, writing=True)
        assert known is not None
        file, opened = known
        key = (os.getpid(), file, byte)
        if key in _held:
            raise InUseError(f"{what} in {journal} is in use by this very program (process {os.getpid()})")
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte, os.SEEK_SET)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise broken(journal, error) from None
        else:
            _held.add(key)
            return key
    pid = holder(journal, byte)
    who = f"process {pid}" if pid else "a program that is not of this machine or container"
    where = f" on {host}" if host else ""
    raise InUseError(f"{what} in {journal} is in use by {who}{where}: wait for it to end, or stop it")


def release(held: Ownership) -> None:
    """Let go of what :func:`acquire` gave; in a forked child nothing is held, and nothing happens."""
    with _guard:
        if held in _held and held[0] == os.getpid():
            _held.discard(held)
            fcntl.lockf(_descriptors[(held[1], True)], fcntl.LOCK_UN, 1, held[2], os.SEEK_SET)


def broken(journal: Path, error: OSError) -> JournalError:
    return JournalError(
        f"{lock_path(journal)}: record locks do not work here ({error.strerror}). Keep the journal on a local disk, or on "
        "a network file system with working locks"
    )
