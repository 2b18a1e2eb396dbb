"""A world of attempts for the rule to learn: some succeed soon, some fail late, and hints come of which."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dalsegno.policies.preemption import PreemptiveRestart

CHECKPOINTS = (3.0, 6.0, 9.0)


class World:
    """Attempts that succeed after about 20 or fail after about ``bad``; a noisy hint of which comes with time."""

    def __init__(self, seed: int = 0, p: float = 0.5, noise: float = 0.7, bad: float = 60.0) -> None:
        self.rng, self.p, self.noise, self.bad = np.random.default_rng(seed), p, noise, bad
        self.total, self.successes, self.actions = 0.0, 0, []

    def one(self, rule: PreemptiveRestart) -> None:
        success = bool(self.rng.random() < self.p)
        duration = (20.0 if success else self.bad) * self.rng.uniform(0.7, 1.3)
        hints = success + self.noise * self.rng.normal(size=3)
        with rule.attempt() as attempt:
            for t, hint in zip(CHECKPOINTS, hints, strict=True):
                if attempt.observe(t, [hint]):
                    self.total += t + rule.reset_cost[1]
                    self.actions.append(t)
                    return
            attempt.finish(success, duration)
        self.total += duration + (0.0 if success else rule.reset_cost[0])
        self.successes += success
        self.actions.append(None)

    def run(self, rule: PreemptiveRestart, attempts: int) -> World:
        for _ in range(attempts):
            self.one(rule)
        return self


def a_rule(**settings: Any) -> PreemptiveRestart:
    given = {"reset_cost": (2.0, 1.0), "observe_attempts": 100, "reevaluate": 50, "repeats": 1, "resamples": 200}
    return PreemptiveRestart(CHECKPOINTS, **{**given, **settings})


@pytest.fixture(name="World")
def the_world() -> type[World]:
    return World


@pytest.fixture(name="a_rule")
def the_rule() -> Any:
    return a_rule
