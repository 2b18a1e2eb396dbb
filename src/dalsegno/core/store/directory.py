"""The snapshot store on a local directory: a folder a snapshot, renamed into place once every byte of it is durable."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from dalsegno.core.errors import JournalError, SnapshotError
from dalsegno.core.store import codec
from dalsegno.core.store.snapshot import FileEntry, Manifest

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
CHUNK = 1 << 20


def hasher() -> Any:
    import xxhash

    return xxhash.xxh3_128()


def fsync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DirectoryStore:
    """Snapshots of one run in a folder that runs share; what this run did not write is never touched.

    ``run`` is the run's unique id; a snapshot named ``n`` lies in ``<path>/<run>.n``.
    """

    def __init__(self, path: str | os.PathLike[str], run: str) -> None:
        self.path, self.run = Path(path), run

    def folder(self, name: str) -> Path:
        return self.path / f"{self.run}.{name}"

    def begin(self, step: int, *, name: str) -> Writer:
        """Begin a snapshot; nothing of it counts before ``commit``."""
        return Writer(self, step, name)

    def open(self, name: str, checksum: str | None = None) -> Reader:
        """A reader of a committed snapshot; its files are checked as they are read, all of them by ``verify``."""
        return Reader(self, name, checksum)

    def names(self) -> list[str]:
        if not self.path.is_dir():
            return []
        mark = f"{self.run}."
        found = [entry.name for entry in self.path.iterdir() if entry.name.startswith(mark) and entry.is_dir()]
        return sorted(name[len(mark) :] for name in found if not name.endswith(UNFINISHED))

    def remove(self, name: str) -> None:
        """Remove a snapshot of this run: it is renamed first, so that a half-removed one is never taken for whole."""
        folder = self.folder(name)
        doomed = folder.with_name(folder.name + UNFINISHED)
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self) -> list[str]:
        """Clear what saves of this run that never finished have left; returns their names."""
        if not self.path.is_dir():
            return []
        mark = f"{self.run}."
        left = [
            e for e in self.path.iterdir() if e.name.startswith(mark) and e.name.endswith(UNFINISHED) and e.is_dir()
        ]
        for entry in left:
            shutil.rmtree(entry, ignore_errors=True)
        return sorted(entry.name[len(mark) : -len(UNFINISHED)] for entry in left)


class Writer:
    """One snapshot being written."""

    def __init__(self, store: DirectoryStore, step: int, name: str) -> None:
        self.store, self.step, self.name = store, step, name
        self.final = store.folder(name)
        self.folder = self.final.with_name(self.final.name + UNFINISHED)
        self.files: dict[str, FileEntry] = {}
        self.parts: list[str] = []
        try:
            if not store.path.is_dir():
                store.path.mkdir(parents=True, exist_ok=True)
                fsync_folder(store.path.parent)
            self.folder.mkdir()
        except OSError as error:
            raise self.trouble(error) from None

    def trouble(self, error: OSError) -> JournalError:
        return JournalError(
            f"snapshot {self.name} cannot be written to {self.store.path}: {error.strerror or error}. "
            "The snapshots before it are whole"
        )

    def put(self, part: str, state: object) -> None:
        """Write one part of the state: its JSON, and its tensors as safetensors."""
        text, arrays = codec.encode(state)
        try:
            self.write(f"{part}.json", [text.encode()])
            numpy_arrays = {key: value for key, value in arrays.items() if not hasattr(value, "untyped_storage")}
            tensors = {key: value for key, value in arrays.items() if hasattr(value, "untyped_storage")}
            if numpy_arrays:
                self.write(f"{part}.numpy.safetensors", pieces_of_numpy(numpy_arrays))
            if tensors:
                self.write(f"{part}.torch.safetensors", pieces_of_torch(tensors))
        except OSError as error:
            self.abort()
            raise self.trouble(error) from None
        except BaseException:
            self.abort()
            raise
        self.parts.append(part)

    def write(self, name: str, pieces: Any) -> None:
        hashed, size = hasher(), 0
        with open(self.folder / name, "wb", buffering=0) as file:
            for piece in pieces:
                view = memoryview(piece).cast("B") if not isinstance(piece, bytes) else memoryview(piece)
                size += len(view)
                for start in range(0, len(view), CHUNK):  # hashed and written while it is in the cache
                    chunk = view[start : start + CHUNK]
                    hashed.update(chunk)
                    while len(chunk):
                        chunk = chunk[file.write(chunk) :]
        self.files[name] = FileEntry(size, hashed.hexdigest())

    def commit(self) -> Manifest:
        """Make the snapshot durable and give it its name; returns its manifest."""
        manifest = Manifest(self.name, self.store.run, self.step, time.time(), tuple(self.parts), dict(self.files))
        text = manifest.to_json().encode()
        try:
            self.write(MANIFEST, [text])
            for name in self.files:  # all at the end: the first one to be flushed takes the others' metadata with it
                fsync_file(self.folder / name)
            fsync_folder(self.folder)
            self.folder.rename(self.final)
            fsync_folder(self.store.path)
        except OSError as error:
            self.abort()
            raise self.trouble(error) from None
        checksum = self.files.pop(MANIFEST).checksum
        return Manifest(
            manifest.name,
            manifest.run,
            manifest.step,
            manifest.created,
            manifest.parts,
            manifest.files,
            manifest.format,
            checksum,
        )

    def abort(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.abort()


def pieces_of_numpy(arrays: Mapping[str, Any]) -> Any:
    """A safetensors file of arrays, header first, without a copy of contiguous ones."""
    import numpy as np

    whole = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
    names = {"f": "F", "i": "I", "u": "U", "b": "BOOL"}
    dtypes = {
        k: names[v.dtype.kind] if v.dtype.kind == "b" else f"{names[v.dtype.kind]}{8 * v.dtype.itemsize}"
        for k, v in whole.items()
    }
    yield header({key: (dtypes[key], list(value.shape), value.nbytes) for key, value in whole.items()})
    for value in whole.values():
        if value.nbytes:
            yield value.reshape(-1).view(np.uint8)


def pieces_of_torch(tensors: Mapping[str, Any]) -> Any:
    """The same of tensors, those on a device copied to the host one at a time."""
    import torch

    sizes = {}
    for key, value in tensors.items():
        if value.dtype not in torch_names():
            raise SnapshotError(f"{key} has dtype {value.dtype}, which safetensors does not know")
        sizes[key] = (torch_names()[value.dtype], list(value.shape), value.numel() * value.element_size())
    yield header(sizes)
    for value in tensors.values():
        if value.numel():
            host = value.cpu().contiguous()
            yield host.reshape(-1).view(torch.uint8).numpy()


_torch_names: dict[Any, str] = {}


def torch_names() -> dict[Any, str]:
    if not _torch_names:
        import torch

        known = {
            "float64": "F64",
            "float32": "F32",
            "float16": "F16",
            "bfloat16": "BF16",
            "int64": "I64",
            "int32": "I32",
            "int16": "I16",
            "int8": "I8",
            "uint64": "U64",
            "uint32": "U32",
            "uint16": "U16",
            "uint8": "U8",
            "bool": "BOOL",
            "complex64": "C64",
            "float8_e4m3fn": "F8_E4M3",
            "float8_e5m2": "F8_E5M2",
        }
        _torch_names.update({getattr(torch, name): code for name, code in known.items() if hasattr(torch, name)})
    return _torch_names


def header(entries: Mapping[str, tuple[str, list[int], int]]) -> bytes:
    """The header of a safetensors file, padded to 8 bytes."""
    described, offset = {}, 0
    for key, (dtype, shape, size) in entries.items():
        described[key] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


class Reader:
    """One committed snapshot; every file is checked against the manifest when it is read."""

    def __init__(self, store: DirectoryStore, name: str, checksum: str | None) -> None:
        self.store, self.name, self.folder = store, name, store.folder(name)
        where = f"snapshot {name}: file {MANIFEST}"
        try:
            text = (self.folder / MANIFEST).read_bytes()
        except OSError as error:
            raise SnapshotError(f"{where} in {self.folder} cannot be read: {error.strerror or error}") from None
        hashed = hasher()
        hashed.update(text)
        found = hashed.hexdigest()
        if checksum is not None and found != checksum:
            raise SnapshotError(
                f"{where} is not the one that was saved (checksum {found[:8]}, the journal has {checksum[:8]})"
            )
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            raise SnapshotError(f"{where} is damaged: {error}") from None
        self.manifest = Manifest.from_json(decoded, found, where)
        if self.manifest.run != store.run or self.manifest.name != name:
            raise SnapshotError(
                f"{where} belongs to snapshot {self.manifest.name} of run {self.manifest.run}, not to run {store.run}"
            )
        self.checked: dict[str, Any] = {}

    def parts(self) -> tuple[str, ...]:
        return self.manifest.parts

    def read(self, name: str) -> Any:
        """All bytes of one file, every one checked.

        The file is mapped privately: what is written to the arrays stays in this program, and nothing is copied that
        is not written to.  A snapshot that is removed meanwhile stays readable through its mapping.
        """
        if name in self.checked:
            return self.checked[name]
        entry = self.manifest.files.get(name)
        where = f"snapshot {self.name}: file {name}"
        if entry is None:
            raise SnapshotError(f"{where} is not in the manifest")
        try:
            with open(self.folder / name, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if size != entry.bytes:
                    raise SnapshotError(f"{where} has {size} bytes and was saved with {entry.bytes}")
                view = memoryview(b"")
                if size:
                    private = mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
                    view = memoryview(private)
                hashed = hasher()
                for place in range(0, size, CHUNK):
                    hashed.update(view[place : place + CHUNK])
        except OSError as error:
            raise SnapshotError(f"{where} cannot be read: {error.strerror or error}") from None
        if hashed.hexdigest() != entry.checksum:
            raise SnapshotError(f"{where} is damaged: its checksum is not the one it was saved with")
        self.checked[name] = view
        return view

    def get(self, part: str) -> Any:
        """The state of one part, its arrays in memory of their own and writable."""
        text = bytes(self.read(f"{part}.json")).decode()
        arrays: dict[str, Any] = {}
        for kind in ("numpy", "torch"):
            name = f"{part}.{kind}.safetensors"
            if name in self.manifest.files:
                arrays.update(read_safetensors(self.read(name), kind))
                self.checked.pop(name)  # the arrays own this memory now: a second get reads again
        return codec.decode(text, arrays)

    def array(self, part: str, path: str, part_of: Any = ...) -> Any:
        """One array or tensor by its path in the state, or a slice of it; the whole file is checked first."""
        for kind in ("numpy", "torch"):
            name = f"{part}.{kind}.safetensors"
            if name in self.manifest.files:
                found = read_safetensors(self.read(name), kind)
                if path in found:
                    return found[path][part_of]
        raise SnapshotError(f"snapshot {self.name}: part {part} has no array {path!r}")

    def verify(self) -> None:
        """Read and check every byte; what was read is kept for ``get``."""
        for name in self.manifest.files:
            self.read(name)
        there = {entry.name for entry in self.folder.iterdir()}
        strange = there - set(self.manifest.files) - {MANIFEST}
        if strange:
            raise SnapshotError(f"snapshot {self.name}: file {sorted(strange)[0]} was not saved with it")


NUMPY_NAMES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(view: Any, kind: str) -> dict[str, Any]:
    """The arrays of a safetensors file in memory, sharing that memory."""
    import numpy as np

    length = int.from_bytes(view[:8], "little")
    entries = json.loads(bytes(view[8 : 8 + length]))
    data = view[8 + length :]
    found: dict[str, Any] = {}
    if kind == "torch":
        torch = codec.need_torch()
        types = {code: dtype for dtype, code in torch_names().items()}
    for key, entry in entries.items():
        if key == "__metadata__":
            continue
        start, stop = entry["data_offsets"]
        if kind == "numpy":
            dtype = np.dtype(NUMPY_NAMES[entry["dtype"]])
            found[key] = np.frombuffer(data[start:stop], dtype=dtype).reshape(entry["shape"])
        elif stop == start:
            found[key] = torch.empty(entry["shape"], dtype=types[entry["dtype"]])
        else:
            flat = torch.frombuffer(data[start:stop], dtype=torch.uint8)
            if start % 16:  # views of wider types need aligned memory
                flat = flat.clone()
            found[key] = flat.view(types[entry["dtype"]]).reshape(entry["shape"])
    return found
