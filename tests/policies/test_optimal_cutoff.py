"""The best cutoff of a law: the table, the first-order condition, edges."""

from __future__ import annotations

from math import inf, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dalsegno.policies.laws import Discrete, Law, LognormalMixture, WeibullMixture, as_law

TABLE = [
    (1.0, 0.0, 1.648721, 1.731645, 1.471025),
    (1.5, 0.0, 3.080217, 0.348893, 1.273294),
    (2.0, 0.0, 7.389056, 0.0511967, 0.721127),
    (2.0, 0.1, 7.389056, 0.289042, 1.186941),
    (2.0, 1.0, 7.389056, 1.534194, 2.267970),
]


@pytest.mark.parametrize(("sigma", "overhead", "mean", "t", "expected"), TABLE)
@pytest.mark.parametrize("form", ["closed", "scipy's other forms", "function"])
def test_lognormal_laws(sigma: float, overhead: float, mean: float, t: float, expected: float, form: str) -> None:
    law: Law = {
        "closed": lambda: LognormalMixture(1, 0, sigma),
        "scipy's other forms": lambda: as_law(stats.lognorm(sigma, loc=0)),
        "function": lambda: as_law(stats.lognorm(sigma).sf),
    }[form]()
    best = law.optimal_cutoff(overhead=overhead)
    assert law.mean == pytest.approx(mean, abs=1e-6)
    assert best.t == pytest.approx(t, rel=1e-5)  # the table's digits
    assert best.expected == pytest.approx(expected, abs=1e-6)
    assert best.gain == pytest.approx(1 - expected / mean, abs=1e-5)
    assert best.attained


def survival(t: Any) -> Any:
    return 1.0 - 0.1 * (np.asarray(t) >= 10) - 0.9 * (np.asarray(t) >= 1000)


@pytest.mark.parametrize("law", [Discrete([10, 1000], [0.1, 0.9]), as_law(survival)])
def test_the_two_point_law(law: Law) -> None:
    best = law.optimal_cutoff()
    assert (law.mean, best.t, best.expected) == pytest.approx((901, 10, 100))
    assert best.attained


@pytest.mark.parametrize("overhead", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0])
def test_the_first_order_condition_holds(sigma: float, overhead: float) -> None:
    law = LognormalMixture(1, 0, sigma)
    best = law.optimal_cutoff(overhead=overhead)
    assert best.expected + overhead == pytest.approx(1.0 / float(law.hazard(best.t)), rel=1e-9)


def test_a_gain_below_a_thousandth_is_none() -> None:
    best = LognormalMixture(1, 0, 0.5).optimal_cutoff()
    assert best.t == pytest.approx(11.502, abs=1e-3)
    assert LognormalMixture(1, 0, 0.5).mean - best.expected == pytest.approx(3.7e-8, abs=0.05e-8)
    assert not best.pays and "no cutoff gains" in str(best)


@pytest.mark.parametrize("law", [WeibullMixture(1, 1, 2), as_law(stats.gamma(2)), as_law(lambda t: np.exp(-(t**2)))])
@pytest.mark.parametrize("overhead", [0.0, 0.5])
def test_an_increasing_hazard_is_never_cut(law: Law, overhead: float) -> None:
    best = law.optimal_cutoff(overhead=overhead)
    assert (best.t, best.expected, best.gain, best.attained, best.edge) == (inf, law.mean, 0.0, False, "last")


@pytest.mark.parametrize("law", [WeibullMixture(1, 3, 1), as_law(lambda t: np.exp(-t / 3))])
def test_a_constant_hazard_is_neutral(law: Law) -> None:
    assert not law.optimal_cutoff().pays
    assert law.expected([0.01, 1.0, 30.0]) == pytest.approx([3.0] * 3)


@pytest.mark.parametrize(
    "law", [WeibullMixture(1, 1, 0.5), as_law(lambda t: np.exp(-(t**0.5))), as_law(stats.gamma(0.5))]
)
def test_a_hazard_that_falls_from_infinity_has_no_best_cutoff(law: Law) -> None:
    best = law.optimal_cutoff()
    assert (best.t, best.expected, best.attained, best.edge) == (0.0, 0.0, False, "first")
    assert "none attains" in str(best)


@pytest.mark.parametrize("form", ["mixture", "function"])
def test_a_hazard_that_falls_from_a_finite_one_approaches_its_inverse(form: str) -> None:
    law = {
        "mixture": WeibullMixture([0.5, 0.5], [1.0, 0.1], [1.0, 1.0]),
        "function": as_law(lambda t: 0.5 * np.exp(-t) + 0.5 * np.exp(-10 * t)),
    }[form]
    best = law.optimal_cutoff()
    assert (best.t, best.attained) == (0.0, False)
    assert best.expected == pytest.approx(1 / 5.5, rel=1e-5)  # 1 / h(0), of the function by differences


def test_with_an_overhead_a_falling_hazard_has_a_best_cutoff() -> None:
    law = WeibullMixture(1, 1, 0.5)
    best = law.optimal_cutoff(overhead=0.1)
    assert best.attained and best.expected + 0.1 == pytest.approx(1.0 / float(law.hazard(best.t)))


def test_runs_that_are_never_solved_must_be_cut() -> None:
    law = as_law(lambda t: 0.3 + 0.7 * np.exp(-t))
    best = law.optimal_cutoff(overhead=0.1)
    assert best.attained and best.gain == 1.0 and best.expected < 3.0


@pytest.mark.parametrize("scale", [1.0, 0.25, 3.0])
def test_places_that_are_one_but_for_rounding_do_not_stop_the_search(scale: float) -> None:
    # The grids of the two components have nearly equal times about the best cutoff.
    law = LognormalMixture([0.25, 0.75], [log(scale), 4.0 + log(scale)], [0.5, 1.0])
    assert law.optimal_cutoff().t == pytest.approx(1.3803910 * scale, rel=1e-7)


def test_no_time_that_is_tried_is_better() -> None:
    law = LognormalMixture([0.2, 0.8], [0.0, 5.0], [0.3, 1.0])
    best = law.optimal_cutoff(overhead=0.5)
    assert best.expected <= law.expected(np.geomspace(1e-3, 1e5, 20_001), 0.5).min()


laws = st.one_of(
    st.builds(lambda s: LognormalMixture(1, 0, s), st.floats(0.7, 2.5)),
    st.builds(lambda a, m: LognormalMixture([a, 1 - a], [0, m], [0.5, 1.0]), st.floats(0.1, 0.9), st.floats(1, 6)),
    st.builds(lambda k: WeibullMixture(1, 1, k), st.floats(0.4, 3.0)),
)


def scaled(law: Any, scale: float) -> Law:
    if isinstance(law, LognormalMixture):
        return LognormalMixture(law.weights, law.mus + np.log(scale), law.sigmas)
    return WeibullMixture(law.weights, law.scales * scale, law.shapes)


@settings(deadline=None, max_examples=40)
@given(laws, st.floats(1e-4, 1e4), st.sampled_from([0.0, 0.1, 2.0]))
def test_cutoff_and_mean_scale_with_the_law(law: Law, scale: float, overhead: float) -> None:
    one, other = law.optimal_cutoff(overhead=overhead), scaled(law, scale).optimal_cutoff(overhead=overhead * scale)
    assert other.expected == pytest.approx(one.expected * scale, rel=1e-7)
    if one.pays and one.attained:
        assert other.t == pytest.approx(one.t * scale, rel=1e-4)  # the minimum is flat


@settings(deadline=None, max_examples=40)
@given(laws, st.sampled_from([0.0, 0.1, 2.0]))
def test_the_best_is_no_worse_than_never_restarting(law: Law, overhead: float) -> None:
    assert law.optimal_cutoff(overhead=overhead).expected <= law.mean * (1 + 1e-9)
