"""The snapshot store in memory, for runs without a journal: the same interface, nothing survives the program."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store import codec
from dalsegno.core.store.snapshot import FileEntry, Manifest


def own_copy(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "untyped_storage") else value.copy()


class MemoryStore:
    """Holds copies of states; a reader gives out copies again."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.held: dict[str, tuple[Manifest, dict[str, tuple[str, dict[str, Any]]]]] = {}

    def begin(self, step: int, *, name: str) -> MemoryWriter:
        return MemoryWriter(self, step, name)

    def open(self, name: str, checksum: str | None = None) -> MemoryReader:
        if name not in self.held:
            raise SnapshotError(f"snapshot {name} is not in memory")
        return MemoryReader(*self.held[name])

    def names(self) -> list[str]:
        return sorted(self.held)

    def remove(self, name: str) -> None:
        self.held.pop(name, None)

    def sweep(self) -> list[str]:
        return []


class MemoryWriter:
    def __init__(self, store: MemoryStore, step: int, name: str) -> None:
        self.store, self.step, self.name = store, step, name
        self.parts: dict[str, tuple[str, dict[str, Any]]] = {}

    def put(self, part: str, state: object) -> None:
        text, arrays = codec.encode(state)
        self.parts[part] = text, {key: own_copy(value) for key, value in arrays.items()}

    def commit(self) -> Manifest:
        files = {part: FileEntry(len(text), "") for part, (text, _) in self.parts.items()}
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


class MemoryReader:
    def __init__(self, manifest: Manifest, held: dict[str, tuple[str, dict[str, Any]]]) -> None:
        self.manifest, self.held = manifest, held

    def parts(self) -> tuple[str, ...]:
        return tuple(self.held)

    def get(self, part: str) -> Any:
        text, arrays = self.held[part]
        return codec.decode(text, {key: own_copy(value) for key, value in arrays.items()})

    def array(self, part: str, path: str, part_of: Any = ...) -> Any:
        return own_copy(self.held[part][1][path])[part_of]

    def verify(self) -> None:
        """Memory is as sound as the program that holds it."""
