"""The manifest: what a snapshot says of itself."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import dalsegno as ds
from dalsegno.core.store.checksums import BLOCK, Checksum, digest
from dalsegno.core.store.snapshot import FileEntry, Manifest

FILES = {"process.json": FileEntry(12, "ab" * 16), "big": FileEntry(BLOCK + 1, "cd" * 16, ("ef" * 16, "01" * 16))}
MANIFEST = Manifest("s1", "run1", 7, 1.5, ("process", "engine"), FILES)


def test_it_comes_back_from_its_file_with_the_files_checksum():
    content = MANIFEST.to_bytes()
    back = Manifest.from_bytes(content)
    assert back.files == FILES and back.parts == ("process", "engine") and back.bytes == BLOCK + 13
    assert back.checksum == xxhash.xxh3_128_hexdigest(content)
    assert (back.name, back.run, back.step, back.created, back.format) == ("s1", "run1", 7, 1.5, 1)


@given(st.data())
def test_no_single_byte_can_change_unnoticed(data):
    content = bytearray(MANIFEST.to_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ds.SnapshotError):
        Manifest.from_bytes(bytes(content))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format": "x"}', b'{"format": 1}'])
def test_what_is_no_manifest_is_refused(content):
    with pytest.raises(ds.SnapshotError):
        Manifest.from_bytes(content)


def test_a_small_file_has_the_checksum_that_other_tools_give_it():
    whole = Checksum()
    whole.update(b"one "), whole.update(b"two")
    assert whole.hexdigest() == xxhash.xxh3_128_hexdigest(b"one two") and whole.blocks == ()


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5])
def test_a_large_file_is_hashed_by_blocks_however_it_streams(size):
    content = memoryview(bytes(range(256)) * (size // 256 + 1))[:size]
    found = []
    for piece in (size, 5_000_011):
        checksum = Checksum()
        for start in range(0, size, piece):
            checksum.update(content[start : start + piece])
        found.append((checksum.bytes, checksum.hexdigest(), checksum.blocks))
    assert found[0] == found[1]
    blocks = tuple(digest(content[start : start + BLOCK]) for start in range(0, size, BLOCK))
    assert found[0][2] == (blocks if len(blocks) > 1 else ())
