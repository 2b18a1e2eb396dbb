"""Force-torque traces of a robot that inserts pegs: made up, with the two signs that tell success from failure.

Six channels (Fx, Fy, Fz, Tx, Ty, Tz) at 100 samples a second. A peg that finds its hole shows a drop in Fz and is in
place soon after; one that jams drifts sideways until the attempt times out. Both signs lie in noise that overlaps:
sensors are offset, successes drift a little too, and failures slip, which looks like half a drop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dalsegno.policies.preemption.observed import Observed

Floats = npt.NDArray[np.float64]
RATE = 100  # samples a second
CHANNELS = 6
FX, FY, FZ, TX, TY, TZ = range(CHANNELS)


@dataclass(frozen=True)
class Traces:
    """``durations`` (n,) in seconds, ``succeeded`` (n,), ``signals`` (n, T, 6) in newtons and newton metres.

    What a trace holds after its attempt's end means nothing and is never looked at.
    """

    durations: Floats
    succeeded: npt.NDArray[np.bool_]
    signals: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.durations)

    def observed(self, checkpoints: list[float], resets: tuple[float, float] = (0.0, 0.0)) -> Observed:
        return Observed.of(self.durations, self.succeeded, checkpoints, resets=resets)

    def windows(self, checkpoints: list[float], seconds: float = 1.0) -> Floats:
        """(n, K, window * 6): the last ``seconds`` before each checkpoint, NaN where the attempt had ended."""
        width = round(seconds * RATE)
        ends = [round(checkpoint * RATE) for checkpoint in checkpoints]
        if min(ends) < width or max(ends) > self.signals.shape[1]:
            raise ValueError(
                f"checkpoints {checkpoints} with windows of {seconds} s: expected from {seconds} s on, and at most "
                f"{self.signals.shape[1] / RATE} s"
            )
        cut = np.stack([self.signals[:, end - width : end].reshape(len(self), -1) for end in ends], axis=1)
        running = self.durations[:, None] > np.array(checkpoints)
        return np.where(running[:, :, None], cut.astype(np.float64), np.nan)


def make_traces(
    attempts: int,
    seed: int | list[int] = 0,
    *,
    success: float = 0.6,
    timeout: float = 12.0,
    seconds: float = 7.0,
    noise: float = 1.0,
) -> Traces:
    """``attempts`` traces of ``seconds`` each; ``success`` is the share of pegs that find their hole, ``noise`` scales."""
    rng = np.random.default_rng(seed)
    succeeded = rng.random(attempts) < success
    engaged = 0.8 + rng.gamma(4.0, 0.55, attempts)  # seconds until a peg finds its hole: 3 in the mean
    inserted = engaged + 1.5 + rng.gamma(6.0, 0.35, attempts)  # and until it is in place
    succeeded &= inserted < timeout
    durations = np.where(succeeded, inserted, timeout * rng.uniform(0.85, 1.0, attempts))
    t = np.arange(round(seconds * RATE)) / RATE
    signals = rng.standard_normal((attempts, len(t), CHANNELS), np.float32)
    signals *= np.array([1.5, 1.5, 2.0, 0.08, 0.08, 0.05], np.float32) * np.float32(noise)
    offset = rng.normal(size=(attempts, CHANNELS)) * [1.0, 1.0, 1.5, 0.05, 0.05, 0.03]
    signals += offset[:, None, :].astype(np.float32)
    signals[:, :, FZ] += 12.0  # it presses while it searches
    # A drop of Fz where the peg engages; in failures the half of one, where it slips and catches again.
    place = np.where(succeeded, engaged, rng.uniform(0.8, 9.0, attempts))[:, None]
    depth = np.where(succeeded, rng.normal(5.0, 1.5, attempts), rng.normal(2.0, 1.5, attempts))[:, None]
    signals[:, :, FZ] -= (depth / (1.0 + np.exp(-(t - place) / 0.08))).astype(np.float32)
    # Sideways drift and the torque that goes with it, from a random onset on; faint in successes.
    angle = rng.uniform(0, 2 * np.pi, attempts)[:, None]
    onset = rng.uniform(0.3, 2.5, attempts)[:, None]
    slope = np.where(succeeded, rng.normal(0.15, 0.35, attempts), rng.normal(0.8, 0.4, attempts))[:, None]
    drift = slope * np.maximum(t - onset, 0.0)
    for channel, part in (
        (FX, np.cos(angle)),
        (FY, np.sin(angle)),
        (TX, -0.05 * np.sin(angle)),
        (TY, 0.05 * np.cos(angle)),
    ):
        signals[:, :, channel] += (part * drift).astype(np.float32)
    return Traces(durations, succeeded, signals)
