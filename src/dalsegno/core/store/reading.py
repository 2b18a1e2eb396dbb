"""Reading a snapshot: every byte is checked against the manifest before anything of it is handed out."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dalsegno.core.errors import MissingSnapshotError, SnapshotError
from dalsegno.core.store import codec, slices, tensor_file
from dalsegno.core.store.checksums import BLOCK, digest
from dalsegno.core.store.durable import Input, drain, reading
from dalsegno.core.store.files import LIBRARIES, MANIFEST, NAME, json_file, json_head, stamp_in
from dalsegno.core.store.files import tensor_file as name_of_tensors
from dalsegno.core.store.layouts import Library
from dalsegno.core.store.snapshot import FileEntry, Manifest

T = TypeVar("T")


class Reader:
    """One committed snapshot. ``manifest`` says what is in it; whatever is read is checked."""

    def __init__(self, folder: Path, run: str, name: str, checksum: str | None) -> None:
        self.folder, self.name = folder, name
        try:
            content = (folder / MANIFEST).read_bytes()
        except OSError as error:
            raise self.missing(MANIFEST, error) from None
        try:
            self.manifest = Manifest.from_bytes(content)
        except SnapshotError as error:
            raise self.damage(MANIFEST, str(error)) from None
        if (self.manifest.run, self.manifest.name) != (run, name):
            raise self.damage(
                MANIFEST, f"belongs to snapshot {self.manifest.name} of run {self.manifest.run}, not to run {run}"
            )
        strange = [file for file in self.manifest.files if not NAME.fullmatch(file)]
        if strange:
            raise self.damage(MANIFEST, f"names a file {strange[0]!r}, which is none of a snapshot")
        if checksum and checksum != self.manifest.checksum:
            raise self.damage(
                MANIFEST,
                f"is not the one that was saved: its checksum is {self.manifest.checksum}, not {checksum}",
            )

    def damage(self, file: str, what: str) -> SnapshotError:
        return SnapshotError(f"snapshot {self.name}: file {file} {what}")

    def missing(self, file: str, error: OSError) -> SnapshotError:
        return MissingSnapshotError(f"snapshot {self.name}: file {file} {unreadable(error)}")

    def parts(self) -> tuple[str, ...]:
        """The names of the parts, in the order in which they were put."""
        return self.manifest.parts

    def get(self, part: str, *, device: str | None = None) -> Any:
        """The state of one part: the same types, arrays and tensors in memory of their own and writable.

        Tensors go to the device that they were on where there is one of that name, else to the host; ``device``
        overrides that.  Raises SnapshotError that names snapshot, file and what is wrong.
        """
        text = self.text(part)
        arrays: dict[str, Any] = {}
        for library in LIBRARIES:
            name = name_of_tensors(part, library)
            if name in self.manifest.files:
                arrays.update(self.checked(name, partial(tensors, library=library)))
        try:
            return codec.decode(text, arrays, device=device)
        except SnapshotError as error:
            raise self.damage(json_file(part), f"cannot be read: {error}") from error

    def text(self, part: str) -> str:
        """The typed JSON of a part."""
        name = json_file(part)
        if part not in self.manifest.parts:
            raise SnapshotError(
                f"snapshot {self.name}: file {name} is not in it: its parts are {', '.join(self.manifest.parts)}"
            )
        text = self.checked(name, lambda file: file.buffered.read().decode())
        head = json_head(self.manifest.run, self.name, part)
        if not text.startswith(head) or not text.endswith("}\n"):
            raise self.damage(name, f"does not begin and end as part {part!r} of this snapshot does")
        return text[len(head) : -2]

    def checked(self, name: str, use: Callable[[Input], T]) -> T:
        """What ``use`` makes of a file, handed out only if all of the file is as it was saved."""
        entry = self.manifest.files[name]
        wrong: Exception | None = None
        try:
            with reading(self.folder / name) as file:
                if file.size == entry.bytes:
                    try:
                        made = use(file)
                    except (SnapshotError, ValueError, TypeError, LookupError, AttributeError) as error:
                        wrong = error
                    drain(file)
                    if file.checksum.bytes == entry.bytes and file.checksum.hexdigest() == entry.checksum:
                        if wrong is None:
                            return made
                        raise self.damage(name, f"cannot be read: {wrong}") from wrong
        except OSError as error:
            raise self.missing(name, error) from None
        raise self.damage(name, self.difference(self.folder / name, entry))

    def verify(self) -> None:
        """Read and check every byte. Raises SnapshotError at the first file that is not as it was saved."""
        for name in self.manifest.files:
            self.checked(name, drain)

    def array(self, part: str, path: str, slice: Any = ...) -> Any:
        """One array or tensor by its path in the state, or a slice of it, without reading the rest of a large file.

        ``slice`` is a basic index (integers, slices, an ellipsis).  Of a file over 16 MiB only those blocks are read
        and checked that hold the header and the rows asked for.
        """
        for library in LIBRARIES:
            name = name_of_tensors(part, library)
            if name in self.manifest.files:
                found = self.array_in(name, library, part, path, slice)
                if found is not None:
                    return found
        raise SnapshotError(f"snapshot {self.name}: part {part!r} has no array {path!r}")

    def array_in(self, name: str, library: Library, part: str, path: str, slice: Any) -> Any:
        try:
            with reading(self.folder / name) as file:
                blocks = CheckedBlocks(self, name, file)
                header, begin = tensor_file.read_header(slices.Stream(blocks.read), blocks.entry.bytes)
                places = tensor_file.index(header, begin, blocks.entry.bytes, library)
                return slices.find(places, blocks.read, path, slice, lambda: self.text(part))
        except OSError as error:
            raise self.missing(name, error) from None

    def difference(self, path: Path, entry: FileEntry) -> str:
        """What is wrong with a file that is not as it was saved."""
        said = stamp_in(path)
        if said.get("run", self.manifest.run) != self.manifest.run or said.get("snapshot", self.name) != self.name:
            return f"is not its own: it belongs to snapshot {said.get('snapshot')} of run {said.get('run')}"
        size = path.stat().st_size
        if size != entry.bytes:
            how = "is empty" if size == 0 else f"has {size} bytes"
            return f"{how}, and was saved with {entry.bytes}"
        return f"is damaged: {', and '.join(self.marks(path, entry))}"

    @staticmethod
    def marks(path: Path, entry: FileEntry) -> list[str]:
        with reading(path) as file:
            drain(file)
            found = [f"its checksum is {file.checksum.hexdigest()}, and it was saved with {entry.checksum}"]
            pairs = enumerate(zip(file.checksum.blocks, entry.blocks, strict=False))
            wrong = [f"{BLOCK * i} to {min(BLOCK * (i + 1), entry.bytes)}" for i, (one, other) in pairs if one != other]
            if wrong:
                found.append(f"it differs within bytes {', '.join(wrong[:4])}{', ...' if len(wrong) > 4 else ''}")
            tail = file.read_at(max(entry.bytes - (1 << 20), 0), 1 << 20)
            zeros = len(tail) - len(tail.rstrip(b"\0"))
            if zeros >= 512:
                found.append(f"its last {zeros} bytes or more are zero, as pages lost in a power failure are")
            return found


class CheckedBlocks:
    """Ranges of one file, read in whole blocks that are checked one by one."""

    def __init__(self, reader: Reader, name: str, file: Input) -> None:
        self.reader, self.name, self.file = reader, name, file
        self.entry = reader.manifest.files[name]
        if file.size != self.entry.bytes:
            raise reader.damage(name, reader.difference(reader.folder / name, self.entry))
        self.last: tuple[int, bytearray] = (-1, bytearray())

    def block(self, number: int) -> bytearray:
        if self.last[0] != number:
            content = self.file.read_at(number * BLOCK, min(BLOCK, self.entry.bytes - number * BLOCK))
            wanted = self.entry.blocks[number] if self.entry.blocks else self.entry.checksum
            if digest(content) != wanted:
                raise self.reader.damage(self.name, self.reader.difference(self.reader.folder / self.name, self.entry))
            self.last = number, content
        return self.last[1]

    def read(self, start: int, stop: int) -> bytes:
        found = bytearray()
        for number in range(start // BLOCK, -(-stop // BLOCK)):
            offset = number * BLOCK
            found += memoryview(self.block(number))[max(start - offset, 0) : stop - offset]
        return bytes(found)


def tensors(file: Input, library: Library) -> dict[str, Any]:
    return tensor_file.read(file.buffered, file.size, library)


def unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read: {os.strerror(error.errno) if error.errno else error}"
