"""RestartBandit over many problems and as a rule of runs: what it costs in all, and that kills do not change it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.policies.bandit import RestartBandit
from dalsegno.policies.laws import Discrete, Law, LognormalMixture, WeibullMixture
from dalsegno.policies.learned import LearnedCutoff

# -- totals -----------------------------------------------------------------------------------------------


def solve(policy: Any, times: Any) -> float:
    total = 0.0
    while True:
        cutoff, needed = policy.next_cutoff(), float(next(times))
        total += min(cutoff, needed)
        policy.observe(min(cutoff, needed), needed <= cutoff)
        if needed <= cutoff:
            return total


def mean_total(make: Callable[[int], Any], law: Law, runs: int = 6, problems: int = 150) -> float:
    totals = []
    for seed in range(runs):
        policy, times = make(seed), iter(law.sample(60_000, seed))
        totals.append(sum(solve(policy, times) for _ in range(problems)))
    return float(np.mean(totals))


LAWS = [
    (LognormalMixture(1, 0, 2), 0.1),
    (Discrete([10, 1000], [0.3, 0.7]), 2.5),
    (WeibullMixture(1, 1, 1), log(2) / 10),
    (WeibullMixture(1, 1, 2), sqrt(log(2)) / 10),
]


@pytest.mark.parametrize(("law", "unit"), LAWS, ids=["lognormal", "two points", "exponential", "weibull 2"])
def test_it_costs_little_more_than_the_cheapest_arm_alone(law: Law, unit: float) -> None:
    # Few problems and runs: the whole comparison is a study's; 1.25 is its bound, a fifth more the noise of these.
    alone = [
        mean_total(lambda seed: LearnedCutoff(unit, of="seconds"), law),
        mean_total(lambda seed: RestartBandit(unit, of="seconds", arms=("luby",), hand_over=None), law),
        mean_total(lambda seed: RestartBandit(unit, of="seconds", arms=("none",), hand_over=None), law),
    ]
    assert mean_total(lambda seed: RestartBandit(unit, of="seconds", seed=seed), law) <= 1.5 * min(alone)


# -- in a run ---------------------------------------------------------------------------------------------


def test_a_run_asks_as_it_does_by_hand() -> None:
    machine, by_hand = Machine([RestartBandit(4, seed=2)]), RestartBandit(4, seed=2)
    rng = np.random.default_rng(0)
    for needed in np.maximum(rng.lognormal(1.0, 1.5, 300).astype(int), 1):
        cutoff = by_hand.next_cutoff()
        machine.start(0, Origin())
        decision, steps = None, 0
        while decision is None:
            steps += 1
            decision = machine.advance(Report(status="succeeded" if steps == needed else "running"), 0.0)
        assert (steps, decision.verb) == ((needed, "stop") if needed <= cutoff else (np.ceil(cutoff), "restart"))
        machine.commit(decision)
        by_hand.observe(float(steps), bool(needed <= cutoff))


@pytest.mark.parametrize("options", [{}, {"choose_by": "exp3", "cap": 500.0, "problems": 50}], ids=["thompson", "exp3"])
@pytest.mark.parametrize("kills", [(40,), (7, 90, 33), tuple(range(20, 60, 3))])
def test_a_run_killed_and_resumed_takes_the_same_decisions(
    tmp_path: Path, search: Any, decisions: Callable[[Path], list[Any]], kills: tuple[int, ...], options: Any
) -> None:
    whole = search(tmp_path / "whole.db", RestartBandit(3, seed=5, **options))
    for kill_after in kills:
        search(tmp_path / "killed.db", RestartBandit(3, seed=5, **options), kill_after=kill_after)
    resumed = search(tmp_path / "killed.db", RestartBandit(3, seed=5, **options))
    assert resumed.verdict == "exact" and resumed.steps == whole.steps
    assert decisions(tmp_path / "killed.db") == decisions(tmp_path / "whole.db")


def test_a_loaded_bandit_goes_on_as_the_saved_one() -> None:
    rng = np.random.default_rng(3)
    one = RestartBandit(0.1, of="seconds", seed=9)
    times = iter(rng.lognormal(0, 2, 100_000))
    for _ in range(20):
        solve(one, times)
    one.observe(one.next_cutoff() if one.next_cutoff() < inf else 3.0, False)  # in the middle of a problem
    other = RestartBandit(0.1, of="seconds", seed=9)
    other.load_state_dict(one.state_dict())
    later = list(rng.lognormal(0, 2, 20_000))
    first, second = iter(later), iter(later)
    assert [solve(one, first) for _ in range(30)] == [solve(other, second) for _ in range(30)]


@pytest.mark.parametrize(
    "options",
    [
        {"arms": ()},
        {"arms": ("luby", "luby")},
        {"arms": ("fixed",)},
        {"choose_by": "ucb"},
        {"choose_by": "exp3"},
        {"choose_by": "exp3", "cap": 10.0},
        {"choose_by": "exp3", "cap": inf, "problems": 10},
        {"hand_over": 0.5},
        {"seed": -1},
        {"unit": 0},
    ],
)
def test_mistakes_are_refused(options: Any) -> None:
    with pytest.raises(UsageError):
        RestartBandit(**options)


@pytest.mark.parametrize("attempt", [0, -1, 1.0, True])
def test_an_attempt_that_has_no_number_is_refused(attempt: Any) -> None:
    with pytest.raises(UsageError, match="from 1"):
        RestartBandit().cutoff(attempt)
