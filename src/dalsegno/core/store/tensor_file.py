"""Safetensors files: arrays of one library written straight from their memory and read straight into new memory.

The format is a length (8 bytes, little endian), a JSON header and the tensors' bytes without gaps.  Whatever the format
has no name for (a dtype, an order of axes) stands as plain bytes or in the order of memory, with a note in the header's
metadata; every file can be read by the safetensors library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store.layouts import (
    NATIVE_ORDER,
    NUMPY_DTYPES,
    TORCH_DTYPES,
    Layout,
    Library,
    empty,
    flat_bytes,
    layout_of,
)


class Source(Protocol):
    """A file to read from its beginning on."""

    def read(self, length: int, /) -> bytes: ...
    def readinto(self, buffer: Any, /) -> int: ...


class Sink(Protocol):
    """A file to write to."""

    def write(self, content: Any, /) -> int: ...


NOTES = "dalsegno.layouts"
LONGEST_HEADER = 100_000_000  # bytes, as in the format's own library


@dataclass(frozen=True, slots=True)
class Place:
    """One array of a file: its layout, and where its bytes are in the file."""

    layout: Layout
    start: int
    stop: int


def write(file: Sink, arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write arrays of one library, those of wide elements first so that each is aligned in the file.

    Dense arrays on the host are not copied; others are, one at a time.
    """
    layouts = {key: layout_of(array) for key, array in arrays.items()}
    width = {key: array.itemsize for key, array in arrays.items()}
    order = sorted(arrays, key=lambda key: -width[key] if layouts[key].name else 0)
    notes: dict[str, Any] = {}
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for key in order:
        layout = layouts[key]
        size = prod(layout.shape) * width[key]
        if layout.name is None or layout.axes is not None:
            notes[key] = [layout.dtype, list(layout.shape), None if layout.axes is None else list(layout.axes)]
        shape = [size] if layout.name is None else list(layout.stored_shape)
        header[key] = {"dtype": layout.name or "U8", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    if notes:
        header["__metadata__"][NOTES] = json.dumps(notes, separators=(",", ":"))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for key in order:
        content = flat_bytes(arrays[key], layouts[key])
        if content.size:
            file.write(content.data)


def read_header(file: Source, size: int) -> tuple[dict[str, Any], int]:
    """The header of a file of ``size`` bytes, and where the data begin."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, LONGEST_HEADER):
        raise SnapshotError(f"its header cannot be {length} bytes long")
    header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise SnapshotError("its header is not one of a safetensors file")
    return header, 8 + length


def index(header: Mapping[str, Any], begin: int, size: int, library: Library) -> dict[str, Place]:
    """Every array of a file in the order of the file, checked to fill it without gaps or overlaps."""
    notes = json.loads(header.get("__metadata__", {}).get(NOTES, "{}"))
    entries = [(key, entry) for key, entry in header.items() if key != "__metadata__"]
    places, end = {}, begin
    for key, entry in sorted(entries, key=lambda pair: pair[1]["data_offsets"][0]):
        start, stop = (begin + offset for offset in entry["data_offsets"])
        if start != end or not start <= stop <= size:
            raise SnapshotError(f"its header puts {key!r} at bytes {start} to {stop}, which cannot be")
        places[key], end = Place(layout_in(entry, notes.get(key), library), start, stop), stop
    if end != size:
        raise SnapshotError(f"its header accounts for {end} bytes of {size}")
    return places


def layout_in(entry: Mapping[str, Any], note: Any, library: Library) -> Layout:
    if note is not None:
        dtype, shape, axes = note
        return Layout(library, dtype, tuple(shape), None if axes is None else tuple(axes))
    name = entry["dtype"]
    if library == "torch":
        return Layout(library, TORCH_DTYPES[name], tuple(entry["shape"]))
    dtype = NUMPY_DTYPES[name]
    order = "|" if dtype in ("i1", "u1", "b1") else NATIVE_ORDER
    return Layout(library, order + dtype, tuple(entry["shape"]))


def read(file: Source, size: int, library: Library) -> dict[str, Any]:
    """All arrays of a file of ``size`` bytes, each in memory of its own."""
    header, begin = read_header(file, size)
    found = {}
    for key, place in index(header, begin, size, library).items():
        array, memory = new_array(key, place)
        if memory.size and file.readinto(memory.data) != memory.size:
            raise SnapshotError(f"it ends within {key!r}")
        found[key] = array
    return found


def new_array(key: str, place: Place) -> tuple[Any, Any]:
    array, memory = empty(place.layout)
    if memory.size != place.stop - place.start:
        raise SnapshotError(f"its header gives {key!r} {place.stop - place.start} bytes, and its shape {memory.size}")
    return array, memory
