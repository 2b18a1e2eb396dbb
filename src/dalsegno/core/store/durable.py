"""Durable files: written and read through a checksum, and made to last."""

from __future__ import annotations

import io
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from dalsegno.core.store.checksums import Checksum

PIECE = 1 << 20  # bytes in one go: they are still in the processor's cache when they are hashed
BEHIND = 8 << 20  # bytes after which the disk begins to write what it got, instead of waiting for fsync
SMALL = 1 << 16  # bytes that are not worth a mapping


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


class Output(io.RawIOBase):
    """A new file; what goes into it is hashed on the way. It is durable after :meth:`sync`."""

    def __init__(self, path: Path) -> None:
        self.path, self.checksum = path, Checksum()
        self.begun = 0  # up to where the disk was told to begin
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self.buffered = io.BufferedWriter(self, PIECE)

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        view = memoryview(content)[:PIECE]
        if self.descriptor < 0:
            return len(view)  # given up: what was still in the buffer goes nowhere
        written = os.write(self.descriptor, view)
        self.checksum.update(view[:written])
        if self.checksum.bytes - self.begun >= BEHIND:
            begin_writing(self.descriptor, self.begun, self.checksum.bytes - self.begun)
            self.begun = self.checksum.bytes
        return written

    def sync(self) -> None:
        self.buffered.flush()
        os.fsync(self.descriptor)

    def close(self) -> None:
        """Close the file, whatever has become of it."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


@cache
def sync_file_range() -> Any:
    """Linux's call of that name, which Python does not have; None elsewhere."""
    import ctypes

    try:
        call = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call


def begin_writing(descriptor: int, start: int, length: int) -> None:
    """Let the disk begin, without waiting for it. Only speed depends on it: what goes wrong is told by fsync."""
    call = sync_file_range()
    if call is not None:
        call(descriptor, start, length, 2)  # SYNC_FILE_RANGE_WRITE


class Input(io.RawIOBase):
    """An existing file; what is read of it is hashed on the way."""

    def __init__(self, path: Path) -> None:
        self.checksum = Checksum()
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self.descriptor).st_size
        self.buffered = io.BufferedReader(self, max(min(PIECE, self.size), 1))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[:PIECE]
        count = os.readv(self.descriptor, [view])
        self.checksum.update(view[:count])
        return count

    def read_at(self, start: int, length: int) -> bytearray:
        """Bytes from the middle, past the checksum of the stream; fewer at the end of the file."""
        found = bytearray(length)
        count = 0
        while count < length:
            got = os.preadv(self.descriptor, [memoryview(found)[count:]], start + count)
            if not got:
                break
            count += got
        return found[:count]

    def close(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


@contextmanager
def reading(path: Path) -> Iterator[Input]:
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for for ever
        raise OSError(f"{path.name} is no file")
    file = Input(path)
    try:
        yield file
    finally:
        file.close()


def drain(file: Input) -> None:
    """Read what is left of a file, for its checksum alone, through one piece of memory."""
    left = file.size - file.checksum.bytes
    if left <= SMALL:
        file.buffered.read()
        return
    with mmap.mmap(-1, PIECE) as memory, memoryview(memory) as view:  # page by page, which the kernel copies to fastest
        while file.buffered.readinto(view):
            pass
