"""Runs worth looking at: gone back, restarted, stopped, with names that want to be markup."""

from __future__ import annotations

import math

import pytest

import dalsegno as ds

HOSTILE = "<script>alert('x')</script>&\"\x07"


class Troubled(ds.Process):
    """Spikes at step 15 until its rate is low, fails at step 25 in the first attempt, succeeds at step 40."""

    def __init__(self, length=40):
        self.length, self.attempts = length, 0

    def reset(self, *, seed, origin=None):
        self.i, self.rate = 0, 0.8
        self.attempts += 1

    def step(self):
        self.i += 1
        if self.i == 25 and self.attempts == 1:
            raise RuntimeError(HOSTILE)
        loss = 9.0 if self.i == 15 and self.rate > 0.3 else 1.0 / self.i
        metrics = {"loss": loss, HOSTILE: math.nan if self.i % 7 == 0 else self.rate}
        return ds.Report(metrics, {"tokens": 3.0}, status="succeeded" if self.i == self.length else "running")

    def state_dict(self):
        return {"i": self.i, "rate": self.rate, "attempts": self.attempts}

    def load_state_dict(self, state):
        self.i, self.rate, self.attempts = state["i"], state["rate"], state["attempts"]


def halve(process):
    process.rate /= 2


def rules():
    return [
        ds.stop(ds.when.succeeded()),
        ds.roll_back(ds.when.above("loss", 5.0), then=halve),
        ds.restart(ds.when.failed(), name=f"again {HOSTILE}"),
        ds.stop(ds.when.spent(steps=500)),
    ]


def run(journal, name="troubled", seed=0, length=40):
    every = ds.checkpoint.Every(steps=5)
    return ds.run(Troubled(length), rules=rules(), checkpoint=every, journal=journal, name=name, seed=seed)


@pytest.fixture(scope="session")
def journal(tmp_path_factory):
    """A journal of two names, three seeds each; the first name wants to be markup."""
    path = tmp_path_factory.mktemp("report") / "runs.db"
    for seed in range(3):
        run(path, HOSTILE, seed)
        run(path, "other", seed, length=20 + 5 * seed)
    return path
