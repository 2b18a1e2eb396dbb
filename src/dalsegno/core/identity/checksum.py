"""Checksums of bytes, of text and of described values: xxh3 of 128 bits, the same in every program."""

from __future__ import annotations

import json
from typing import Any

Node = dict[str, Any]
Tree = Node | str | int | float | bool | None


def checksum(data: Any) -> str:
    """Of bytes, or of any object that has a contiguous buffer of bytes."""
    import xxhash

    return str(xxhash.xxh3_128_hexdigest(data))


def checksum_of_text(text: str) -> str:
    return checksum(text.encode("utf-8", "surrogatepass"))


def canonical(tree: object) -> str:
    """A described value as one line of JSON; equal lines mean equal values, types included."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"))
