"""When to give an attempt up: the fixed point, against brute force and the worked example."""

from __future__ import annotations

from itertools import pairwise, product
from math import inf, nan
from typing import Any

import numpy
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from dalsegno.core.errors import UsageError
from dalsegno.policies import FixedCutoff, best_depth, optimal_horizon, optimal_states, rebuilding_cost

MISSES = [0.5 + 0.5 * 0.8**k for k in range(200)]
HAZARD = [1 - after / before for before, after in pairwise(MISSES)]


def test_the_rounds_of_the_worked_example() -> None:
    stopping = optimal_horizon(HAZARD, reset=20, start=rebuilding_cost(1, build=20, attempt=1, good=0.5, success=0.2))
    rounds = [(horizon, round(cost, 6)) for horizon, cost in stopping.rounds]
    assert rounds == [(17, 63.313094), (12, 60.837096), (11, 60.792543), (11, 60.792543)]


def test_its_first_guess_is_the_cost_of_giving_up_after_a_step() -> None:
    assert optimal_horizon(HAZARD, reset=20) == optimal_horizon(HAZARD, reset=20, start=210.0)


@given(some.floats(0.5, 300.0), some.floats(0.05, 0.95), some.floats(0.05, 0.95))
def test_it_is_the_best_depth_of_a_shared_base(build: float, good: float, success: float) -> None:
    misses = 1 - good + good * (1 - success) ** numpy.arange(400)
    found = optimal_horizon(numpy.clip(1 - misses[1:] / misses[:-1], 0, 1), reset=build)
    best = best_depth(build=build, attempt=1.0, good=good, success=success)
    assume(best.failures < 300)
    assert found.expected == pytest.approx(best.expected, rel=1e-9)


def cost_of(hazard: Any, cost: Any, reset: float, overhead: float, horizon: int) -> float:
    alive, spent = 1.0, reset
    for h, c in zip(hazard[:horizon], cost[:horizon], strict=True):
        spent += alive * c
        alive *= 1 - h
    return (spent + overhead * alive) / (1 - alive) if alive < 1 else inf


STEPS = some.lists(some.tuples(some.floats(0.0, 1.0), some.floats(0.0, 10.0)), min_size=1, max_size=12)


@given(STEPS, some.floats(0.0, 20.0), some.floats(0.0, 20.0))
def test_no_other_horizon_is_better(steps: list[tuple[float, float]], reset: float, overhead: float) -> None:
    hazard, cost = (list(column) for column in zip(*steps, strict=True))
    assume(max(hazard) > 1e-6)
    found = optimal_horizon(hazard, cost, reset=reset, overhead=overhead)
    costs = [cost_of(hazard, cost, reset, overhead, horizon) for horizon in range(1, len(hazard) + 1)]
    assert found.expected == pytest.approx(min(costs), rel=1e-9, abs=1e-9)
    assert costs[found.horizon - 1] == pytest.approx(min(costs), rel=1e-6, abs=1e-6)


@given(STEPS, some.floats(0.0, 20.0), some.floats(0.0, 100.0))
def test_the_rounds_fall_from_wherever_they_start(steps: list[tuple[float, float]], reset: float, start: float) -> None:
    hazard, cost = (list(column) for column in zip(*steps, strict=True))
    assume(max(hazard) > 1e-6)
    values = [value for _, value in optimal_horizon(hazard, cost, reset=reset, start=start).rounds]
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(values))


def test_a_horizon_is_a_policy_of_the_engine() -> None:
    assert optimal_horizon(HAZARD, reset=20).policy() == FixedCutoff(11)


def test_a_rising_hazard_is_never_given_up() -> None:
    assert optimal_horizon(numpy.linspace(0.01, 0.5, 60), reset=1.0).horizon == 60


@pytest.mark.parametrize(
    ("hazard", "cost", "reset"),
    [
        ([], 1, 0),
        ([0.0, 0.0], 1, 0),
        ([1.1], 1, 0),
        ([-0.1, 0.5], 1, 0),
        ([nan], 1, 0),
        ([0.5], -1, 0),
        ([0.5], [1, 1], 0),
        ([0.5], 1, -1),
        ([0.5], inf, 0),
    ],
)
def test_mistaken_steps_are_refused(hazard: Any, cost: Any, reset: Any) -> None:
    with pytest.raises(UsageError):
        optimal_horizon(hazard, cost, reset=reset)


# -- states ------------------------------------------------------------------------------------------------


def as_states(hazard: list[float]) -> tuple[Any, Any]:
    """Steps as states: from the k-th one goes to the next, from the last nowhere."""
    n = len(hazard)
    return numpy.diag(1 - numpy.array(hazard[:-1]), 1).reshape(n, n), numpy.array(hazard)


def test_steps_are_states_too() -> None:
    found = optimal_states(*as_states(HAZARD), reset=20)
    assert round(found.expected, 6) == 60.792543 and found.states[:12] == (True,) * 11 + (False,)


def chains() -> Any:
    n = some.shared(some.integers(1, 5), key="states")
    weights = n.flatmap(
        lambda k: some.lists(some.lists(some.integers(0, 9), min_size=k + 2, max_size=k + 2), min_size=k, max_size=k)
    )
    return some.tuples(weights, n.flatmap(lambda k: some.lists(some.floats(0.1, 10.0), min_size=k, max_size=k)))


@given(chains(), some.floats(0.0, 10.0), some.floats(0.0, 10.0))
def test_no_other_set_of_states_is_better(chain: Any, reset: float, overhead: float) -> None:
    rows, cost = numpy.array(chain[0], dtype=float), numpy.array(chain[1])
    assume((rows.sum(1) > 0).all())
    rows /= rows.sum(1, keepdims=True) + 0.1  # some of every row leads out, so that every rule ends
    transition, success = rows[:, :-2], rows[:, -2]
    best = inf
    for others in product([False, True], repeat=len(cost) - 1):
        going = numpy.array([True, *others])
        inside = numpy.linalg.inv(numpy.eye(len(cost)) - transition * going[:, None] * going[None, :])
        won = (inside @ (success * going))[0]
        given_up = (inside @ (going * (transition @ ~going)))[0]
        if won > 0:
            best = min(best, (reset + (inside @ (cost * going))[0] + overhead * given_up) / won)
    if best == inf:
        with pytest.raises(UsageError, match="no success"):
            optimal_states(transition, success, cost, reset=reset, overhead=overhead)
    else:
        found = optimal_states(transition, success, cost, reset=reset, overhead=overhead)
        assert found.expected == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize(
    ("transition", "success"),
    [([[0.9]], [0.2]), ([[0.5]], [-0.1]), ([[0.5, 0.1]], [0.1]), ([[1.0]], [0.0]), ([[nan]], [0.1])],
)
def test_mistaken_chains_are_refused(transition: Any, success: Any) -> None:
    with pytest.raises(UsageError):
        optimal_states(transition, success)
