"""Mixtures of lognormal and Weibull laws: closed forms against quadrature, and fits to censored logs."""

from __future__ import annotations

from math import exp, inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws import LognormalMixture, WeibullMixture, fit
from dalsegno.policies.laws.mixture import Mixture
from dalsegno.policies.run_log import RunLog

LAWS = [
    LognormalMixture(1.0, 0.3, 1.2),
    LognormalMixture([0.3, 0.7], [0.0, 4.0], [0.5, 1.0]),
    WeibullMixture(1.0, 2.0, 0.6),
    WeibullMixture([0.4, 0.6], [1.0, 50.0], [0.7, 2.0]),
    WeibullMixture(1.0, 3.0, 1.0),
]
TIMES = [0.01, 0.5, 1.0, 4.0, 60.0]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_the_area_is_the_integral_of_the_survival(law: Mixture) -> None:
    from scipy.integrate import quad

    found = [quad(lambda t: float(law.survival(t)), 0, t, epsabs=1e-11, limit=500)[0] for t in TIMES]
    assert law.restricted_mean(TIMES) == pytest.approx(found, rel=1e-8)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_the_hazard_is_the_slope_of_the_log_survival(law: Mixture) -> None:
    times = np.array(TIMES)
    step = 1e-5 * times
    slopes = -(np.log(law.survival(times + step)) - np.log(law.survival(times - step))) / (2 * step)
    assert law.hazard(times) == pytest.approx(slopes, rel=1e-5)  # a difference of second order


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_survival_and_cumulative_add_up_to_1(law: Mixture) -> None:
    times = [0.0, *TIMES, inf]
    assert law.survival(times) + law.cumulative(times) == pytest.approx(np.ones(len(times)))


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_the_mean_is_the_area_far_out(law: Mixture) -> None:
    assert float(law.restricted_mean(1e9)) == pytest.approx(law.mean)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_samples_follow_the_survival(law: Mixture) -> None:
    drawn = law.sample(20_000, 3)
    # four standard errors of a proportion of 20,000
    assert [np.mean(drawn > t) for t in TIMES] == pytest.approx(law.survival(TIMES).tolist(), abs=0.0142)


@pytest.mark.parametrize(("sigma", "mean"), [(1, 1.648721), (1.5, 3.080217), (2, 7.389056), (0.5, 1.133148)])
def test_means_of_lognormal_laws(sigma: float, mean: float) -> None:
    assert LognormalMixture(1, 0, sigma).mean == pytest.approx(mean, abs=1e-6)


def test_a_weibull_law_of_shape_1_is_the_exponential() -> None:
    law = WeibullMixture(1.0, 3.0, 1.0)
    assert law.survival(TIMES) == pytest.approx([exp(-t / 3) for t in TIMES])
    assert law.hazard([0.0, *TIMES]) == pytest.approx([1 / 3] * 6)


# -- fitting ----------------------------------------------------------------------------------------------


def cut_log(law: Mixture, n: int, mean_limit: float, seed: int) -> RunLog:
    rng = np.random.default_rng(seed)
    times, limits = law.sample(n, rng), rng.exponential(mean_limit, n)
    return RunLog(times=np.minimum(times, limits), solved=times <= limits)


def test_a_lognormal_mixture_is_found_again_from_a_censored_log() -> None:
    found = LognormalMixture.fit(cut_log(LAWS[1], 3000, 80.0, 0))
    # several standard errors of estimates from 3,000 runs, of which a third was cut
    assert found.weights == pytest.approx([0.3, 0.7], abs=0.04)
    assert found.mus == pytest.approx([0.0, 4.0], abs=0.12)
    assert found.sigmas == pytest.approx([0.5, 1.0], abs=0.1)


def test_a_weibull_mixture_is_found_again_from_a_censored_log() -> None:
    found = WeibullMixture.fit(cut_log(LAWS[3], 3000, 80.0, 0))
    assert found.weights == pytest.approx([0.4, 0.6], abs=0.04)
    assert found.scales == pytest.approx([1.0, 50.0], rel=0.15)
    assert found.shapes == pytest.approx([0.7, 2.0], rel=0.1)


@pytest.mark.parametrize(
    ("law", "name"), [(LognormalMixture(1, 1, 2), "lognormal"), (WeibullMixture(1, 5, 0.5), "weibull")]
)
def test_one_component_is_chosen_where_there_is_one(law: Mixture, name: str) -> None:
    fits = [fit(cut_log(law, 400, 30.0, seed), name) for seed in range(5)]
    assert [len(one.weights) for one in fits if isinstance(one, Mixture)].count(1) >= 4


def test_forgetting_the_cuts_would_make_runs_too_short() -> None:
    law = LognormalMixture(1, 0, 2)
    log = cut_log(law, 2000, 2.0, 1)
    taken_for_solved = RunLog(times=log.times, solved=np.ones(len(log), bool))
    assert LognormalMixture.fit(log, 1).mus[0] == pytest.approx(0.0, abs=0.2)
    assert LognormalMixture.fit(taken_for_solved, 1).mus[0] < -0.5


@pytest.mark.parametrize("family", [LognormalMixture, WeibullMixture])
def test_the_likelihood_of_one_component_is_a_maximum(family: type[Mixture]) -> None:
    log = cut_log(WeibullMixture(1, 5, 0.8), 300, 10.0, 2)
    best = family.fit(log, 1)

    def log_likelihood(law: Mixture) -> float:
        t, s = log.times, log.solved
        return float(np.log(law.hazard(t[s])).sum() + np.log(law.survival(t)).sum())

    top = log_likelihood(best)
    assert best.log_likelihood == pytest.approx(top, rel=1e-6)
    for centre, spread in ((1.01, 1.0), (0.99, 1.0), (1.0, 1.01), (1.0, 0.99)):
        assert log_likelihood(family([1.0], best._centres * centre, best._spreads * spread)) < top


def test_more_components_never_fit_worse() -> None:
    log = cut_log(LAWS[1], 300, 80.0, 4)
    found = [LognormalMixture.fit(log, k).log_likelihood or 0.0 for k in (1, 2)]
    assert found[1] > found[0]


def test_the_same_seed_gives_the_same_fit() -> None:
    log = cut_log(LAWS[1], 200, 80.0, 5)
    assert repr(fit(log, "lognormal", seed=7)) == repr(fit(log, "lognormal", seed=7))


def test_a_fitted_law_keeps_the_guard() -> None:
    log = cut_log(WeibullMixture(1, 5, 0.3), 100, 30.0, 6)
    best = fit(log, "weibull", components=1).optimal_cutoff()
    assert (best.t, best.edge, best.attained) == (np.sort(log.times[log.solved])[4], "first", False)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([1e-3, 7.0, 1e4]))
def test_fits_scale_with_the_unit(seed: int, scale: float) -> None:
    log = cut_log(LognormalMixture(1, 0, 1), 60, 3.0, seed)
    found = LognormalMixture.fit(log, 1)
    scaled = LognormalMixture.fit(RunLog(times=log.times * scale, solved=log.solved), 1)
    assert scaled.sigmas == pytest.approx(found.sigmas, rel=1e-4)  # EM stops a little before the maximum
    assert scaled.mus == pytest.approx(found.mus + np.log(scale), abs=1e-4)


@pytest.mark.parametrize("name", ["lognormal", "weibull"])
@pytest.mark.parametrize(
    ("times", "solved", "says"),
    [
        ([1, 2, 3], [0, 0, 0], "0 of 3"),
        ([5], [1], "2 different"),
        ([5, 5, 5, 9], [1, 1, 1, 0], "2 different"),
        ([0, 5, 6], [1, 1, 1], "time 0"),
    ],
)
def test_logs_that_say_too_little_are_refused(name: str, times: Any, solved: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        fit(RunLog(times=times, solved=solved), name)


@pytest.mark.parametrize("name", ["lognormal", "weibull"])
def test_a_run_that_was_cut_at_once_says_nothing(name: str) -> None:
    with_zero = RunLog(times=[0, 1, 2, 4], solved=[0, 1, 1, 0])
    without = RunLog(times=[1, 2, 4], solved=[1, 1, 0])
    assert repr(fit(with_zero, name, components=1)) == repr(fit(without, name, components=1))


@pytest.mark.parametrize("components", [0, -1, 1.5, True])
def test_a_number_of_components_that_is_none_is_refused(components: Any) -> None:
    with pytest.raises(UsageError, match="components"):
        fit(cut_log(LAWS[0], 30, 9.0, 0), "lognormal", components=components)


@pytest.mark.parametrize(
    "arguments", [([0.5], [0, 1], [1, 1]), ([0.5, 0.6], [0, 1], [1, 1]), ([1], [0], [0]), ([1], [inf], [1])]
)
def test_parameters_that_make_no_law_are_refused(arguments: Any) -> None:
    for family in (LognormalMixture, WeibullMixture):
        with pytest.raises(UsageError):
            family(*arguments)


def test_an_unknown_law_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="kaplan-meier"):
        fit(RunLog(times=[1], solved=[1]), "gamma")
