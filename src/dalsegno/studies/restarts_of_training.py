"""Restarts of training: many small networks that learn XOR from random weights, most in time and some never.

A 2-2-1 network of sigmoids with biases; loss is the mean over the four patterns of (output - target)^2, minimised by
full-batch gradient descent. An attempt succeeds once the loss is below a bound, and fails at the cap. Which will fail
shows in the loss long before the cap: what a failure predictor is for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dalsegno.policies.preemption.observed import Observed

Floats = npt.NDArray[np.float64]
INPUTS = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])  # (2, patterns)
TARGETS = np.array([0.0, 1.0, 1.0, 0.0])


@dataclass(frozen=True)
class Trainings:
    """``durations`` (n,) in steps, ``succeeded`` (n,), ``losses`` (n, T): at every ``every``-th step, NaN after the end."""

    durations: Floats
    succeeded: npt.NDArray[np.bool_]
    losses: Floats
    every: int

    def __len__(self) -> int:
        return len(self.durations)

    def take(self, rows: slice) -> Trainings:
        return Trainings(self.durations[rows], self.succeeded[rows], self.losses[rows], self.every)

    def observed(self, checkpoints: list[int], resets: tuple[float, float] = (0.0, 0.0)) -> Observed:
        return Observed.of(self.durations, self.succeeded, checkpoints, resets=resets)

    def features(self, checkpoints: list[int], last: int = 3) -> Floats:
        """(n, K, 2 last - 1): the last recorded log-losses at each checkpoint and their differences, NaN after the end."""
        places = np.array(checkpoints) // self.every - 1
        if (places < last - 1).any() or (np.array(checkpoints) % self.every).any():
            raise ValueError(f"checkpoints {checkpoints}: expected multiples of {self.every}, from {last * self.every}")
        with np.errstate(divide="ignore"):
            logs = np.log(self.losses[:, places[:, None] + np.arange(1 - last, 1)])  # (n, K, last)
        features = np.concatenate([logs, np.diff(logs, axis=2)], axis=2)
        running = self.durations[:, None] > np.array(checkpoints)
        return np.where(running[:, :, None], features, np.nan)


def train(
    attempts: int = 3000,
    seed: int = 0,
    *,
    cap: int = 6000,
    learning_rate: float = 2.0,
    solved: float = 0.02,
    every: int = 50,
) -> Trainings:
    """Train ``attempts`` networks at once; weights and biases begin in U(-1, 1)."""
    rng = np.random.default_rng(seed)
    # Attempts stand last, so that every operation runs along them.
    w1 = np.ascontiguousarray(rng.uniform(-1, 1, (attempts, 2, 2)).transpose(1, 2, 0))  # (input, hidden, n)
    b1 = np.ascontiguousarray(rng.uniform(-1, 1, (attempts, 2)).T)
    w2 = np.ascontiguousarray(rng.uniform(-1, 1, (attempts, 2)).T)
    b2 = rng.uniform(-1, 1, attempts)
    durations, succeeded = np.full(attempts, float(cap)), np.zeros(attempts, np.bool_)
    losses = np.full((attempts, cap // every), np.nan)
    open_ = np.arange(attempts)
    for step in range(cap + 1):
        hidden, output = _forward(w1, b1, w2, b2)
        error = output - TARGETS[:, None]
        loss = (error * error).mean(axis=0)
        done = loss < solved
        if step and step % every == 0:
            losses[open_, step // every - 1] = loss
        if done.any():
            durations[open_[done]], succeeded[open_[done]] = step, True
            keep = ~done
            open_, w1, b1, w2, b2 = open_[keep], w1[:, :, keep], b1[:, keep], w2[:, keep], b2[keep]
            hidden, output, error = hidden[:, :, keep], output[:, keep], error[:, keep]
        if step == cap or not len(open_):
            break
        slope = (0.5 * learning_rate) * error * output * (1.0 - output)  # (patterns, n)
        back = slope * w2[:, None, :] * hidden * (1.0 - hidden)  # (hidden, patterns, n)
        w2 -= (hidden * slope).sum(axis=1)
        b2 -= slope.sum(axis=0)
        b1 -= back.sum(axis=1)
        w1[0] -= back[:, 2] + back[:, 3]
        w1[1] -= back[:, 1] + back[:, 3]
    return Trainings(durations, succeeded, losses, every)


def _forward(w1: Floats, b1: Floats, w2: Floats, b2: Floats) -> tuple[Floats, Floats]:
    """Hidden activations (hidden, patterns, n) and outputs (patterns, n)."""
    drive = b1[:, None, :] + INPUTS[0][None, :, None] * w1[0][:, None, :] + INPUTS[1][None, :, None] * w1[1][:, None, :]
    hidden = 1.0 / (1.0 + np.exp(-drive))
    output = 1.0 / (1.0 + np.exp(-(w2[:, None, :] * hidden).sum(axis=0) - b2))
    return hidden, output
