"""Checksums: xxh3_128 over files, block by block, so that a part of a large file can be checked without the rest."""

from __future__ import annotations

from typing import Any

BLOCK = 16 << 20  # bytes


def digest(content: bytes | bytearray | memoryview) -> str:
    """The checksum of something small, as 32 hexadecimal digits.

    >>> digest(b"")
    '99aa06d3014798d86001c324468d497f'
    """
    import xxhash

    return str(xxhash.xxh3_128_hexdigest(content))


class Checksum:
    """The checksum of a file as it streams by.

    A file of up to one block has its xxh3_128; a longer one that of its blocks' digests one after another, and
    ``blocks`` has each of them.
    """

    def __init__(self) -> None:
        import xxhash

        self.new = xxhash.xxh3_128
        self.block: Any = self.new()
        self.room = BLOCK  # what is still to come of the block at hand
        self.whole: list[str] = []
        self.bytes = 0

    def update(self, content: Any) -> None:
        view = memoryview(content)
        self.bytes += len(view)
        while len(view) > self.room:
            self.block.update(view[: self.room])
            view = view[self.room :]
            self.whole.append(self.block.hexdigest())
            self.block, self.room = self.new(), BLOCK
        self.block.update(view)
        self.room -= len(view)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The digest of each block; none where the file is no longer than one."""
        return (*self.whole, self.block.hexdigest()) if self.whole else ()

    def hexdigest(self) -> str:
        blocks = self.blocks
        return digest(bytes.fromhex("".join(blocks))) if blocks else str(self.block.hexdigest())
