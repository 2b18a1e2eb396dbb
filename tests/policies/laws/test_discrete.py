"""Laws of finitely many times."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws import Discrete

TWO = Discrete([1000, 10], [0.9, 0.1])


def test_the_two_point_laws_best_cutoff() -> None:
    best = TWO.optimal_cutoff()
    assert (TWO.mean, best.t, best.expected, best.attained) == (
        pytest.approx(901),
        10,
        pytest.approx(100),
        True,
    )


def test_survival_and_area_are_a_step_functions() -> None:
    assert TWO.survival([0, 9.9, 10, 999, 1000, inf]) == pytest.approx([1, 1, 0.9, 0.9, 0, 0])
    assert TWO.restricted_mean([0, 10, 20, 1000, inf]) == pytest.approx([0, 10, 19, 901, 901])


def test_equal_times_are_one() -> None:
    assert Discrete([5, 5, 7], [0.2, 0.3, 0.5]).survivals == pytest.approx([0.5, 0.0])


def test_missing_probability_is_never_solved() -> None:
    law = Discrete([10], [0.25])
    assert (law.never, law.mean, law.optimal_cutoff().expected) == (0.75, inf, pytest.approx(40.0))


def test_one_time_for_all_leaves_nothing_to_gain() -> None:
    best = Discrete([10], [1.0]).optimal_cutoff()
    assert (best.t, best.expected, best.pays, best.attained) == (inf, 10.0, False, False)


def test_samples_have_the_probabilities() -> None:
    drawn = Discrete([1, 2], [0.2, 0.3]).sample(10_000, 1)
    # four standard errors of a proportion of 10,000
    assert [np.mean(drawn == t) for t in (1, 2, inf)] == pytest.approx([0.2, 0.3, 0.5], abs=0.02)


@pytest.mark.parametrize(
    ("times", "probabilities"),
    [([], []), ([1], [0.5, 0.5]), ([-1], [1.0]), ([inf], [1.0]), ([1], [0.0]), ([1, 2], [0.7, 0.7])],
)
def test_what_is_no_law_is_refused(times: Any, probabilities: Any) -> None:
    with pytest.raises(UsageError):
        Discrete(times, probabilities)


def test_a_time_that_is_nan_is_refused() -> None:
    with pytest.raises(UsageError, match="NaN"):
        TWO.survival([1.0, float("nan")])
