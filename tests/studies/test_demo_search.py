"""The arithmetic of the search part: the choice of a cutoff, the intervals, the tail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dalsegno.studies.demo.killing import DemoError
from dalsegno.studies.demo.search_figures import (
    FIXED,
    NONE,
    Solved,
    best_cutoff,
    bootstrap,
    luby_unit,
    measure,
    tail,
)


def test_best_cutoff_is_the_one_with_the_least_expected_total() -> None:
    # At 100: E = 100 / 0.5 for both instances, 400 in all; at 1000: (100 + 1000) / 2, 1100 in all.
    nodes = np.array([[100.0, 1000.0], [100.0, 1000.0]])
    assert best_cutoff(nodes, np.ones_like(nodes, bool)) == 100


def test_best_cutoff_reaches_the_instance_that_needs_long() -> None:
    # At 100 the second is never solved; at 900: 500 / 0.5 + 900 / 0.5; at 9000: 4550 + 4950.
    nodes = np.array([[100.0, 9000.0], [900.0, 9000.0]])
    assert best_cutoff(nodes, np.ones_like(nodes, bool)) == 900


def test_best_cutoff_takes_a_run_that_was_given_up_for_unsolved() -> None:
    # At 100 it is 100 / 0.25, at 1000 (100 + 3 * 1000) / 4 / 0.5 whatever the rest.
    nodes = np.array([[100.0, 1000.0, 5000.0, 5000.0]])
    assert best_cutoff(nodes, np.array([[True, True, False, False]])) == 100


def test_best_cutoff_is_a_whole_number_of_steps() -> None:
    assert best_cutoff(np.array([[101.0, 150.0]]), np.ones((1, 2), bool)) == 200


def test_no_cutoff_is_chosen_where_an_instance_was_never_solved() -> None:
    with pytest.raises(DemoError, match="no cutoff"):
        best_cutoff(np.array([[100.0], [5000.0]]), np.array([[True], [False]]))


def test_luby_unit_is_a_tenth_of_the_median_in_whole_steps() -> None:
    assert luby_unit(np.array([[2900.0, 3100.0, 9e9]])) == 300
    assert luby_unit(np.array([[1.0, 2.0]])) == 100


def test_bootstrap_interval_of_constant_costs_is_their_sum() -> None:
    costs = {NONE: np.full((3, 5), 20.0), FIXED: np.full((3, 5), 10.0)}
    figures = bootstrap(costs, draws=50)
    assert figures[FIXED] == {"total": (30.0, 30.0, 30.0), "share": (0.5, 0.5, 0.5)}


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        costs = {NONE: generator.normal(100, 10, size=(4, 12))}
        _, low, high = bootstrap(costs, draws=300, seed=trial)[NONE]["total"]
        covered += low <= 400 <= high
    assert 170 <= covered <= 198  # 95 % less what percentile intervals of twelve values are known to lack


def test_tail_measures_each_run_against_its_own_instance() -> None:
    nodes = np.array([[1.0, 1.0, 500.0], [1000.0, 1000.0, 2000.0]])
    figures = tail(nodes, np.ones_like(nodes, bool))
    assert figures["longest_over_own_median"] == 500
    assert figures["survival"][100] == pytest.approx(4 / 6)


def test_search_that_was_given_up_counts_as_still_running_at_its_last_node() -> None:
    nodes = np.array([[1000.0, 1000.0]])
    assert tail(nodes, np.array([[True, False]]))["survival"][1000] == 0.5


def test_cutoff_is_at_least_one_step_where_propagation_alone_solves() -> None:
    assert best_cutoff(np.array([[0.0, 0.0]]), np.ones((1, 2), bool)) == 100


def search(policy: str, seed: int, nodes: float, solved: bool = True) -> Solved:
    return Solved(policy, 0, seed, nodes, 1, 0.5, solved)


def figures(fixed: list[Solved]) -> dict[str, Any]:
    none = [search(NONE, 0, 300.0), search(NONE, 1, 5000.0, solved=False)]
    return measure(none + fixed, {NONE: 0, FIXED: 400}, cap=5000)


def test_searches_that_were_given_up_are_counted_as_such() -> None:
    found = figures([search(FIXED, 0, 300.0), search(FIXED, 1, 900.0)])
    assert (found["censored"], found["policies"][NONE]["censored"]) == (1, 1)
    assert all(found["checks"].values())


def test_check_fails_where_a_search_ended_unsolved_below_the_cap() -> None:
    found = figures([search(FIXED, 0, 300.0), search(FIXED, 1, 900.0, solved=False)])
    assert list(found["checks"].values()) == [False, True]


def test_check_fails_where_a_short_search_costs_otherwise_with_a_cutoff() -> None:
    found = figures([search(FIXED, 0, 301.0), search(FIXED, 1, 900.0)])
    assert list(found["checks"].values()) == [True, False]
