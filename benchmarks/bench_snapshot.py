"""python benchmarks/bench_snapshot.py [--megabytes 256]

Saving and loading a torch state, durable and verified, beside safetensors (save_file + fsync; load_file with every byte
touched) and torch.save in the same run. A load of ours counts when every byte has been read and checked.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path


def fsync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    import safetensors
    import safetensors.torch
    import torch
    import xxhash

    from dalsegno.core.store.directory import DirectoryStore

    torch.set_num_threads(1)
    count = 32
    elements = arguments.megabytes * (1 << 20) // 4 // count
    state = {f"layer{i}.weight": torch.randn(elements) for i in range(count)}
    size = arguments.megabytes / 1024
    with tempfile.TemporaryDirectory(dir=".") as folder:
        root = Path(folder)
        store = DirectoryStore(root / "snapshots", "bench")

        def ours_save(n):
            with store.begin(n, name=f"s{n}") as writer:
                writer.put("process", state)
                writer.commit()

        def peer_save(n):
            safetensors.torch.save_file(state, root / f"peer{n}.safetensors")
            fsync(root / f"peer{n}.safetensors")

        def torch_save(n):
            torch.save(state, root / f"torch{n}.pt")
            fsync(root / f"torch{n}.pt")

        def ours_load(n):
            reader = store.open(f"s{n}")
            reader.verify()
            return reader.get("process")

        def peer_load(n):
            found = safetensors.torch.load_file(root / f"peer{n}.safetensors")
            for tensor in found.values():  # it maps lazily: a load counts when every byte has been read
                xxhash.xxh3_128(memoryview(tensor.numpy()).cast("B")).digest()
            return found

        def peer_copy(n):
            found = safetensors.torch.load_file(root / f"peer{n}.safetensors")
            return {name: tensor.clone() for name, tensor in found.items()}

        def ours_copy(n):
            return {name: tensor.clone() for name, tensor in ours_load(n).items()}

        def plain_write(n):
            data = memoryview(state["layer0.weight"].numpy()).cast("B")
            with open(root / f"plain{n}", "wb", buffering=0) as file:
                for _ in range(count):
                    file.write(data)
                os.fsync(file.fileno())

        times = {one.__name__: [] for one in (ours_save, peer_save, torch_save, ours_load, peer_load, plain_write, ours_copy, peer_copy)}
        for n in range(arguments.repeats):  # in turn, so that a drifting machine is the same for all
            for function in (ours_save, peer_save, torch_save, plain_write, ours_load, peer_load, ours_copy, peer_copy):
                begun = time.perf_counter()
                function(n)
                times[function.__name__].append(time.perf_counter() - begun)
            for path in [*root.glob("peer*"), *root.glob("torch*"), *root.glob("plain*")]:
                path.unlink()
            store.remove(f"s{n}")
        best = {name: min(values) for name, values in times.items()}
        data = os.urandom(1 << 24)
        begun = time.perf_counter()
        for _ in range(16):
            xxhash.xxh3_128(data).digest()
        hashing = 16 * len(data) / (time.perf_counter() - begun) / 1e9
    print(__doc__.splitlines()[0])
    print(f"Python {platform.python_version()}, torch {torch.__version__}, safetensors {safetensors.__version__}, {arguments.megabytes} MB\n")
    print("what                                   s     GB/s   / save_file   target")
    rows = [
        ("save, ours (checksums, fsync, rename)", "ours_save", "peer_save"),
        ("save, safetensors save_file + fsync", "peer_save", None),
        ("save, torch.save + fsync", "torch_save", None),
        ("load, ours, every byte verified", "ours_load", "peer_save"),
        ("load, safetensors, every byte hashed", "peer_load", None),
        ("load and copy, ours, verified", "ours_copy", "peer_save"),
        ("load and copy, safetensors", "peer_copy", None),
        ("bound: plain write + fsync", "plain_write", None),
    ]
    for what, name, peer in rows:
        ratio = "" if peer is None else f"{best[peer] / best[name]:11.2f}   >= 0.80"
        print(f"{what:38} {best[name]:.3f} {size * 1.073741824 / best[name]:7.2f} {ratio}")
    print(f"\nspeed beside save_file + fsync: 1.00 is as fast. The checksum alone runs at {hashing:.0f} GB/s here.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
