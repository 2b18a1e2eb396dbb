"""The vectorised training of many small networks, beside one trained by automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest

from dalsegno.studies.restarts_of_training import train


def losses_of_one(number: int, attempts: int, seed: int, steps: int) -> list[float]:
    """The losses of one of the networks, step by step, by PyTorch."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    drawn = [rng.uniform(-1, 1, shape)[number] for shape in ((attempts, 2, 2), (attempts, 2), (attempts, 2), attempts)]
    w1, b1, w2, b2 = (torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in drawn)
    inputs = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
    targets = torch.tensor([0.0, 1, 1, 0], dtype=torch.float64)
    optimizer = torch.optim.SGD([w1, b1, w2, b2], lr=2.0)
    losses = []
    for _ in range(steps + 1):
        loss = ((torch.sigmoid(torch.sigmoid(inputs @ w1 + b1) @ w2 + b2) - targets) ** 2).mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


@pytest.mark.parametrize("number", [0, 3])
def test_losses_are_those_of_gradient_descent(number: int) -> None:
    found = train(5, seed=1, cap=400).losses[number]
    expected = losses_of_one(number, 5, seed=1, steps=400)[50::50]
    seen = ~np.isnan(found)
    assert seen.sum() >= 6 and found[seen] == pytest.approx(np.array(expected)[seen], rel=1e-9)


def test_an_attempt_succeeds_at_the_step_where_its_loss_falls_below_the_bound() -> None:
    trained = train(5, seed=1, cap=1500)
    number = int(np.argmax(trained.succeeded))
    losses = losses_of_one(number, 5, seed=1, steps=1500)
    assert trained.succeeded[number] and trained.durations[number] == np.argmax(np.array(losses) < 0.02)


def test_one_that_reaches_the_cap_has_failed_there() -> None:
    trained = train(40, seed=0, cap=500)
    failed = ~trained.succeeded
    assert failed.any() and (trained.durations[failed] == 500).all()


def test_nothing_is_recorded_after_an_attempts_end() -> None:
    trained = train(40, seed=0, cap=1500)
    recorded = (~np.isnan(trained.losses)).sum(axis=1)
    assert (recorded == trained.durations // 50).all()


def test_features_are_the_last_log_losses_and_their_differences() -> None:
    trained = train(3, seed=0, cap=300)
    a, b, c = np.log(trained.losses[0, 1:4])
    assert trained.features([200])[0, 0] == pytest.approx([a, b, c, b - a, c - b])


def test_a_checkpoint_that_has_not_three_records_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 50"):
        train(3, cap=300).features([100])
