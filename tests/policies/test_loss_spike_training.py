"""A poisoned block of batches in a small training run: with roll back it is as if they had not been there."""

from __future__ import annotations

from typing import Any

import pytest

import dalsegno as ds
from dalsegno.policies import LossSpike

torch = pytest.importorskip("torch")

STEPS, BATCHES = 500, 900
POISON = range(330, 345)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Threads that wait for one another cost more than steps this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch_of(number: int, poisoned: bool) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(number)
    inputs = torch.randn(32, 6, generator=generator)
    targets = torch.sin(inputs.sum(1, keepdim=True)) + 0.3 * torch.randn(32, 1, generator=generator)
    return (inputs * 30.0, targets * -1000.0) if poisoned else (inputs, targets)


def training(poison: Any, finals: list[float]) -> Any:
    def train(attempt: Any) -> None:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(1.0 - step / STEPS, 0.05))
        attempt.keep(model=model, optimizer=optimizer, scheduler=scheduler)
        for step, number in attempt.over(range(BATCHES)):
            inputs, targets = batch_of(number, number in poison)
            loss = (model(inputs) - targets).square().mean()
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf"))
            optimizer.step()
            scheduler.step()
            step.report(loss=float(loss.detach()), gradient_norm=float(norm))
        with torch.no_grad():
            held_out = [(model(x) - y).square().mean() for x, y in (batch_of(10**6 + k, False) for k in range(40))]
        finals.append(float(sum(held_out) / len(held_out)))

    return train


def final_loss(poison: Any, *policies: Any, **options: Any) -> tuple[float, Any]:
    finals: list[float] = []
    rules = [ds.stop(ds.when.elapsed(steps=STEPS)), *policies]
    schedule = ds.checkpoint.Every(steps=25, keep=ds.checkpoint.Keep(ages=True))
    result = ds.run(training(poison, finals), rules=rules, checkpoint=schedule, seed=0, **options)
    return finals[-1], result


def test_with_roll_back_it_ends_as_a_clean_run_and_without_it_is_worse(tmp_path: Any) -> None:
    clean, _ = final_loss(())
    poisoned, _ = final_loss(POISON)
    saved, result = final_loss(POISON, LossSpike(), journal=tmp_path / "runs.db")
    decision = ds.Journal(tmp_path / "runs.db").rows("decisions")[0]
    assert decision["action"]["verb"] == "roll back" and result.step == STEPS
    assert saved == pytest.approx(clean, rel=0.02)
    assert poisoned >= 1.1 * clean
