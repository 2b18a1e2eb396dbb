"""The dilated convolution: its form, its state, and that it learns what stands in a signal's shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import ConvolutionPredictor

pytest.importorskip("torch")
Signals = tuple[Any, Any]


def drops(n: int, seed: int, window: int = 40, channels: int = 3) -> Signals:
    """Noise in which successes have a dip somewhere in one channel: no single sample tells them apart."""
    rng = np.random.default_rng(seed)
    signals, success = rng.normal(size=(n, window, channels)), rng.random(n) < 0.3
    for row in np.flatnonzero(success):
        place = rng.integers(0, window - 8)
        signals[row, place : place + 8, 1] -= 2.0
    return signals.reshape(n, -1), success


@pytest.fixture(scope="module")
def fitted() -> ConvolutionPredictor:
    return ConvolutionPredictor(3, epochs=12, batch=64).fit(*drops(600, seed=0))


def test_it_tells_a_dip_from_noise(fitted: ConvolutionPredictor) -> None:
    X, y = drops(400, seed=1)
    right = (fitted.predict_proba(X)[:, 1] > 0.5) == y
    assert right.mean() > 0.9  # a constant answer is right in 0.7


def test_evened_classes_do_not_shift_its_probabilities(fitted: ConvolutionPredictor) -> None:
    X, y = drops(2000, seed=2)
    assert fitted.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.05)


def test_four_blocks_of_dilations_1_2_4_8_and_32_channels(fitted: ConvolutionPredictor) -> None:
    import torch

    blocks = [layer for layer in fitted.network_ if isinstance(layer, torch.nn.Conv1d)]
    assert [(b.dilation[0], b.out_channels, b.kernel_size[0]) for b in blocks] == [(d, 32, 3) for d in (1, 2, 4, 8)]


def test_the_same_seed_gives_the_same_network_and_leaves_the_global_generator_alone() -> None:
    import torch

    data = drops(100, seed=3)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, two = (ConvolutionPredictor(3, epochs=2).fit(*data).predict_proba(data[0]) for _ in range(2))
    assert (one == two).all() and torch.equal(before, torch.get_rng_state())


def test_its_state_holds_arrays_and_gives_the_same_answers(fitted: ConvolutionPredictor) -> None:
    X, _ = drops(50, seed=4)
    state, other = fitted.state_dict(), ConvolutionPredictor(3)
    other.load_state_dict(state)
    assert all(isinstance(one, np.ndarray) for one in state["network"].values())
    assert (other.predict_proba(X) == fitted.predict_proba(X)).all()


def test_a_row_that_is_no_window_of_its_channels_is_refused() -> None:
    with pytest.raises(UsageError, match="window"):
        ConvolutionPredictor(6).fit(np.zeros((4, 10)), [True, False, True, False])
