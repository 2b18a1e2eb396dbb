"""Exact counts of retries."""

from __future__ import annotations

from math import comb, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalsegno.core.errors import UsageError
from dalsegno.policies import coverage_draws, pass_at_k, record_probability


@pytest.mark.parametrize("n", [0, 1, 4, 99])
def test_the_next_try_is_a_record_with_probability_one_in_n_plus_1(n: int) -> None:
    assert record_probability(n) == 1 / (n + 1)


@pytest.mark.parametrize(
    ("p", "delta", "draws"),
    [(0.3, 0.05, 9), (0.5, 0.25, 2), (0.5, 0.24, 3), (0.9, 0.01, 2), (0.3, 0.49, 2), (1.0, 1e-9, 1), (0.2, 1.0, 1)],
)
def test_how_many_tries_find_one_good(p: float, delta: float, draws: int) -> None:
    assert coverage_draws(p, delta) == draws


@given(some.floats(1e-4, 0.999), some.floats(1e-12, 0.999))
def test_that_many_are_enough_and_one_less_is_not(p: float, delta: float) -> None:
    n = coverage_draws(p, delta)
    assert (1 - p) ** n <= delta * (1 + 1e-9)
    assert n == 1 or (1 - p) ** (n - 1) > delta * (1 - 1e-9)


@given(some.integers(1, 200), some.data())
def test_pass_at_k_is_the_share_of_samples_with_a_correct_one(n: int, data: Any) -> None:
    c, k = data.draw(some.integers(0, n)), data.draw(some.integers(1, n))
    assert pass_at_k(n, c, k) == pytest.approx(1 - comb(n - c, k) / comb(n, k), abs=1e-12)


def test_pass_at_k_of_many_samples_does_not_overflow() -> None:
    assert pass_at_k(10**5, 50, 1000) == pytest.approx(1 - (1 - 0.01) ** 50, rel=1e-2)


@pytest.mark.parametrize(
    ("n", "c", "k"), [(3, 4, 1), (3, 1, 4), (0, 0, 1), (3, -1, 1), (3, 1, 0), (3.0, 1, 1), (3, True, 1)]
)
def test_more_correct_or_asked_for_than_there_are_is_refused(n: Any, c: Any, k: Any) -> None:
    with pytest.raises(UsageError):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(("p", "delta"), [(0, 0.1), (0.1, 0), (1.1, 0.1), (0.1, -1), (nan, 0.1), ("0.5", 0.1)])
def test_what_is_no_probability_is_refused(p: Any, delta: Any) -> None:
    with pytest.raises(UsageError):
        coverage_draws(p, delta)
