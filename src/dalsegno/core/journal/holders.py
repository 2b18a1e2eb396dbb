"""Who holds a lock that this program waits for: read from the kernel's own list, where there is one (Linux).

No file is opened for it: closing a descriptor of a SQLite file would drop the locks that this program has on it.
"""

from __future__ import annotations

import os
from pathlib import Path

WRITE_LOCK_BYTE = 120  # of the shared-memory file: the lock of the one writer that a write-ahead log has
LOCKS = "/proc/locks"


def lock_holders(journal: Path) -> list[int]:
    """The ids of the processes that hold a write lock on a journal; empty where that cannot be told."""
    inodes: dict[str, bool] = {}
    for path, shared_memory in ((f"{journal}-shm", True), (str(journal), False)):
        try:
            inodes[str(os.stat(path).st_ino)] = shared_memory
        except OSError:
            continue
    try:
        with open(LOCKS, encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found: list[int] = []
    for line in lines:
        fields = line.split()
        if len(fields) != 8 or fields[3] != "WRITE":  # waiting ones have a ninth field, an arrow
            continue
        pid, inode, first = int(fields[4]), fields[5].rsplit(":", 1)[-1], int(fields[6])
        if inode in inodes and (not inodes[inode] or first <= WRITE_LOCK_BYTE) and pid > 0 and pid not in found:
            found.append(pid)
    return found


def describe_holders(journal: Path) -> str:
    """The holders in words, in brackets: process ids with the names of their programs; "" where it cannot be told."""
    words = []
    for pid in lock_holders(journal):
        if pid == os.getpid():
            words.append("another connection of this very program")
            continue
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                words.append(f"process {pid}, {file.read().strip()}")
        except OSError:
            words.append(f"process {pid}")
    return f" ({'; '.join(words)})" if words else ""
