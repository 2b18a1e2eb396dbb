"""Commands as a user gives them: real programs in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SLOW = '''
import os, time
import dalsegno as ds


class Slow(ds.Process):
    """A thousand steps of a hundredth of a second, in which something can be made to happen."""

    def __init__(self, length=1000, fail=0, pause=0.01):
        self.length, self.fail, self.pause = length, fail, pause

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        if os.path.exists("fail") and self.i + 1 == 20:
            raise ValueError("the data are <gone>")
        time.sleep(self.pause)
        self.i += 1
        with open("taken", "a") as file:
            file.write(f"{self.i}\\n")
        return ds.Report({"loss": 1.0 / self.i}, status="succeeded" if self.i == self.length else "running")

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


every = ds.checkpoint.Every(steps=10)
long = ds.Plan(Slow(), checkpoint=every)
stopped = ds.Plan(Slow(pause=0.0), rules=[ds.stop(ds.when.elapsed(steps=25))], checkpoint=every)
given_up = ds.Plan(Slow(pause=0.0), rules=[ds.roll_back(ds.when.above("loss", 0.0))], checkpoint=every)
hung = ds.Plan(Slow(pause=30.0), checkpoint=every, step_timeout=0.5)
rules = [ds.stop(ds.when.below("loss", 0.1))]


def train(attempt, rate=1.0, kind="plain"):
    print("a word from the user")
    for step, i in attempt.over(range(5)):
        step.report(loss=rate / step)
    return kind


def make(*, length=3):
    return ds.Plan(Slow(length, pause=0.0), name="made")


def bad(attempt):
    for step, i in attempt.over(range(5)):
        step.report(loss=float("nan"))
    return float("inf")
'''


class Place:
    """A folder with a user's module in it, and the command line in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "slow.py").write_text(SLOW, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "DALSEGNO_JOURNAL")}
        return {**kept, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Begin a command and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "dalsegno", *map(str, words)],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Give a command and wait for its end."""
        begun = self.start(*words)
        out, errors = begun.communicate(timeout=120)
        return subprocess.CompletedProcess(begun.args, begun.returncode, out, errors)

    @property
    def taken(self) -> list[int]:
        """The steps that were really taken, in order."""
        file = self.path / "taken"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def wait_for(self, step: int) -> None:
        """Wait until a running command has taken so many steps."""
        until = time.monotonic() + 60
        while not self.taken or self.taken[-1] < step:
            assert time.monotonic() < until, f"step {step} never came: {self.taken[-3:]}"
            time.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
