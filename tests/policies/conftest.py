"""Runs of searches with random lengths, killed and resumed, for the policies that learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dalsegno as ds


class Killed(BaseException):
    """Ends a program without a word, as a kill does: nothing is saved and no rule is asked."""


class Search(ds.Process):
    """Solved after a number of steps that its seed decides: heavy-tailed, median 12."""

    left: float = float("inf")  # steps until the program is killed

    def reset(self, *, seed: int, origin: Any = None) -> None:
        self.needed = max(1, round(12 * float(np.random.default_rng(seed).lognormal(0.0, 2.0))))
        self.done = 0

    def step(self) -> ds.Report:
        Search.left -= 1
        if Search.left < 0:
            raise Killed
        self.done += 1
        return ds.Report({"done": float(self.done)}, status="succeeded" if self.done >= self.needed else "running")

    def state_dict(self) -> dict[str, Any]:
        return {"needed": self.needed, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.needed, self.done = int(state["needed"]), int(state["done"])


Runner = Callable[..., ds.Result]


@pytest.fixture
def search() -> Runner:
    """Run searches, one problem after the other, under a policy; ``kill_after`` steps the program dies, or None."""

    def run(journal: Path, policy: Any, *, attempts: int = 80, seed: int = 1, kill_after: float | None = None) -> Any:
        Search.left = float("inf") if kill_after is None else kill_after
        rules = [ds.stop(ds.when.spent(attempts=attempts)), ds.restart(ds.when.succeeded()), policy]
        try:
            return ds.run(Search(), rules=rules, checkpoint=ds.checkpoint.Every(steps=15), journal=journal, seed=seed)
        except Killed:
            return None

    return run


@pytest.fixture
def decisions() -> Callable[[Path], list[Any]]:
    """What was decided in a journal, where, and on what grounds."""

    def read(journal: Path) -> list[Any]:
        rows = ds.Journal(journal).rows("decisions")
        return [(row["attempt"], row["step"], row["rule"], row["saw"]) for row in rows if not row["superseded"]]

    return read
