"""Whether another try is worth its cost: the reservation value, the gain under an unknown law, budgets."""

from __future__ import annotations

from itertools import pairwise
from math import erfc, exp, inf, nan, sqrt
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalsegno.core.errors import UsageError
from dalsegno.policies import (
    Normal,
    Prize,
    Uniform,
    expected_best,
    expected_draws,
    expected_gain,
    reservation_value,
    shared_price,
    should_try,
    value_with_budget,
)
from dalsegno.policies.reward_laws import reward_law

stats = pytest.importorskip("scipy.stats")


def above(x: float) -> float:
    """P(X > x) of a standard normal law, for single places only."""
    return erfc(x / sqrt(2.0)) / 2.0


NORMALS = [Normal(), stats.norm(), stats.norm(loc=0.0, scale=1.0), above, stats.norm.sf]
NAMES = ["own", "frozen", "named", "function", "of arrays"]


@pytest.mark.parametrize("law", NORMALS, ids=NAMES)
@pytest.mark.parametrize(("cost", "z", "draws"), [(0.05, 1.255582, 9.557), (0.1, 0.902346, 5.451)])
def test_the_normal_example_however_the_law_is_given(law: Any, cost: float, z: float, draws: float) -> None:
    found = reservation_value(law, cost)
    assert (round(found, 6), round(expected_draws(law, found), 3)) == (z, draws)


@pytest.mark.parametrize(("cost", "best_number", "net"), [(0.05, 10, 1.038753), (0.1, 6, 0.667206)])
def test_the_best_fixed_number_of_tries(cost: float, best_number: int, net: float) -> None:
    nets = {n: expected_best(Normal(), n) - cost * n for n in range(1, 30)}
    number = max(nets, key=nets.__getitem__)
    assert (number, round(nets[number], 6)) == (best_number, net)


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("law", [Uniform(), stats.uniform(), stats.beta(1, 1)], ids=["own", "frozen", "beta"])
def test_uniform_values_have_a_closed_form(law: Any, cost: float) -> None:
    assert reservation_value(law, cost) == pytest.approx(1.0 - sqrt(2.0 * cost), abs=1e-9)


@pytest.mark.parametrize("law", [Prize(0.3), stats.bernoulli(0.3)], ids=["own", "frozen"])
def test_a_prize_has_a_closed_form(law: Any) -> None:
    assert round(reservation_value(law, 0.1), 6) == 0.666667


@pytest.mark.parametrize("law", [Normal(), Uniform(), Prize(0.3)], ids=["normal", "uniform", "prize"])
def test_a_cost_above_what_a_try_is_worth_leaves_the_mean_less_the_cost(law: Any) -> None:
    assert reservation_value(law, 50.0) == pytest.approx(law.mean - 50.0)


@pytest.mark.parametrize(
    ("law", "cost", "z"),
    [
        (stats.expon(), 0.1, -numpy.log(0.1)),  # E(X - z)^+ = e^-z
        (stats.pareto(1.5), 0.01, 40_000.0),  # 2 / sqrt z
        (stats.pareto(1.5), 1e-4, 4e8),
        (stats.geom(0.25), 0.3, 9.0 + (4 * 0.75**9 - 0.3) / 0.75**9),  # linear between whole numbers
        (stats.randint(1, 7), 0.4, 4.3),
    ],
    ids=["exponential", "heavy tail", "further into it", "geometric", "a die"],
)
def test_laws_of_scipy(law: Any, cost: float, z: float) -> None:
    assert reservation_value(law, cost) == pytest.approx(z, rel=1e-6)


@given(some.floats(-100, 100), some.floats(1e-3, 1e3), some.floats(1e-9, 10.0))
def test_at_the_reservation_value_the_gain_is_the_cost(mean: float, deviation: float, cost: float) -> None:
    law = Normal(mean, deviation)
    # where the gain is steep, rounding of z shows in it
    assert law.excess(reservation_value(law, cost)) == pytest.approx(cost, rel=1e-9, abs=1e-13 * (abs(mean) + cost))


@given(some.floats(1e-6, 5.0), some.floats(-10, 10), some.floats(0.1, 10))
def test_it_moves_with_the_law_and_its_currency(cost: float, shift: float, scale: float) -> None:
    plain = reservation_value(Normal(), cost)
    assert reservation_value(Normal(shift, scale), cost * scale) == pytest.approx(shift + scale * plain, abs=1e-9)


def test_a_dearer_try_is_worth_less() -> None:
    found = [reservation_value(Normal(), 10.0**power) for power in range(-12, 3)]
    assert all(one > other for one, other in pairwise(found))


# -- a budget ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", NORMALS[:3], ids=NAMES[:3])
@pytest.mark.parametrize(("tries", "value"), [(1, -0.1), (2, 0.374280), (3, 0.575273), (5, 0.751909), (10, 0.870711)])
def test_the_value_of_a_budget_of_tries(law: Any, tries: int, value: float) -> None:
    assert value_with_budget(law, 0.1, tries) == pytest.approx(value, abs=1e-6)


def by_recursion(law: Any, cost: float, tries: int, best: float, places: Any, chances: Any) -> float:
    """The value by dynamic programming over a discrete law that stands for a continuous one."""
    value = numpy.maximum(places, best)
    for _ in range(tries):
        ahead = numpy.array(
            [
                (chances[: i + 1].sum() * value[i] + (chances[i + 1 :] * value[i + 1 :]).sum())
                for i in range(len(places))
            ]
        )
        value = numpy.maximum(numpy.maximum(places, best), ahead - cost)
    return float(numpy.interp(best, places, value))


@pytest.mark.parametrize("best", [0.0, 0.3, 0.5])
def test_it_is_that_of_dynamic_programming(best: float) -> None:
    places = (numpy.arange(1500) + 0.5) / 1500
    exact = value_with_budget(Uniform(), 0.1, 4, best)
    assert by_recursion(Uniform(), 0.1, 4, best, places, numpy.full(1500, 1 / 1500)) == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize(
    "law",
    [Normal(), Uniform(), Prize(0.3), stats.expon(), stats.binom(6, 0.4)],
    ids=["normal", "uniform", "prize", "expon", "binom"],
)
def test_it_rises_with_the_number_of_tries_to_the_reservation_value(law: Any) -> None:
    z = reservation_value(law, 0.1)
    found = [value_with_budget(law, 0.1, n) for n in (1, 2, 4, 8, 400)]
    assert (
        found == sorted(found)
        and found[0] == pytest.approx(reward_law(law).mean - 0.1)
        and found[-1] == pytest.approx(z)
    )


@given(some.floats(-3.0, 3.0), some.integers(0, 20))
def test_having_something_already_is_never_worth_less(best: float, tries: int) -> None:
    value = value_with_budget(Normal(), 0.1, tries, best)
    assert value >= best - 1e-12 and value <= max(best, reservation_value(Normal(), 0.1)) + 1e-12


def test_without_a_try_left_one_has_what_one_has() -> None:
    assert value_with_budget(Normal(), 0.1, 0, best=0.25) == pytest.approx(0.25)


@pytest.mark.parametrize("law", [Normal(), stats.norm(), stats.norm.sf], ids=["own", "frozen", "function"])
def test_a_shared_budget_has_a_price(law: Any) -> None:
    price = shared_price(law, tries=5 * 20, problems=20)
    assert (round(price.z, 6), round(price.cost, 6)) == (0.841621, 0.111638)


def test_at_the_price_the_budget_is_spent_in_the_mean() -> None:
    price = shared_price(Uniform(), tries=70, problems=10)
    assert expected_draws(Uniform(), price.z) == pytest.approx(7.0)
    assert reservation_value(Uniform(), price.cost) == pytest.approx(price.z)


@pytest.mark.parametrize(
    ("best", "left", "needs", "goes_on"),
    [
        (0.5, inf, 1.0, True),
        (0.9, inf, 1.0, False),
        (1.0, inf, 1.0, False),
        (0.5, 1.0, 1.0, True),
        (0.5, 0.9, 1.0, False),
    ],
)
def test_a_try_begins_if_it_is_worth_it_and_fits(best: float, left: float, needs: float, goes_on: bool) -> None:
    assert should_try(best, 0.9, left=left, needs=needs) is goes_on


# -- an unknown law ----------------------------------------------------------------------------------------


def test_the_worked_gain() -> None:
    assert round(expected_gain([0.2, -0.5, 1.1, 0.4]), 6) == 0.148484


@pytest.mark.parametrize("best", [-2.0, 0.0, 0.7, 3.0])
def test_the_gain_is_the_integral_over_students_predictive_law(best: float) -> None:
    values = [0.2, -0.5, 1.1, 0.4, 0.9]
    mean, scale = numpy.mean(values), numpy.std(values, ddof=1) * sqrt(1 + 1 / 5)
    law = stats.t(4, loc=mean, scale=scale)
    assert expected_gain(values, best) == pytest.approx(reward_law(law).excess(best), rel=1e-8)


@given(some.lists(some.floats(-50, 50), min_size=3, max_size=20), some.floats(-10, 10), some.floats(0.1, 10))
def test_the_gain_moves_with_the_values_and_their_currency(values: list[float], shift: float, scale: float) -> None:
    moved = expected_gain([shift + scale * value for value in values])
    assert moved == pytest.approx(scale * expected_gain(values), rel=1e-6, abs=1e-9)


@given(some.lists(some.floats(-50, 50), min_size=3, max_size=20))
def test_the_gain_is_not_negative_and_falls_with_the_best(values: list[float]) -> None:
    gains = [expected_gain(values, max(values) + further) for further in (0.0, 1.0, 10.0)]
    assert gains[0] >= gains[1] >= gains[2] >= 0.0


def test_values_that_are_all_alike_promise_nothing() -> None:
    assert expected_gain([1.0, 1.0, 1.0]) == 0.0


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [[0.1, 0.5], numpy.array([0.1, 0.5]), (1.0,)])
def test_the_empirical_law_is_refused(law: Any) -> None:
    with pytest.raises(UsageError, match="expected_gain"):
        reservation_value(law, 0.1)


@pytest.mark.parametrize(
    "law", [stats.cauchy(), stats.pareto(0.9), lambda x: 1 / (1 + max(x, 0.0)), 3, None, "norm", Normal]
)
def test_a_law_without_a_mean_or_that_is_none_is_refused(law: Any) -> None:
    with pytest.raises(UsageError):
        reservation_value(law, 0.1)


@pytest.mark.parametrize("cost", [0.0, -0.1, nan, inf, "1", True, None])
def test_a_cost_that_is_not_above_0_is_refused(cost: Any) -> None:
    with pytest.raises(UsageError, match="above 0"):
        reservation_value(Normal(), cost)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Normal(0.0, 0.0),
        lambda: Normal(nan),
        lambda: Uniform(1.0, 1.0),
        lambda: Prize(0.0),
        lambda: Prize(1.1),
        lambda: Prize(0.5, -1.0),
        lambda: value_with_budget(Normal(), 0.1, 0),
        lambda: value_with_budget(Normal(), 0.1, 1.5),  # type: ignore[arg-type]
        lambda: shared_price(Normal(), tries=3, problems=4),
        lambda: expected_gain([1.0, 2.0]),
        lambda: expected_gain([1.0, 2.0, nan]),
        lambda: expected_gain([1.0, 2.0, 3.0], best=nan),
    ],
)
def test_mistaken_arguments_are_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()


def test_a_chance_in_the_far_tail_keeps_its_digits() -> None:
    # E(X - z)^+ of a normal law is phi(z) / z^2 (1 - 3 / z^2 + 15 / z^4 ...) far out
    z = reservation_value(Normal(), 1e-30)
    assert exp(-z * z / 2) / sqrt(2 * numpy.pi) / z**2 == pytest.approx(1e-30, rel=0.05)
