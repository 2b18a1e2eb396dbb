"""A training script as one has it: a small convolutional network, digits in shards, and a loop of one's own.

What it owes to dalsegno: ``attempt.keep``, ``attempt.over``, ``step.report`` and the call of ``ds.run``.
Kill it at any instant and start it again with the same command, and it goes on where it was; a spike of the
loss takes it back to the newest snapshot, and the batches around the spike are left out.

    python train_mnist.py --data shards --journal runs.db --weights weights.safetensors
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle OpenMP threads sleep; to be set before torch is imported

import torch
from torch import nn

import dalsegno as ds
from dalsegno.studies.demo.digits import Batch, Shards, read


def build(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(16 * 7 * 7, 10),
    )
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


def update(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """One step on a batch, moved by up to two pixels at random (by torch's generator, part of the state)."""
    down, right = torch.randint(-2, 3, (2,)).tolist()
    images = torch.roll(torch.from_numpy(batch.images), (down, right), dims=(2, 3))
    loss = nn.functional.cross_entropy(model(images), torch.from_numpy(batch.labels))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.item())


def accuracy(model: nn.Module, path: str) -> float:
    test = read(Path(path))
    model.eval()
    with torch.no_grad():
        guesses = model(torch.from_numpy(test["images"])).argmax(1)
    return float((guesses == torch.from_numpy(test["labels"]).long()).float().mean())


class StepLog:
    """Every step taken, for whoever wants to know what a kill cost: an unbuffered line each."""

    def __init__(self, path: str | None) -> None:
        self.file = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, step: int, place: int, loss: float) -> None:
        if self.file is not None:
            os.write(self.file, f"{os.getpid()} {step} {place} {loss:.9g}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--journal", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--log")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--checkpoint", type=int, default=10, help="steps from one snapshot to the next")
    parser.add_argument("--skip", type=int, default=12, help="batches to leave out around a spike")
    parser.add_argument("--no-rule", action="store_true", help="let spikes pass")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shards, log = Shards(options.data), StepLog(options.log)

    def train(attempt: Any) -> float:
        model, optimizer = build(attempt.seed % 2**32)
        attempt.keep(model=model, optimizer=optimizer)
        for step, batch in attempt.over(shards, epochs=options.epochs):
            loss = update(model, optimizer, batch)
            log.write(step, batch.place, loss)
            step.report(loss=loss)
        save(model, options.weights)
        return accuracy(model, os.path.join(options.data, "test.npz"))

    spike = ds.roll_back(ds.when.spike("loss", factor=10.0), skip=options.skip)
    result = ds.run(
        train,
        rules=[] if options.no_rule else [spike],
        checkpoint=ds.checkpoint.Every(steps=options.checkpoint),
        journal=options.journal,
        seed=options.seed,
    )
    print(json.dumps({"accuracy": result.returned, "verdict": result.verdict, "paid": result.paid, "end": str(result)}))


def save(model: nn.Module, path: str) -> None:
    from safetensors.torch import save_file

    save_file(model.state_dict(), path)


if __name__ == "__main__":
    main()
