"""How often to try from one base before it is built anew, and chains of stages."""

from __future__ import annotations

import random
from itertools import pairwise, product
from math import inf, nan
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as some

import dalsegno as ds
from dalsegno.core.errors import UsageError
from dalsegno.policies import (
    best_depth,
    continuation_index,
    rebuild_after,
    rebuilding_cost,
    stage_chain,
    still_good,
)

EXAMPLE: dict[str, Any] = {"build": 20, "attempt": 1, "good": 0.5, "success": 0.2}


@pytest.mark.parametrize(
    ("failures", "expected", "digits"),
    [(1, 210, 9), (10, 61.015, 3), (11, 60.7925, 4), (12, 60.837, 3), (20, 65.700, 3)],
)
def test_the_worked_costs(failures: int, expected: float, digits: int) -> None:
    assert round(rebuilding_cost(failures, **EXAMPLE), digits) == expected


def test_the_best_depth_of_the_example() -> None:
    best = best_depth(**EXAMPLE)
    assert (best.failures, round(best.expected, 4)) == (11, 60.7925)


@pytest.mark.parametrize(("failures", "index"), [(10, 1.1789), (11, 0.9618)])
def test_the_index_check_of_the_example(failures: int, index: float) -> None:
    worth = best_depth(**EXAMPLE).expected
    assert round(continuation_index(failures, worth, good=0.5, success=0.2), 4) == index


@given(some.floats(0.0, 500.0), some.floats(0.1, 10.0), some.floats(0.02, 0.98), some.floats(0.02, 1.0))
def test_no_other_depth_is_better(build: float, attempt: float, good: float, success: float) -> None:
    law = {"build": build, "attempt": attempt, "good": good, "success": success}
    best = best_depth(**law)
    costs = [rebuilding_cost(r, **law) for r in range(1, 400)]
    assert best.expected <= min(costs) * (1 + 1e-12)
    assert best.failures > 399 or best.expected == costs[int(best.failures) - 1]


@given(some.floats(1.0, 500.0), some.floats(0.1, 10.0), some.floats(0.02, 0.98), some.floats(0.02, 0.98))
def test_the_index_says_where_to_build_anew(build: float, attempt: float, good: float, success: float) -> None:
    best = best_depth(build=build, attempt=attempt, good=good, success=success)
    index = [
        continuation_index(f, best.expected, good=good, success=success) for f in (best.failures - 1, best.failures)
    ]
    assert index[0] >= attempt * (1 - 1e-9) and index[1] <= attempt * (1 + 1e-9)


def test_a_base_that_is_always_good_is_never_built_anew() -> None:
    best = best_depth(build=20, attempt=1, good=1.0, success=0.2)
    assert (best.failures, best.expected) == (inf, 25.0)


def test_one_failure_is_enough_where_building_costs_nothing_or_a_good_base_never_fails() -> None:
    free = best_depth(build=0, attempt=1, good=0.5, success=0.2)
    sure = best_depth(build=20, attempt=1, good=0.5, success=1.0)
    assert (free.failures, free.expected, sure.failures, sure.expected) == (1, 10.0, 1, 42.0)


def test_a_base_that_is_hardly_ever_bad_is_tried_very_often() -> None:
    best = best_depth(build=1e6, attempt=1, good=1 - 1e-9, success=1e-6)
    assert best.failures > 1e6 and best.expected == pytest.approx(2e6, rel=0.01)


def test_what_is_believed_of_a_base_follows_bayes() -> None:
    assert [round(still_good(f, good=0.5, success=0.2), 6) for f in (0, 1, 11)] == [0.5, 0.444444, 0.079104]


@pytest.mark.parametrize(
    "change",
    [
        {"build": -1},
        {"attempt": 0},
        {"good": 0},
        {"good": 1.1},
        {"success": 0},
        {"success": nan},
        {"build": inf},
        {"good": "1"},
    ],
)
def test_mistaken_arguments_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        best_depth(**{**EXAMPLE, **change})


@pytest.mark.parametrize("failures", [0, -1, 1.5, True])
def test_a_number_of_failures_is_whole_and_above_0(failures: Any) -> None:
    with pytest.raises(UsageError):
        rebuilding_cost(failures, **EXAMPLE)


# -- chains of stages --------------------------------------------------------------------------------------

CHANCES, COSTS = [0.9, 0.8, 0.7, 0.6], [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("back", "total"), [(0, 14.563492), (1, 19.682540), (2, 22.328042), (3, 23.068783)])
def test_the_worked_chain(back: int, total: float) -> None:
    assert stage_chain(CHANCES, COSTS, back)[0] == pytest.approx(total, abs=1e-6)


@given(
    some.lists(some.tuples(some.floats(0.2, 1.0), some.floats(0.0, 10.0)), min_size=1, max_size=8), some.integers(0, 9)
)
def test_each_stage_costs_what_follows_from_it(stages: list[tuple[float, float]], back: int) -> None:
    chances, costs = (list(column) for column in zip(*stages, strict=True))
    x = [*stage_chain(chances, costs, back), 0.0]
    for j, (p, d) in enumerate(stages):
        assert x[j] == pytest.approx(d + p * x[j + 1] + (1 - p) * x[max(j - back, 0)], rel=1e-9, abs=1e-9)


@given(some.lists(some.tuples(some.floats(0.2, 1.0), some.floats(0.0, 10.0)), min_size=1, max_size=6))
def test_being_sent_back_further_never_costs_less(stages: list[tuple[float, float]]) -> None:
    chances, costs = (list(column) for column in zip(*stages, strict=True))
    totals = [stage_chain(chances, costs, back)[0] for back in range(len(stages) + 1)]
    assert all(other >= one * (1 - 1e-12) for one, other in pairwise(totals))


@pytest.mark.parametrize(
    ("chances", "costs", "back"),
    [
        ([0.5, 0.0], [1, 1], 0),
        ([0.5, 1.1], [1, 1], 0),
        ([0.5], [-1], 0),
        ([0.5], [1, 1], 0),
        ([], [], 0),
        ([0.5], [1], -1),
        ([0.5], [nan], 0),
    ],
)
def test_chains_that_never_end_or_are_none_are_refused(chances: Any, costs: Any, back: Any) -> None:
    with pytest.raises(UsageError):
        stage_chain(chances, costs, back)


# -- the rule ----------------------------------------------------------------------------------------------


def solver(log: list[tuple[int, float]]) -> Any:
    """A base is a number; a try draws another one and succeeds if it is below a fifth, from a good base only."""

    def solve(attempt: Any) -> None:
        state = {"good": random.Random(attempt.seed).random() < 0.5, "luck": random.random()}
        attempt.keep(state=state)
        for step, _ in attempt.over(range(2)):
            if step == 1:
                attempt.snapshot("base")
            else:
                log.append((attempt.number, state["luck"]))
                if not state["good"] or state["luck"] >= 0.2:
                    attempt.fail("the try failed")
            step.report()

    return solve


def draw_again(kept: dict[str, Any]) -> None:
    kept["state"]["luck"] = random.Random(kept["state"]["luck"]).random()


@pytest.mark.parametrize("failures", [1, 3, 11])
def test_the_rule_tries_each_base_so_often_and_no_try_is_the_same(failures: int) -> None:
    log: list[tuple[int, float]] = []
    rules = [rebuild_after(failures, base="base", then=draw_again), ds.stop(ds.when.spent(attempts=40))]
    result = ds.run(solver(log), rules=rules, checkpoint=ds.checkpoint.Never(), seed=1)
    tries = [sum(number == one for number, _ in log) for one in range(1, log[-1][0] + 1)]
    assert result.succeeded and len(tries) > 1
    assert set(tries[:-1]) == {failures} and tries[-1] <= failures
    assert len({luck for _, luck in log}) == len(log)


def test_a_failure_before_the_base_is_built_begins_another_attempt() -> None:
    def build(attempt: Any) -> None:
        for step, _ in attempt.over(range(1)):
            if attempt.number < 3:
                attempt.fail("no base")
            step.report()

    rules = [rebuild_after(5, base="base", then=draw_again), ds.stop(ds.when.spent(attempts=9))]
    result = ds.run(build, rules=rules, checkpoint=ds.checkpoint.Never(), seed=0)
    assert [one.state for one in result.attempts] == ["failed", "failed", "succeeded"]


@pytest.mark.parametrize("base", ["last", "best", "start", ""])
def test_a_base_needs_a_name_of_its_own(base: str) -> None:
    with pytest.raises(UsageError, match="base"):
        rebuild_after(3, base=base, then=draw_again)


def test_the_formula_is_that_of_simulated_rebuilding() -> None:
    rng = numpy.random.default_rng(0)
    r, total, wins = 4, 0.0, 0
    for _, good in product(range(30_000), [None]):
        good = rng.random() < 0.5
        tries = min(int(rng.geometric(0.2)), r + 1) if good else r + 1
        total += 20 + min(tries, r)
        wins += tries <= r
    assert total / wins == pytest.approx(rebuilding_cost(r, **EXAMPLE), rel=0.02)  # 2.6 standard errors
