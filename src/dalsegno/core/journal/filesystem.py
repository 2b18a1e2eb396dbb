"""Whether the file system that a journal lies on keeps its promises: record locks that other programs see."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import warnings
from pathlib import Path

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import owner

MOUNTS = "/proc/self/mounts"
LOCAL = {"apfs", "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "ntfs", "ntfs3"}
LOCAL |= {"overlay", "ramfs", "reiserfs", "tmpfs", "ufs", "vfat", "xfs", "zfs"}
NETWORK = {"9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs"}
NETWORK |= {"gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2"}
NETWORK |= {"smb2", "smb3", "smbfs", "virtiofs", "wekafs"}
PROBE_BYTE = 1 << 40  # far from the bytes that stand for runs; the process id is added, so that probes do not meet

# Asks in a program of its own whether the lock that this one has taken is seen there; prints 1 or 0.
QUESTION = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(sys.argv[2]), os.SEEK_SET)
except OSError:
    print(1)
else:
    print(0)
"""

_checked: set[tuple[int, int]] = set()


class NetworkFileSystemWarning(UserWarning):
    """A journal lies on a network file system: programs on different machines must not share it."""


def kind_of(path: Path) -> str:
    """The type of the file system that a path lies on, by the kernel's list of mounts; "" where it has none."""
    try:
        lines = Path(MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place, best, kind = os.path.realpath(path), "", ""
    for line in lines:
        _, mounted, type_, *_ = line.split(" ")
        mounted = mounted.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = place == mounted or place.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= len(best):  # a later mount hides an earlier one
            best, kind = mounted, type_
    return kind


def check(journal: Path) -> None:
    """Refuse a place where locks do not work, and warn of one that several machines may see; once a program.

    Raises :class:`JournalError` where a lock that this program took is not seen by another one.
    """
    found = os.stat(journal.parent)
    place = (found.st_dev, found.st_ino)
    if place in _checked:
        return
    kind = kind_of(journal.parent)
    if kind not in LOCAL:
        if not locks_work(journal):
            raise JournalError(
                f"{journal} lies on a file system ({kind or 'of unknown type'}) where record locks do not work: a second "
                "program could write the same run. Keep the journal on a local disk"
            )
        if kind in NETWORK:
            warnings.warn(
                f"{journal} lies on a network file system ({kind}): its locks work here, but programs on different "
                "machines must not use one journal at a time, since SQLite's write-ahead log is shared through memory",
                NetworkFileSystemWarning,
                stacklevel=4,
            )
    _checked.add(place)


def locks_work(journal: Path) -> bool:
    """Take a lock and let a program of its own find out whether it sees it."""
    known = owner.descriptor(journal, writing=True)
    assert known is not None
    opened, byte = known[1], PROBE_BYTE + os.getpid()
    try:
        fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte, os.SEEK_SET)
    except OSError:
        return False
    try:
        command = [sys.executable, "-I", "-S", "-c", QUESTION, str(owner.lock_path(journal)), str(byte)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    finally:
        fcntl.lockf(opened, fcntl.LOCK_UN, 1, byte, os.SEEK_SET)
    return answer.stdout.strip() == "1"
