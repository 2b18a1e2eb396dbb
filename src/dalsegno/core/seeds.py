"""Seeds: every attempt's own, spawned from one root by attempt and purpose, the same on every machine."""

from __future__ import annotations

import zlib


def attempt_seed(root: int, attempt: int, purpose: str = "process", rank: int | None = None) -> int:
    """The 32-bit seed of an attempt (numbered from 1) for a purpose; with ``rank`` one for each program of a group.

    >>> attempt_seed(0, 1) == attempt_seed(0, 1), attempt_seed(0, 1) == attempt_seed(0, 2)
    (True, False)
    """
    import numpy as np

    key = (attempt, zlib.crc32(purpose.encode())) if rank is None else (attempt, zlib.crc32(purpose.encode()), 1 + rank)
    sequence = np.random.SeedSequence(entropy=root, spawn_key=key)
    return int(sequence.generate_state(1, np.uint32)[0])


def fresh_root() -> int:
    """A root seed from the operating system's entropy, small enough to be typed."""
    import secrets

    return secrets.randbits(63)
