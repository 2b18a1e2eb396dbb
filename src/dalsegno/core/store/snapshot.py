"""What a snapshot says of itself: its manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.errors import SnapshotError

FORMAT = 1


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and xxh3_128 checksum of one file."""

    bytes: int
    checksum: str


@dataclass(frozen=True)
class Manifest:
    """A snapshot's name, run and step, its parts, and every file with size and checksum.

    ``checksum`` is of the manifest's own file; the journal acknowledges a snapshot by it.
    """

    name: str
    run: str
    step: int
    created: float
    parts: tuple[str, ...]
    files: dict[str, FileEntry] = field(default_factory=dict)
    format: int = FORMAT
    checksum: str = ""

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.files.values())

    def to_json(self) -> str:
        files = {name: [entry.bytes, entry.checksum] for name, entry in self.files.items()}
        own = {name: getattr(self, name) for name in ("format", "name", "run", "step", "created")}
        return json.dumps({**own, "parts": list(self.parts), "files": files}, indent=1)

    @classmethod
    def from_json(cls, text: str, checksum: str, where: str) -> Manifest:
        try:
            data: dict[str, Any] = json.loads(text)
            found = int(data["format"])
            if found > FORMAT:
                raise SnapshotError(
                    f"{where} has snapshot format {found} and this dalsegno knows formats up to {FORMAT}"
                )
            files = {name: FileEntry(int(size), str(hashed)) for name, (size, hashed) in data["files"].items()}
            return cls(
                data["name"], data["run"], data["step"], data["created"], tuple(data["parts"]), files, found, checksum
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotError(f"{where} is no manifest of a snapshot ({type(error).__name__}: {error})") from None
