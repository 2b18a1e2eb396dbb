"""LearnedCutoff: what it asks for as attempts end, and how good its cutoffs are."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.attempt_learner import GROWTH
from dalsegno.policies.laws import Discrete, KaplanMeier, Law, LognormalMixture, WeibullMixture
from dalsegno.policies.learned import LearnedCutoff
from dalsegno.policies.run_log import RunLog

TWO_POINT = RunLog("steps", [10] * 15 + [30] * 34 + [1000], [True] * 15 + [False] * 34 + [True])


# -- what it asks for -------------------------------------------------------------------------------------


def test_it_begins_with_lubys_schedule() -> None:
    policy, asked = LearnedCutoff(10), []
    for _ in range(7):
        asked.append(policy.next_cutoff())
        policy.observe(asked[-1], False)
    assert asked == [10, 10, 20, 10, 10, 20, 40]


def test_lubys_schedule_begins_anew_with_the_next_problem() -> None:
    policy = LearnedCutoff(10)
    for time_, solved in ((10.0, False), (10.0, False), (15.0, True)):
        policy.observe(time_, solved)
    assert policy.next_cutoff() == 10


def test_asking_twice_is_asking_once() -> None:
    policy = LearnedCutoff(10)
    assert [policy.next_cutoff() for _ in range(4)] == [10] * 4


def test_after_10_solved_attempts_it_is_the_best_cutoff() -> None:
    policy = LearnedCutoff(1)
    policy.observe(1000.0, True)
    for _ in range(8):
        policy.observe(10.0, True)
        policy.observe(30.0, False)
    assert policy.learned is None
    policy.observe(10.0, True)
    assert policy.next_cutoff() == policy.learned == 10.0


def test_a_past_log_is_learned_from_at_once() -> None:
    assert LearnedCutoff(1, past=TWO_POINT).next_cutoff() == 10.0


def test_the_guard_keeps_it_on_lubys_schedule() -> None:
    # 10 of 1000 are solved: a hundredth, and a fiftieth is the least.
    past = RunLog("steps", [5] * 10 + [40] * 990, [True] * 10 + [False] * 990)
    assert LearnedCutoff(3, past=past).next_cutoff() == 3.0


def test_a_best_cutoff_at_the_last_event_is_doubled() -> None:
    past = RunLog("steps", range(1, 21), [True] * 20)  # a rising hazard: the last is best
    assert LearnedCutoff(past=past).next_cutoff() == 40.0
    assert LearnedCutoff(past=past, doubling=False).next_cutoff() == 20.0


def test_a_time_that_was_only_seen_cut_is_doubled_too() -> None:
    # Nothing is known of what lies beyond 30: 10 is the best so far, and the last time at which any was solved.
    past = RunLog("steps", [10] * 15 + [30] * 35, [True] * 15 + [False] * 35)
    assert LearnedCutoff(past=past).next_cutoff() == 60.0


def test_the_doubling_follows_the_longest_time_seen() -> None:
    policy = LearnedCutoff(past=RunLog("steps", range(1, 21), [True] * 20))
    policy.observe(40.0, False)
    assert policy.next_cutoff() == 80.0


def test_an_overhead_makes_cutoffs_longer() -> None:
    rng = np.random.default_rng(0)
    past = RunLog("seconds", rng.lognormal(0, 2, 200), np.ones(200, bool))
    short, long = (LearnedCutoff(of="seconds", past=past, overhead=r).next_cutoff() for r in (0.0, 1.0))
    assert short < long


@pytest.mark.parametrize("n", [12, 40, 200])
def test_its_cutoff_is_that_of_a_log_at_most_a_twentieth_smaller(n: int) -> None:
    rng = np.random.default_rng(2)
    times = rng.lognormal(0, 2, n)
    policy = LearnedCutoff(of="seconds")
    for t in times:
        policy.observe(float(t), True)
    found = [KaplanMeier(RunLog(times=times[:k], solved=np.ones(k, bool))).optimal_cutoff().t for k in range(10, n + 1)]
    assert policy.learned in found[-max(int(GROWTH * n), 1) :]


@pytest.mark.parametrize("arguments", [{"unit": 0}, {"overhead": -1}, {"of": "attempts"}, {"unit": "x"}])
def test_mistakes_are_refused(arguments: Any) -> None:
    with pytest.raises(UsageError):
        LearnedCutoff(**arguments)


def test_a_past_in_another_unit_is_refused() -> None:
    with pytest.raises(UsageError, match="two units"):
        LearnedCutoff(of="seconds", past=TWO_POINT)


@pytest.mark.parametrize("arguments", [(-1.0, True), (float("nan"), False), (1.0, 2), (1.0,)])
def test_what_is_no_observation_is_refused_and_changes_nothing(arguments: Any) -> None:
    policy = LearnedCutoff(10)
    before = policy.state_dict()
    with pytest.raises(UsageError):
        policy.observe(*arguments)
    assert policy.state_dict() == before


def test_it_reads_like_its_constructor_call() -> None:
    assert str(LearnedCutoff(5, past=TWO_POINT)) == "LearnedCutoff(5.0, past=RunLog(50 attempts in steps, 16 solved))"


# -- how good it is ---------------------------------------------------------------------------------------


HALF = log(2.0)
CRITERIA: list[tuple[str, Law, float, float, float]] = [
    # median, what to compare with, the most times that
    ("lognormal", LognormalMixture(1, 0, 2), 1.0, 0.721127, 1.15),
    ("two points", Discrete([10, 1000], [0.3, 0.7]), 1000.0, 33.333, 1.1),
    ("weibull 2", WeibullMixture(1, 1, 2), HALF**0.5, 0.886227, 1.05),
    ("weibull .5", WeibullMixture(1, 1, 0.5), HALF**2, 2.0, 0.15),
    ("exponential", WeibullMixture(1, 1, 1), HALF, 1.0, 1.0 + 1e-9),
]


def censored(law: Law, limit: float, rng: np.random.Generator) -> RunLog:
    times = law.sample(50, rng)
    return RunLog("seconds", np.minimum(times, limit), times <= limit)


@pytest.mark.parametrize(
    ("law", "median", "reference", "most"), [row[1:] for row in CRITERIA], ids=[r[0] for r in CRITERIA]
)
def test_the_cutoff_from_50_censored_runs_is_near_the_best(
    law: Law, median: float, reference: float, most: float
) -> None:
    rng = np.random.default_rng(1)
    exact = []
    for _ in range(40):
        policy = LearnedCutoff(of="seconds", past=censored(law, 3.0 * median, rng), doubling=False)
        exact.append(float(law.expected(policy.next_cutoff())))
    assert np.mean(exact) <= most * reference


def test_without_the_guard_the_lognormal_law_is_missed() -> None:
    law, rng = LognormalMixture(1, 0, 2), np.random.default_rng(1)
    raw = []
    for _ in range(40):
        best = KaplanMeier(censored(law, 3.0, rng)).optimal_cutoff(min_successes=1, min_F=0.0)
        raw.append(float(law.expected(best.t)))
    assert np.mean(raw) > 1.15 * 0.721127


def total_cost(policy: Any, times: Any, problems: int) -> float:
    """What ``problems`` cost under a policy that is told how attempts end."""
    total, drawn = 0.0, iter(times)
    for _ in range(problems):
        solved = False
        while not solved:
            cutoff, needed = policy.next_cutoff(), float(next(drawn))
            solved = needed <= cutoff
            total += min(needed, cutoff)
            policy.observe(min(needed, cutoff), solved)
    return total


def test_doubling_keeps_cutoffs_from_confirming_themselves() -> None:
    law, means = WeibullMixture(1, 1, 2), {}
    for doubling in (True, False):
        costs = []
        for seed in range(6):
            policy = LearnedCutoff(HALF**0.5 / 10, of="seconds", doubling=doubling)
            costs.append(total_cost(policy, law.sample(100_000, seed), 200) / 200)
        means[doubling] = float(np.mean(costs))
    # Over 500 problems the means are 1.05 and 1.6 or more times that of never cutting; over these few less apart.
    assert means[True] < 1.25 * law.mean and means[False] > 1.4 * law.mean
