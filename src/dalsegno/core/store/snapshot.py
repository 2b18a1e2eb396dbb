"""What a snapshot says of itself: its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store.checksums import digest

FORMAT = 1
Content = bytes  # Manifest has a field of that name
SEAL = ',\n "seal": "'  # before the last field, the checksum of everything above it


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and checksum (xxh3_128) of one file; ``blocks`` has that of every 16 MiB of a longer one."""

    bytes: int
    checksum: str
    blocks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"bytes": self.bytes, "checksum": self.checksum}
        return {**found, "blocks": list(self.blocks)} if self.blocks else found


@dataclass(frozen=True)
class Manifest:
    """A snapshot's name, run and step, its parts, and every file with size and checksum.

    ``created`` is a date of the wall clock, in seconds.  ``checksum`` is of the manifest's own file: by it a journal
    acknowledges the snapshot.  The file seals itself too, so that damage shows without a journal.

    >>> manifest = Manifest("s3", "run", 3, 0.0, ("process",), {"process.json": FileEntry(2, "ab")})
    >>> Manifest.from_bytes(manifest.to_bytes()).files["process.json"].bytes
    2
    """

    name: str
    run: str
    step: int
    created: float
    parts: tuple[str, ...]
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    format: int = FORMAT
    checksum: str = ""

    @property
    def bytes(self) -> int:
        """The size of the snapshot's files."""
        return sum(entry.bytes for entry in self.files.values())

    def to_bytes(self) -> Content:
        """The manifest's file: readable JSON, with a seal as its last field."""
        own = {name: getattr(self, name) for name in ("format", "name", "run", "step", "created", "parts")}
        files = {name: entry.to_dict() for name, entry in self.files.items()}
        body = json.dumps({**own, "files": files}, indent=1).removesuffix("\n}")
        return f'{body}{SEAL}{digest(body.encode())}"\n}}\n'.encode()

    @classmethod
    def from_bytes(cls, content: Content) -> Manifest:
        """The manifest of a file's content. Raises SnapshotError that says what is wrong with it."""
        try:
            text = content.decode()
            data: dict[str, Any] = json.loads(text)
            found = int(data["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"is no manifest of a snapshot ({error})") from None
        if found > FORMAT:
            raise SnapshotError(
                f"has format {found} and this version of dalsegno reads formats up to {FORMAT}: upgrade it"
            )
        body, _, rest = text.rpartition(SEAL)
        if rest != f'{digest(body.encode())}"\n}}\n':
            raise SnapshotError("is damaged: its contents do not agree with its seal")
        try:
            files = {
                name: FileEntry(entry["bytes"], entry["checksum"], tuple(entry.get("blocks", ())))
                for name, entry in data["files"].items()
            }
            parts = tuple(data["parts"])
            return cls(data["name"], data["run"], data["step"], data["created"], parts, files, found, digest(content))
        except (KeyError, TypeError, AttributeError) as error:
            raise SnapshotError(f"is no manifest of a snapshot ({type(error).__name__}: {error})") from None
