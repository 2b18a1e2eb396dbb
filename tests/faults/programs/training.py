"""A loop of somebody's own: a small network, shuffled batches, dropout; spikes are rolled back, stalls restart it."""

from __future__ import annotations

import sys
import time

from shown import quietly, show

import dalsegno as ds


def train(attempt):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(1)
    torch.manual_seed(attempt.seed % 2**31)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.2), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    attempt.keep(model=model, optimizer=optimizer)
    drawn = torch.Generator().manual_seed(5)
    x = torch.randn(96, 6, generator=drawn)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
    for step, (inputs, wanted) in attempt.over(loader, epochs=9):
        time.sleep(0.002)
        loss = torch.nn.functional.mse_loss(model(inputs), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if attempt.step % 20 == 10:
            attempt.snapshot(f"at {attempt.step}")
        luck = torch.rand(()).item() * optimizer.param_groups[0]["lr"] / 0.01
        step.report(loss=loss.item(), luck=luck, cost={"examples": len(inputs)})
    return [float(parameter.detach().sum()) for parameter in model.parameters()]


RULES = {
    "steps": lambda: [
        ds.stop(ds.when.spent(steps=150)),
        ds.roll_back(ds.when.above("luck", 0.93), then=ds.changes.scale_learning_rate(0.9), skip=2, limit=50),
        ds.adapt(ds.when.every(steps=13), ds.changes.scale_learning_rate(0.95)),
        ds.restart(ds.when.elapsed(steps=60)),
    ],
    "clock": lambda: [
        ds.stop(ds.when.spent(seconds=0.9)),
        ds.roll_back(ds.when.above("luck", 0.97), then=ds.changes.scale_learning_rate(0.9), limit=50),
        ds.adapt(ds.when.every(seconds=0.06), ds.changes.scale_learning_rate(0.95)),
        ds.restart(ds.when.elapsed(seconds=0.3)),
    ],
}


def main(journal, rules="steps"):
    quietly()
    result = ds.run(
        train,
        rules=RULES[rules](),
        checkpoint=ds.checkpoint.Every(steps=9, keep=ds.checkpoint.Keep(last=1)),
        journal=journal,
        seed=11,
    )
    show(result, result.returned)


if __name__ == "__main__":
    main(*sys.argv[1:])
