"""The snapshot store on a local directory: a folder a snapshot, which is whole or not there at all."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from dalsegno.core.errors import JournalError, SnapshotError
from dalsegno.core.store.files import (
    MANIFEST,
    NAME,
    REMOVED,
    RUN,
    UNFINISHED,
    check_name,
    stamp_in,
)
from dalsegno.core.store.reading import Reader
from dalsegno.core.store.snapshot import Manifest
from dalsegno.core.store.writing import Writer

__all__ = ["DirectoryStore", "Reader", "Writer"]


class DirectoryStore:
    """The snapshots of one run, in a directory that several runs share; what this run did not write is never touched.

    ``run`` is the run's unique id.  The snapshot named ``n`` is the folder ``<path>/<run>.n`` with a manifest, and for
    each part a JSON file and, where there are any, a safetensors file of NumPy arrays and one of torch tensors.

    >>> import tempfile
    >>> store = DirectoryStore(Path(tempfile.mkdtemp()), "run-a")
    >>> with store.begin(3, name="s3") as writer:
    ...     writer.put("process", {"n": 3})
    ...     manifest = writer.commit()
    >>> store.names(), store.open("s3", manifest.checksum).get("process")
    (['s3'], {'n': 3})
    """

    def __init__(self, path: str | os.PathLike[str], run: str) -> None:
        self.path, self.run = Path(path), check_name("run", run, RUN)

    def folder(self, name: str) -> Path:
        return self.path / f"{self.run}.{check_name('snapshot', name)}"

    def begin(self, step: int, *, name: str) -> Writer:
        """Begin the snapshot ``name`` of a step. Raises JournalError where the directory cannot be written."""
        return Writer(self.folder(name), self.run, step, name)

    def open(self, name: str, checksum: str | None = None) -> Reader:
        """A reader of a committed snapshot; ``checksum`` is the manifest's that was acknowledged.

        Raises SnapshotError where the manifest is missing, damaged, another's or of a newer format.
        """
        return Reader(self.folder(name), self.run, name, checksum)

    def names(self) -> list[str]:
        """The names of this run's committed snapshots, sound or not, in alphabetical order."""
        return sorted(name for name, folder in self.own() if (folder / MANIFEST).is_file())

    def own(self) -> list[tuple[str, Path]]:
        """Name and folder of everything of this run that has its final name."""
        return [(name, folder) for name, folder in self.entries() if not name.endswith(UNFINISHED)]

    def entries(self) -> list[tuple[str, Path]]:
        mark = f"{self.run}."
        try:
            with os.scandir(self.path) as entries:
                found = [e.name for e in entries if e.name.startswith(mark) and e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f"{self.path} cannot be read: {error.strerror}") from error
        return [(name.removeprefix(mark), self.path / name) for name in found]

    def remove(self, name: str) -> None:
        """Remove a snapshot that this run wrote; one that is not there is removed already.

        From the first moment on it is no snapshot any more, however far the removal gets.  Other files in its folder
        stay, and then the folder stays too.
        """
        folder = self.folder(name)
        if not folder.is_dir():
            return
        try:
            doomed = self.files_of(folder, name)
            with suppress(FileNotFoundError):
                (folder / MANIFEST).rename(folder / REMOVED)
            for file in doomed:
                (folder / file).unlink(missing_ok=True)
            (folder / REMOVED).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()
        except OSError as error:
            raise JournalError(f"snapshot {name} cannot be removed from {folder}: {error.strerror}") from error

    def files_of(self, folder: Path, name: str) -> list[str]:
        """What this run wrote into the folder of a snapshot: what the manifest lists, or what says so of itself."""
        for file in (MANIFEST, REMOVED):
            try:
                manifest = Manifest.from_bytes((folder / file).read_bytes())
            except (FileNotFoundError, SnapshotError):
                continue
            if (manifest.run, manifest.name) != (self.run, name):
                raise SnapshotError(
                    f"snapshot {name}: file {file} belongs to snapshot {manifest.name} of run {manifest.run}: "
                    "it is not this run's to remove"
                )
            return [file for file in manifest.files if NAME.fullmatch(file)]
        stamps = {file.name: stamp_in(file) for file in folder.iterdir() if file.suffix in (".json", ".safetensors")}
        return [file for file, said in stamps.items() if (said.get("run"), said.get("snapshot")) == (self.run, name)]

    def sweep(self) -> list[str]:
        """Clear what this run's unfinished saves and removals have left; returns the snapshots' names.

        To be called when nobody else writes for this run, as at its start.
        """
        left = []
        for name, folder in self.entries():
            if name.endswith(UNFINISHED):
                shutil.rmtree(folder, ignore_errors=True)
            elif (folder / REMOVED).is_file():
                name = name + UNFINISHED
                self.remove(name.removesuffix(UNFINISHED))
            else:
                continue
            left.append(name.removesuffix(UNFINISHED))
        return sorted(left)
