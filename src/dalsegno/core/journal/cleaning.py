"""Deleting runs, and collecting what deleted runs and interrupted saves have left beside a journal."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from dalsegno.core.errors import InUseError, JournalError
from dalsegno.core.journal import owner, removing
from dalsegno.core.journal.journal import Journal
from dalsegno.core.journal.opening import UID_LETTERS
from dalsegno.core.store.directory import DirectoryStore
from dalsegno.core.store.files import UNFINISHED


@dataclass
class Collected:
    """What a collection removed (or would remove), and the runs that it left alone as they are in use."""

    folders: list[str] = field(default_factory=list)
    bytes: int = 0
    busy: list[int] = field(default_factory=list)


def snapshots_of(journal: Journal) -> Path:
    if journal.file is None:
        raise JournalError("a journal in memory has no snapshots on disk")
    return Path(f"{journal.file}.snapshots")


def delete(journal: Journal, run: int) -> int:
    """Delete a run with its snapshots; how many snapshots there were. Raises :class:`InUseError` while it is running.

    The rows go first: a program that dies in between leaves folders that belong to no run, which :func:`collect` removes.
    """
    rows = journal.rows("runs", run)
    if not rows:
        raise JournalError(f"{journal.path} has no run {run}: `dalsegno show {journal.path}` lists its runs")
    journal.delete(run)
    store = DirectoryStore(snapshots_of(journal), rows[0]["uid"])
    names = store.names()
    for name in names:
        store.remove(name)
    store.sweep()
    return len(names)


def collect(journal: Journal, *, dry: bool = False) -> Collected:
    """Remove snapshots that no run can go back to: unfinished, never acknowledged, outlived, or of a run that is gone.

    Sound and damaged snapshots that the journal holds stay.  A run that is in use is left alone.  ``dry`` only looks.
    """
    found = Collected()
    # The folders are listed before the runs are read: a run's row is there before its first snapshot.
    there = folders(snapshots_of(journal))
    runs = {row["uid"]: row for row in journal.rows("runs")}
    for uid in sorted({folder.name.partition(".")[0] for folder in there}):
        if uid not in runs:
            take(found, [folder for folder in there if folder.name.startswith(f"{uid}.")], dry)
    for uid, run in runs.items():
        collect_run(journal, run["id"], uid, found, dry)
    if not dry:
        removing.shrink(journal)
    return found


def folders(path: Path) -> list[Path]:
    """What runs have put there; anything else is somebody's own and is left alone."""
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and is_ours(entry.name)) if path.is_dir() else []


def is_ours(name: str) -> bool:
    """Whether a folder is named as a snapshot is: a run's unique id, a dot, the snapshot's name."""
    uid, dot, rest = name.partition(".")
    return bool(dot and rest) and len(uid) == UID_LETTERS and all(letter in "0123456789abcdef" for letter in uid)


def collect_run(journal: Journal, run: int, uid: str, found: Collected, dry: bool) -> None:
    """Of one run, held as its owner meanwhile, so that nobody begins to save in it."""
    assert journal.file is not None
    mine = [folder for folder in folders(snapshots_of(journal)) if folder.name.startswith(f"{uid}.")]
    if not mine:
        return
    try:
        held = owner.acquire(journal.file, run, f"run {run}")
    except InUseError:
        found.busy.append(run)
        return
    try:
        kept = {row["name"] for row in journal.rows("snapshots", run) if row["state"] != "removed"}
        take(found, [folder for folder in mine if folder.name[len(uid) + 1 :] not in kept], dry)
    finally:
        owner.release(held)


def take(found: Collected, doomed: list[Path], dry: bool) -> None:
    for folder in doomed:
        found.folders.append(folder.name)
        found.bytes += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if dry:
            continue
        if not folder.name.endswith(UNFINISHED):  # renamed first, so that a half-removed one is never taken for whole
            folder = folder.rename(folder.with_name(folder.name + UNFINISHED))
        shutil.rmtree(folder, ignore_errors=True)
