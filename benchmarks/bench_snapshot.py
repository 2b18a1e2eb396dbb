"""python benchmarks/bench_snapshot.py [--megabytes 1 16 256] [--repeats 7] [--folder .]

Saving and loading a torch state (a model and its optimizer), durable and verified, beside safetensors and torch.save in
the same run. A load of ours counts when every byte has been read and checked against its checksum, and lies in memory of
its own. safetensors' own load maps the file and checks nothing: beside ours stand that mapping with every byte read once,
and with every tensor copied into memory of its own. All files were just written, so loads come from the page cache; what
they take is mostly the system's time for handing out fresh memory.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import xxhash

from dalsegno.core.store.directory import DirectoryStore

TARGET = 0.8  # of the speed of save_file + fsync, for saving and for a verified load


def fsync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def give_memory_back():
    """Memory that the former contestant used goes to the system: a program that resumes has touched none of it either."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def make_state(megabytes):
    """Parameters of a stack of layers, and Adam's two moments for each."""
    layers = max(1, min(24, megabytes // 4))
    width = int((megabytes * (1 << 20) / 4 / 3 / layers) ** 0.5)
    generator = torch.Generator().manual_seed(0)

    def weights():
        found = {}
        for layer in range(layers):
            found[f"layer{layer}.weight"] = torch.randn(width, width, generator=generator)
            found[f"layer{layer}.bias"] = torch.randn(width, generator=generator)
        return found

    model = weights()
    moments = zip(weights().values(), weights().values(), strict=True)
    state = {i: {"step": torch.tensor(7.0), "exp_avg": one, "exp_avg_sq": two} for i, (one, two) in enumerate(moments)}
    return {"model": model, "optimizer": {"state": state, "param_groups": [{"lr": 1e-3, "params": list(state)}]}}


def tensors_of(state):
    """The same state as the flat dict of tensors that safetensors takes."""
    flat = dict(state["model"])
    for i, moments in state["optimizer"]["state"].items():
        flat.update({f"{i}.{name}": value for name, value in moments.items()})
    return flat


class Contest:
    """Each contestant saves and loads in turn, so that a machine that drifts is the same for all of them."""

    def __init__(self, folder, megabytes):
        self.folder, self.state = folder, make_state(megabytes)
        self.flat = tensors_of(self.state)
        self.bytes = sum(tensor.nbytes for tensor in self.flat.values())
        self.store = DirectoryStore(folder / "snapshots", "bench")
        self.seconds = {}

    def path(self, name):
        return self.folder / name

    def ours_save(self):
        with self.store.begin(1, name="s") as writer:
            writer.put("process", self.state)
            self.manifest = writer.commit()

    def ours_load(self):
        return self.store.open("s", self.manifest.checksum).get("process")

    def ours_verify(self):
        self.store.open("s", self.manifest.checksum).verify()

    def safetensors_save(self):
        safetensors.torch.save_file(self.flat, self.path("peer.safetensors"))
        fsync(self.path("peer.safetensors"))

    def safetensors_load_reading(self):
        found = safetensors.torch.load_file(self.path("peer.safetensors"))
        for tensor in found.values():
            xxhash.xxh3_128(tensor.numpy())
        return found

    def safetensors_load_copying(self):
        found = safetensors.torch.load_file(self.path("peer.safetensors"))
        return {name: tensor.clone() for name, tensor in found.items()}

    def torch_save(self):
        torch.save(self.state, self.path("peer.pt"))
        fsync(self.path("peer.pt"))

    def torch_load(self):
        return torch.load(self.path("peer.pt"), weights_only=True)

    def disk(self):
        """What the disk takes: the same bytes by plain writes and one fsync."""
        with open(self.path("plain"), "wb", buffering=0) as file:
            for tensor in self.flat.values():
                file.write(memoryview(tensor.reshape(-1).numpy()).cast("B"))
            os.fsync(file.fileno())

    def hashing(self):
        for tensor in self.flat.values():
            xxhash.xxh3_128(tensor.numpy())

    def round(self):
        for name in ROUND:
            give_memory_back()
            begun = time.perf_counter()
            result = getattr(self, name)()
            self.seconds.setdefault(name, []).append(time.perf_counter() - begun)
            del result
        self.store.remove("s")
        for name in ("peer.safetensors", "peer.pt", "plain"):
            self.path(name).unlink()


SAVES = ("ours_save", "safetensors_save", "torch_save", "disk")
LOADS = (
    *("ours_load", "safetensors_load_copying", "torch_load"),
    *("safetensors_load_reading", "ours_verify", "hashing"),
)
ROUND = (*SAVES, *LOADS)
ROWS = (
    ("save, ours: checksums, fsync, rename", "ours_save", True),
    ("save, safetensors save_file + fsync", "safetensors_save", False),
    ("save, torch.save + fsync", "torch_save", False),
    ("  the disk: plain write + fsync", "disk", False),
    ("load, ours: all checked, own memory", "ours_load", True),
    ("load, safetensors, mapped and read once", "safetensors_load_reading", False),
    ("load, safetensors, copied, unchecked", "safetensors_load_copying", False),
    ("load, torch.load, unchecked", "torch_load", False),
    ("  verify only, ours", "ours_verify", False),
    ("  bound: the checksum alone, in memory", "hashing", False),
)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--folder", default=".", help="on the disk to be measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(__doc__.splitlines()[0])
    versions = f"torch {torch.__version__}, safetensors {safetensors.__version__}, xxhash {xxhash.VERSION}"
    print(
        f"Python {platform.python_version()}, {versions}; best of {arguments.repeats}; load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"{'what':40} {'MB':>5} {'ms':>9} {'MB/s':>7} {'x save_file':>12}   target")
    met = True
    for megabytes in arguments.megabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as folder:
            contest = Contest(Path(folder), megabytes)
            for _ in range(arguments.repeats):
                contest.round()
        best = {name: min(values) for name, values in contest.seconds.items()}
        for what, name, judged in ROWS:
            speed, ratio = contest.bytes / best[name] / 1e6, best["safetensors_save"] / best[name]
            verdict = ""
            if judged and megabytes >= 256:
                verdict = f">= {TARGET}: {'met' if ratio >= TARGET else 'not met'}"
                met &= ratio >= TARGET
            print(f"{what:40} {megabytes:5} {best[name] * 1e3:9.2f} {speed:7.0f} {ratio:12.2f}   {verdict}")
        print()
    print("x save_file: the speed beside that of save_file + fsync; 2.00 is twice as fast.")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
