"""Arrays that share memory: stored once, and sharing it again when they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dalsegno.core.store.layouts import describe_dtype, dtype_from, is_tensor, need_torch

ALIGNMENT = 64  # of a piece's first byte, so that every view in it is as well aligned as it was


@dataclass(slots=True)
class Member:
    """One array or tensor of a state and the node that stands for it."""

    array: Any
    node: dict[str, Any]


@dataclass(slots=True)
class Span:
    """The memory between the first and the last byte of an array: on which device, from, to."""

    place: tuple[str, str]
    start: int
    stop: int
    member: Member


def span_of(member: Member) -> Span:
    array = member.array
    if is_tensor(array):
        start = array.data_ptr()
        reach = sum((size - 1) * stride for size, stride in zip(array.shape, array.stride(), strict=True))
        empty = array.numel() == 0
        return Span(
            ("torch", str(array.device)), start, start + (0 if empty else (reach + 1) * array.element_size()), member
        )
    start = stop = address(array)
    for size, stride in zip(array.shape, array.strides, strict=True):
        start, stop = start + min((size - 1) * stride, 0), stop + max((size - 1) * stride, 0)
    return Span(("numpy", ""), start, stop + array.itemsize if array.size else start, member)


def address(array: np.ndarray[Any, Any]) -> int:
    """Where the first element of an array lies."""
    return int(array.__array_interface__["data"][0])


def join(members: Sequence[Member], arrays: dict[str, Any]) -> None:
    """Find the groups that overlap; the same view twice gets one key, different views become views of one piece."""
    if len(members) < 2:
        return
    spans = sorted(map(span_of, members), key=lambda span: (span.place, span.start, -span.stop))
    group: list[Span] = []
    stop = 0
    for span in spans:
        if span.start == span.stop:
            continue
        if group and span.place == group[0].place and span.start < stop:
            group.append(span)
            stop = max(stop, span.stop)
            continue
        join_group(group, arrays)
        group, stop = [span], span.stop
    join_group(group, arrays)


def join_group(group: Sequence[Span], arrays: dict[str, Any]) -> None:
    if len(group) < 2:
        return
    nodes = [span.member.node for span in group]
    first = group[0].member.array
    if all(same_view(first, span.member.array) for span in group[1:]):
        for node in nodes[1:]:
            del arrays[node["k"]]
            node["p"], node["k"] = node["k"], nodes[0]["k"]  # its own path, and the key that it is stored under
        return
    start, stop = group[0].start, max(span.stop for span in group)
    key = f"{nodes[0]['k']} and others"
    arrays[key] = piece_of(first, start, stop)
    for span, node in zip(group, nodes, strict=True):
        del arrays[node["k"]]
        array = span.member.array
        node["view"] = place_in_torch(array, start) if is_tensor(array) else place_in_numpy(array, start)
        node["p"], node["k"] = node["k"], key


def find(text: str, path: str) -> dict[str, Any] | None:
    """The node of the array at ``path`` where it is stored as part of another's memory, from a state's typed JSON."""
    found: list[dict[str, Any]] = []

    def look(node: dict[str, Any]) -> dict[str, Any]:
        if node.get("p") == path and "k" in node:
            found.append(node)
        return node

    json.loads(text, object_hook=look)
    return found[0] if found else None


def same_view(one: Any, other: Any) -> bool:
    if is_tensor(one):
        return bool(
            one.dtype == other.dtype
            and one.data_ptr() == other.data_ptr()
            and one.shape == other.shape
            and one.stride() == other.stride()
        )
    return bool(
        one.dtype == other.dtype
        and address(one) == address(other)
        and one.shape == other.shape
        and one.strides == other.strides
    )


def piece_of(array: Any, start: int, stop: int) -> Any:
    """A copy of the memory from ``start``, where ``array`` begins, to ``stop``, as bytes behind zeros that align it."""
    before = start % ALIGNMENT
    if is_tensor(array):
        torch = need_torch()
        storage = array.untyped_storage()
        bytes_of = torch.empty(0, dtype=torch.uint8, device=array.device)
        bytes_of.set_(storage, start - storage.data_ptr(), (stop - start,), (1,))
        piece = torch.zeros(before + stop - start, dtype=torch.uint8, device=array.device)
        piece[before:] = bytes_of
        return piece
    flat = np.lib.stride_tricks.as_strided(array_start(array), shape=(stop - start,), strides=(1,))
    found = np.zeros(before + stop - start, dtype=np.uint8)
    found[before:] = flat
    return found


def array_start(array: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The lowest byte of an array as an array of one byte."""
    for axis, stride in enumerate(array.strides):
        if stride < 0:
            array = np.flip(array, axis)
    first = array[(slice(0, 1),) * array.ndim] if array.ndim else array.reshape(1)
    return first.reshape(-1).view(np.uint8)[:1]


def place_in_torch(array: Any, start: int) -> list[Any]:
    name = str(array.dtype).removeprefix("torch.")
    return [name, start % ALIGNMENT + array.data_ptr() - start, list(array.shape), list(array.stride())]


def place_in_numpy(array: np.ndarray[Any, Any], start: int) -> list[Any]:
    offset = start % ALIGNMENT + address(array) - start
    return [describe_dtype(array.dtype), offset, list(array.shape), list(array.strides)]


class Views:
    """Hands out what was stored once to all the places that it was shared by."""

    def __init__(self) -> None:
        self.given: set[str] = set()
        self.on_device: dict[tuple[int, str], Any] = {}

    def of(self, key: str, stored: Any, place: Sequence[Any] | None) -> Any:
        """The array stored under a key, or the view of it at ``place``; another object each time, over one memory."""
        if place is not None:
            return view_in_torch(stored, place) if is_tensor(stored) else view_in_numpy(stored, place)
        if key not in self.given:
            self.given.add(key)
            return stored
        return stored.detach() if is_tensor(stored) else stored.view()

    def moved(self, tensor: Any, device: str) -> Any:
        """A tensor on another device; those that share their memory here share it there."""
        storage = tensor.untyped_storage()
        there = self.on_device.get((storage.data_ptr(), device))
        if there is None:
            torch = need_torch()
            flat = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,))
            there = flat.to(device)
            if storage.nbytes():
                self.on_device[storage.data_ptr(), device] = there
        found = tensor.new_empty(0, device=device)
        found.set_(there.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())
        return found


def view_in_torch(piece: Any, place: Sequence[Any]) -> Any:
    torch = need_torch()
    name, offset, shape, strides = place
    found = torch.empty(0, dtype=getattr(torch, name))
    found.set_(piece.untyped_storage(), offset // found.element_size(), shape, strides)
    return found


def view_in_numpy(piece: np.ndarray[Any, Any], place: Sequence[Any]) -> np.ndarray[Any, Any]:
    description, offset, shape, strides = place
    return np.ndarray(shape, dtype_from(description), buffer=piece, offset=offset, strides=strides)
