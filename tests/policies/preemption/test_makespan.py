"""The closed forms: worked examples, limits, the law, and what is refused."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.makespan import (
    Confusion,
    breakeven_fnr,
    cost_per_success,
    expected_makespan,
    reactive_makespan,
)
from dalsegno.policies.preemption.makespan_law import Branch, MakespanLaw

# A worked example: success .4, stopped .7 of the failures and .1 of the successes, after 10 and 8.
CASE = Confusion.from_rates(p=0.4, tnr=0.7, fnr=0.1)
MTN = (0.42 * 10 + 0.04 * 8) / 0.46
TWO_FLAGS = (
    Branch(0.36, 20, succeeded=True),
    Branch(0.18, 60, reset=5),
    Branch(0.42, 10, reset=3),
    Branch(0.04, 8, reset=3),
)


def test_the_examples_branches() -> None:
    six = (CASE.tp, CASE.fp, CASE.tn, CASE.fn, CASE.ncs, CASE.ncf)
    assert six == pytest.approx((0.36, 0.18, 0.42, 0.04, 0, 0))


def test_the_examples_ends() -> None:
    assert (CASE.succeeded, CASE.failed, CASE.preempted) == pytest.approx((0.36, 0.18, 0.46))


def test_the_examples_mean_time_to_a_negative_call() -> None:
    assert round(MTN, 6) == 9.826087


def test_the_example_with_preemption() -> None:
    assert round(expected_makespan(CASE, (20, 60, MTN), (5, 3)), 6) == 68.888889


def test_the_example_without() -> None:
    assert reactive_makespan(0.4, 20, 60, 5) == pytest.approx(117.5, abs=1e-12)


def test_breakeven_of_the_example() -> None:
    assert round(breakeven_fnr(0.4, 0.7, mtf=65, mtn=13), 6) == 0.494118


@pytest.mark.parametrize(
    ("fnr", "makespan", "digits"),
    [(breakeven_fnr(0.4, 0.7, 65, 13), 117.5, 9), (0.1, 69.111, 3), (0.6, 146.75, 9)],
)
def test_around_the_breakeven(fnr: float, makespan: float, digits: int) -> None:
    confusion = Confusion.from_rates(0.4, 0.7, fnr)
    assert round(expected_makespan(confusion, (20, 60, 10), (5, 3)), digits) == makespan


def test_a_flag_as_late_as_a_failure_never_pays() -> None:
    assert breakeven_fnr(0.4, 0.9, mtf=10, mtn=10) == breakeven_fnr(0.4, 0.9, mtf=10, mtn=12) == 0.0


rates = some.floats(0.01, 0.99)
times = some.floats(0.0, 1e4)


@given(rates, times, times, times, times, times)
def test_a_predictor_that_never_stops_is_reactive(p: float, s: float, f: float, n: float, rf: float, rn: float) -> None:
    ems = expected_makespan(Confusion.from_rates(p, 0.0, 0.0), (s, f, n), (rf, rn))
    assert ems == pytest.approx(reactive_makespan(p, s, f, rf))


@given(rates, times, times, times, times, times)
def test_a_perfect_predictor_pays_only_flags(p: float, s: float, f: float, n: float, rf: float, rn: float) -> None:
    ems = expected_makespan(Confusion.from_rates(p, 1.0, 0.0), (s, f, n), (rf, rn))
    assert ems == pytest.approx(s + (1 - p) / p * (n + rn))


@given(rates, rates, rates, times, times, times)
def test_below_the_breakeven_it_pays_and_above_it_costs(
    p: float, tnr: float, fnr: float, s: float, f: float, n: float
) -> None:
    limit = breakeven_fnr(p, tnr, f, n)
    assume(n < f and abs(fnr - limit) > 1e-6 and f > 1e-3)
    gain = reactive_makespan(p, s, f) - expected_makespan(Confusion.from_rates(p, tnr, fnr), (s, f, n))
    assert (gain > 0) == (fnr < limit)


def test_uncalled_attempts_count_where_they_end() -> None:
    called = Confusion(0.36, 0.18, 0.42, 0.04)
    partly = Confusion(0.30, 0.08, 0.42, 0.04, ncs=0.06, ncf=0.10)
    assert expected_makespan(partly, (20, 60, 9), (5, 3)) == pytest.approx(
        expected_makespan(called, (20, 60, 9), (5, 3))
    )


def test_a_mapping_is_taken_as_well() -> None:
    table = {"TP": 0.36, "FP": 0.18, "TN": 0.42, "FN": 0.04}
    assert round(expected_makespan(table, (20, 60, MTN), (5, 3)), 6) == 68.888889


# -- the law ---------------------------------------------------------------------------------------------------


def test_the_examples_variance_with_two_kinds_of_flags() -> None:
    assert round(MakespanLaw(TWO_FLAGS).variance, 4) == 7037.0123


def test_the_examples_variance_with_one_flag() -> None:
    assert round(MakespanLaw.of(CASE, (20, 60, MTN), (5, 3)).variance, 4) == 7036.2008


@pytest.mark.parametrize(("t", "survival"), [(0, 1.0), (50, 0.413001), (100, 0.212860), (200, 0.077107)])
def test_the_examples_survival(t: float, survival: float) -> None:
    assert round(MakespanLaw.of(CASE, (20, 60, MTN), (5, 3)).survival(t), 6) == survival


def test_survival_is_that_of_the_matrix_exponential() -> None:
    from scipy.linalg import expm

    law = MakespanLaw(TWO_FLAGS)
    generator, start = law._generator()
    exact = [float(start @ expm(generator * t) @ np.ones(4)) for t in (0.1, 3, 70, 900)]
    assert [law.survival(t) for t in (0.1, 3, 70, 900)] == pytest.approx(exact, rel=1e-9)


def test_its_mean_is_the_closed_form() -> None:
    assert round(MakespanLaw(TWO_FLAGS).mean, 6) == 68.888889


def test_its_mean_is_the_area_under_survival() -> None:
    law = MakespanLaw.of(CASE, (20, 60, MTN), (5, 3))
    grid = np.linspace(0, 3000, 3001)
    assert np.trapezoid([law.survival(t) for t in grid], grid) == pytest.approx(law.mean, rel=1e-3)  # step 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95, 0.999])
def test_a_quantile_is_where_survival_falls_to_the_rest(share: float) -> None:
    law = MakespanLaw(TWO_FLAGS)
    assert law.survival(law.quantile(share)) == pytest.approx(1 - share, abs=1e-9)


def test_an_attempt_that_always_succeeds_is_a_plain_exponential() -> None:
    law = MakespanLaw((Branch(1.0, 2.0, succeeded=True),))
    assert (law.survival(3.0), law.variance) == (pytest.approx(np.exp(-1.5)), 4.0)


def test_simulated_totals_have_the_laws_mean_and_variance() -> None:
    rng = np.random.default_rng(7)
    law, totals = MakespanLaw(TWO_FLAGS), np.zeros(40_000)
    open_ = np.arange(len(totals))
    chances, means, resets = ([getattr(b, name) for b in TWO_FLAGS] for name in ("probability", "mean", "reset"))
    while len(open_):
        branch = rng.choice(4, size=len(open_), p=chances)
        totals[open_] += rng.exponential(np.array(means)[branch]) + np.array(resets)[branch]
        open_ = open_[branch > 0]
    error = np.sqrt(law.variance / len(totals))
    assert abs(totals.mean() - law.mean) < 4 * error
    assert totals.var() == pytest.approx(law.variance, rel=0.08)  # 4 s.e. with this tail


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("six", [(-0.1, 0.5, 0.6, 0), (1.1, 0, 0, -0.1), (nan, 0.5, 0.5, 0), (True, 0, 0, 0)])
def test_a_probability_outside_0_to_1_is_refused(six: Any) -> None:
    with pytest.raises(UsageError, match="probability from 0 to 1"):
        Confusion(*six)


@pytest.mark.parametrize("six", [(0.3, 0.3, 0.3, 0), (0.5, 0.5, 0.5, 0.5)])
def test_probabilities_that_do_not_sum_to_1_are_refused(six: Any) -> None:
    with pytest.raises(UsageError, match="sum to"):
        Confusion(*six)


@pytest.mark.parametrize("means", [(-1, 60, 10), (20, nan, 10), (20, 60, inf)])
def test_times_that_are_no_times_are_refused(means: Any) -> None:
    with pytest.raises(UsageError, match="finite time"):
        expected_makespan(CASE, means)


@pytest.mark.parametrize("resets", [(-1, 0), (0, nan), (1,), 3, "no"])
def test_bad_reset_costs_are_refused(resets: Any) -> None:
    with pytest.raises(UsageError, match="reset cost"):
        expected_makespan(CASE, (20, 60, 10), resets)


def test_no_success_is_refused_and_not_infinite() -> None:
    with pytest.raises(UsageError, match="infinite"):
        expected_makespan(Confusion(0, 0.5, 0.5, 0), (20, 60, 10))


def test_a_law_without_success_is_refused() -> None:
    with pytest.raises(UsageError, match="infinite"):
        MakespanLaw((Branch(1.0, 3.0),))


def test_a_chance_of_0_is_refused() -> None:
    with pytest.raises(UsageError, match="infinite"):
        cost_per_success(1.0, 0.0)


@pytest.mark.parametrize(
    "call", [{"p": 1.2, "tnr": 0.5, "mtf": 1, "mtn": 1}, {"p": 0.5, "tnr": 0.5, "mtf": -1, "mtn": 1}]
)
def test_breakeven_refuses_what_makes_no_sense(call: Any) -> None:
    with pytest.raises(UsageError):
        breakeven_fnr(**call)


def test_the_exponential_model_refuses_a_branch_without_time() -> None:
    with pytest.raises(UsageError, match="above 0"):
        MakespanLaw((Branch(0.5, 0.0, succeeded=True), Branch(0.5, 1.0))).survival(1.0)


@pytest.mark.parametrize("share", [1.0, -0.1, nan])
def test_a_quantile_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(UsageError):
        MakespanLaw(TWO_FLAGS).quantile(share)
