"""Writing a snapshot: its parts into a folder with a temporary name, which gets its own once every byte is durable."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

from dalsegno.core.errors import JournalError, SnapshotError
from dalsegno.core.store import codec, tensor_file
from dalsegno.core.store.durable import Output, fsync_folder, make_folder
from dalsegno.core.store.files import LIBRARIES, MANIFEST, UNFINISHED, check_name, json_file, json_head, stamp
from dalsegno.core.store.files import tensor_file as name_of_tensors
from dalsegno.core.store.layouts import is_tensor
from dalsegno.core.store.snapshot import FileEntry, Manifest


class Writer:
    """One snapshot that is being written; nothing of it counts before :meth:`commit` returns.

    Parts may be put by several threads.  As a context manager it gives up when an exception leaves the block.
    """

    def __init__(self, folder: Path, run: str, step: int, name: str) -> None:
        self.final, self.run, self.step, self.name = folder, run, step, name
        self.folder = folder.with_name(folder.name + UNFINISHED)
        self.parts: list[str] = []
        self.outputs: dict[str, Output] = {}
        self.lock = Lock()
        self.ended = True  # as long as there is nothing of ours to give up
        with self.failures():
            make_folder(folder.parent)
            for taken in (folder, self.folder):
                if taken.exists():
                    raise SnapshotError(
                        f"snapshot {name} is there already, in {taken}: a snapshot is never written over, and sweep() "
                        "clears what an interrupted program has left"
                    )
            self.folder.mkdir()
        self.ended = False

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Whatever goes wrong in here, nothing of the snapshot stays, and trouble with the disk is a JournalError."""
        try:
            yield
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                where = error.filename or self.final.parent
                raise JournalError(
                    f"snapshot {self.name} cannot be written: {error.strerror or error} ({where}). The snapshots "
                    "before it are whole"
                ) from error
            raise

    def put(self, part: str, state: object) -> None:
        """Write one part: its typed JSON, and its arrays and tensors as safetensors.

        The state may change again once this returns.  Raises UnsavableError with the path of what cannot be saved, and
        JournalError if the disk refuses.
        """
        check_name("part", part)
        with self.failures():
            self.claim(part)
            text, arrays = codec.encode(state)
            whole = json_head(self.run, self.name, part) + text + "}\n"
            self.write(json_file(part), lambda file: file.write(whole.encode()))
            for library in LIBRARIES:
                own = {key: array for key, array in arrays.items() if is_tensor(array) == (library == "torch")}
                if own:
                    self.write_tensors(name_of_tensors(part, library), own, stamp(self.run, self.name, part))

    def claim(self, part: str) -> None:
        with self.lock:
            if self.ended:
                raise SnapshotError(f"snapshot {self.name} is committed or given up: part {part!r} comes too late")
            if part in self.parts:
                raise SnapshotError(f"part {part!r} of snapshot {self.name} was put twice")
            self.parts.append(part)

    def write_tensors(self, name: str, arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
        self.write(name, lambda file: tensor_file.write(file, arrays, metadata))

    def write(self, name: str, fill: Callable[[Any], Any]) -> None:
        file = Output(self.folder / name)
        with self.lock:
            self.outputs[name] = file
        fill(file.buffered)
        file.buffered.flush()

    def commit(self) -> Manifest:
        """Make every byte durable, give the snapshot its name, and return its manifest."""
        with self.failures():
            if self.ended:
                raise SnapshotError(f"snapshot {self.name} is committed or given up already")
            for file in self.outputs.values():
                file.sync()
                file.close()
            files = {name: self.entry(file) for name, file in sorted(self.outputs.items())}
            manifest = Manifest(self.name, self.run, self.step, time.time(), tuple(self.parts), files)
            content = manifest.to_bytes()
            self.write(MANIFEST, lambda file: file.write(content))
            self.outputs[MANIFEST].sync()
            self.outputs[MANIFEST].close()
            fsync_folder(self.folder)
            self.folder.rename(self.final)
            self.folder = self.final  # should the last step fail, this is what is given up
            fsync_folder(self.final.parent)
            self.ended = True
        return Manifest.from_bytes(content)

    @staticmethod
    def entry(file: Output) -> FileEntry:
        return FileEntry(file.checksum.bytes, file.checksum.hexdigest(), file.checksum.blocks)

    def abort(self) -> None:
        """Give up: remove what was written. After ``commit`` it does nothing."""
        if self.ended:
            return
        self.ended = True
        for file in self.outputs.values():
            file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or not self.ended:
            self.abort()
