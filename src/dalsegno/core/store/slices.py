"""Reading a slice of one stored array: which rows of its memory it needs, and what it is made of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.core.store.layouts import empty, own_copy
from dalsegno.core.store.tensor_file import Place, new_array
from dalsegno.core.store.typed import shared_memory

Read = Callable[[int, int], bytes]  # the bytes of a file from, to


class Stream:
    """A file's bytes from the beginning on, by a function that reads ranges."""

    def __init__(self, source: Read) -> None:
        self.source, self.position = source, 0

    def read(self, length: int, /) -> bytes:
        found = self.source(self.position, self.position + length)
        self.position += len(found)
        return found

    def readinto(self, buffer: Any, /) -> int:
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def find(places: Mapping[str, Place], read: Read, path: str, slice: Any, text: Callable[[], str]) -> Any:
    """The array at a path, or a slice of it, in memory of its own; None where this file does not hold it."""
    if path in places:
        return read_slice(path, places[path], read, slice)
    node = shared_memory.find(text(), path)
    if node is None or node["k"] not in places:
        return None
    piece = whole(node["k"], places[node["k"]], read)
    return own_copy(shared_memory.Views().of(node["k"], piece, node.get("view"))[slice])


def whole(key: str, place: Place, read: Read) -> Any:
    array, memory = new_array(key, place)
    memory[...] = np.frombuffer(read(place.start, place.stop), dtype=np.uint8)
    return array


def read_slice(key: str, place: Place, read: Read, slice: Any) -> Any:
    """A slice of an array; only the rows that its first index names are read, where these lie together in memory."""
    layout = place.layout
    index = basic(slice)
    first = index[0] if index else Ellipsis
    if layout.axes is not None or not layout.shape or first is Ellipsis or first is None:
        found = whole(key, place, read)
        return found if index in ((), (Ellipsis,)) else own_copy(found[index])
    start, stop, inside = rows(first, layout.shape[0])
    row = (place.stop - place.start) // layout.shape[0] if layout.shape[0] else 0
    array, memory = empty(replace(layout, shape=(stop - start, *layout.shape[1:])))
    if prod(layout.shape):
        memory[...] = np.frombuffer(read(place.start + row * start, place.start + row * stop), dtype=np.uint8)
    return own_copy(array[(inside, *index[1:])])


def basic(index: Any) -> tuple[Any, ...]:
    """An index as a tuple of integers, slices, None and Ellipsis; UsageError for any other."""
    found = index if isinstance(index, tuple) else (index,)
    for item in found:
        plain = isinstance(item, (int, np.integer, SLICE)) and not isinstance(item, bool)
        if not (plain or item is None or item is Ellipsis):
            raise UsageError(f"slice={index!r}: expected integers, slices, None and ...")
    return found


SLICE = slice


def rows(first: Any, length: int) -> tuple[int, int, Any]:
    """The range of rows that an index needs, and the index within that range."""
    if isinstance(first, SLICE):
        wanted = range(length)[first]
        if not len(wanted):
            return 0, 0, SLICE(0, 0)
        start, stop = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
        end = wanted[-1] - start + wanted.step
        return start, stop, SLICE(wanted[0] - start, end if end >= 0 else None, wanted.step)
    number = operator.index(first)
    if not -length <= number < length:
        raise IndexError(f"row {number} of an array with {length} rows")
    return number % length, number % length + 1, 0
