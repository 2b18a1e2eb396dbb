"""The snapshot store in memory, for runs without a journal: the same interface, and nothing survives the program."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store import codec
from dalsegno.core.store.layouts import own_copy
from dalsegno.core.store.slices import basic
from dalsegno.core.store.snapshot import FileEntry, Manifest
from dalsegno.core.store.typed import shared_memory

Held = tuple[str, Mapping[str, Any]]  # typed JSON, and copies of the arrays


class MemoryStore:
    """Holds copies of states on the host; a reader gives out copies again. What cannot be saved is refused here too.

    >>> store = MemoryStore("run-a")
    >>> with store.begin(3, name="s3") as writer:
    ...     writer.put("process", {"n": [1, 2]})
    ...     manifest = writer.commit()
    >>> store.open("s3").get("process")
    {'n': [1, 2]}
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.held: dict[str, tuple[Manifest, dict[str, Held]]] = {}

    def begin(self, step: int, *, name: str) -> MemoryWriter:
        """Begin the snapshot ``name`` of a step."""
        if name in self.held:
            raise SnapshotError(f"snapshot {name} is in memory already: a snapshot is never written over")
        return MemoryWriter(self, step, name)

    def open(self, name: str, checksum: str | None = None) -> MemoryReader:
        """A reader of a snapshot; SnapshotError where memory does not hold it."""
        if name not in self.held:
            raise SnapshotError(
                f"snapshot {name}: it is not in this program's memory (a run without a journal keeps none)"
            )
        return MemoryReader(name, *self.held[name])

    def names(self) -> list[str]:
        return sorted(self.held)

    def remove(self, name: str) -> None:
        self.held.pop(name, None)

    def sweep(self) -> list[str]:
        """Nothing is ever left over in memory."""
        return []


class MemoryWriter:
    """One snapshot that is being taken; nothing of it counts before ``commit``."""

    def __init__(self, store: MemoryStore, step: int, name: str) -> None:
        self.store, self.step, self.name = store, step, name
        self.parts: dict[str, Held] = {}

    def put(self, part: str, state: object) -> None:
        """Copy one part. Raises UnsavableError with the path of what could not be saved in a file either."""
        if part in self.parts:
            raise SnapshotError(f"part {part!r} of snapshot {self.name} was put twice")
        text, arrays = codec.encode(state)
        self.parts[part] = text, {key: own_copy(array) for key, array in arrays.items()}

    def commit(self) -> Manifest:
        files = {part: FileEntry(size_of(held), "") for part, held in self.parts.items()}
        manifest = Manifest(self.name, self.store.run, self.step, time.time(), tuple(self.parts), files)
        self.store.held[self.name] = manifest, self.parts
        return manifest

    def abort(self) -> None:
        self.parts = {}

    def __enter__(self) -> MemoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.abort()


def size_of(held: Held) -> int:
    text, arrays = held
    return len(text) + sum(int(array.nbytes) for array in arrays.values())


class MemoryReader:
    """One snapshot in memory."""

    def __init__(self, name: str, manifest: Manifest, held: Mapping[str, Held]) -> None:
        self.name, self.manifest, self.held = name, manifest, held

    def parts(self) -> tuple[str, ...]:
        return self.manifest.parts

    def of(self, part: str) -> Held:
        if part not in self.held:
            raise SnapshotError(f"snapshot {self.name}: it has no part {part!r}: its parts are {', '.join(self.held)}")
        return self.held[part]

    def get(self, part: str, *, device: str | None = None) -> Any:
        """The state of one part, in memory of its own."""
        text, arrays = self.of(part)
        return codec.decode(text, {key: own_copy(array) for key, array in arrays.items()}, device=device)

    def array(self, part: str, path: str, slice: Any = ...) -> Any:
        """One array or tensor by its path in the state, or a slice of it."""
        text, arrays = self.of(part)
        index = basic(slice)
        if path in arrays:
            return own_copy(arrays[path][index])
        node = shared_memory.find(text, path)
        if node is None:
            raise SnapshotError(f"snapshot {self.name}: part {part!r} has no array {path!r}")
        return own_copy(shared_memory.Views().of(node["k"], arrays[node["k"]], node.get("view"))[index])

    def verify(self) -> None:
        """Memory is as sound as the program that holds it."""
