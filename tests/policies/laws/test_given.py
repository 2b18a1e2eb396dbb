"""Laws from scipy's frozen distributions and from survival functions."""

from __future__ import annotations

from math import exp, inf
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws import Discrete, LognormalMixture, WeibullMixture, as_law
from dalsegno.policies.laws.given import Numerical


def jumps(t: Any) -> Any:
    return 1.0 - 0.1 * (np.asarray(t) >= 10) - 0.9 * (np.asarray(t) >= 1000)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (stats.lognorm(2, scale=3), LognormalMixture),
        (stats.weibull_min(0.5, scale=2), WeibullMixture),
        (stats.expon(scale=4), WeibullMixture),
        (stats.geom(0.1), Discrete),
        (stats.gamma(2), Numerical),
        (stats.expon(loc=1), Numerical),
        (LognormalMixture(1, 0, 1), LognormalMixture),
    ],
)
def test_closed_forms_are_taken_where_there_are_any(given: Any, kind: type) -> None:
    assert type(as_law(given)) is kind


@pytest.mark.parametrize(
    "given",
    [
        stats.lognorm(2, scale=3),
        stats.weibull_min(0.5, scale=2),
        stats.gamma(2, scale=7),
        stats.expon(loc=5),
        stats.pareto(2.5),
        stats.uniform(1, 4),
    ],
    ids=lambda law: law.dist.name,
)
def test_survival_area_and_mean_are_scipys(given: Any) -> None:
    law = as_law(given)
    times = given.ppf([0.01, 0.3, 0.5, 0.9, 0.999])
    areas = [quad(given.sf, 0, t, points=[min(t, given.ppf(1e-9))], epsabs=0, limit=200)[0] for t in times]
    assert law.survival(times) == pytest.approx(given.sf(times))
    assert law.restricted_mean(times) == pytest.approx(areas, rel=1e-7)  # a corner of the law costs quad some digits
    assert law.mean == pytest.approx(given.mean())
    assert law.hazard(times) == pytest.approx(given.pdf(times) / given.sf(times))


def test_a_function_of_single_times_is_taken() -> None:
    law = as_law(lambda t: exp(-t))
    assert law.restricted_mean([0.5, 1.0, 3.0]) == pytest.approx([1 - exp(-t) for t in (0.5, 1.0, 3.0)], rel=1e-12)


def test_a_function_that_jumps_is_integrated_exactly() -> None:
    law = as_law(jumps)
    assert law.restricted_mean([10, 20, 1000, 5000]) == pytest.approx([10, 19, 901, 901], rel=1e-9)


def test_a_heavy_tail_is_carried_on_as_a_power_law() -> None:
    assert as_law(lambda t: (1.0 + t) ** -1.2).mean == pytest.approx(5.0, rel=1e-6)


@pytest.mark.parametrize("survival", [lambda t: (1.0 + t) ** -0.5, lambda t: 0.3 + 0.7 * np.exp(-t)])
def test_a_mean_that_is_infinite_is_said_to_be(survival: Any) -> None:
    assert as_law(survival).mean == inf


def test_what_is_never_solved_is_known() -> None:
    assert as_law(lambda t: 0.3 + 0.7 * np.exp(-t)).never == pytest.approx(0.3)


def test_a_given_mean_is_believed() -> None:
    assert as_law(lambda t: np.exp(-t), mean=1.0).mean == 1.0


def test_the_hazard_of_a_function_is_its_slope() -> None:
    law = as_law(lambda t: np.exp(-(t**2)))
    assert law.hazard([0.1, 1.0, 2.0]) == pytest.approx([0.2, 2.0, 4.0], rel=1e-6)


def test_samples_of_a_function_follow_it() -> None:
    drawn = as_law(lambda t: 0.2 + 0.8 * np.exp(-t)).sample(20_000, 0)
    # four standard errors of a proportion of 20,000
    assert [np.mean(drawn > t) for t in (0.5, 2.0)] == pytest.approx(
        [0.2 + 0.8 * exp(-t) for t in (0.5, 2.0)], abs=0.0142
    )
    assert np.mean(drawn == inf) == pytest.approx(0.2, abs=0.0114)


def test_whole_numbers_are_atoms() -> None:
    law = as_law(stats.geom(0.25))
    assert law.mean == pytest.approx(4.0)
    assert law.survival([0.5, 1.0, 2.5]) == pytest.approx([1.0, 0.75, 0.5625])


@pytest.mark.parametrize("given", [stats.norm(), stats.uniform(-1, 3), stats.expon(loc=-2)])
def test_times_below_0_are_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="below 0"):
        as_law(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda t: 1 - np.exp(-t), "P\\(T > t\\)"),
        (lambda t: 2 + 0 * t, "probabilities"),
        (lambda t: 1.0 + 0 * t, "no run is ever solved"),
        (lambda t: np.nan * t, "probabilities"),
        (3.0, "is no law"),
        ("lognormal", "is no law"),
    ],
)
def test_what_is_no_law_is_refused(given: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        as_law(given)
