"""The budgets of IPOP and BIPOP, beside those of pycma itself."""

from __future__ import annotations

from itertools import pairwise
from math import floor, log, sqrt
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalsegno.core.actions import Restart, Stop
from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report
from dalsegno.policies import BIPOP, IPOP, PopulationRun, default_population, most_iterations
from dalsegno.policies.population_restarts import Restarts


@pytest.mark.parametrize(("n", "population"), [(2, 6), (5, 8), (10, 10), (40, 15), (100, 17)])
def test_the_first_population(n: int, population: int) -> None:
    assert default_population(n) == population == 4 + floor(3 * log(n))


@pytest.mark.parametrize(("n", "population"), [(2, 6), (5, 8), (10, 10), (10, 40)])
def test_the_most_iterations(n: int, population: int) -> None:
    assert most_iterations(n, population) == 100 + 150 * (n + 3) ** 2 // sqrt(population)


EVALUATIONS = some.lists(
    some.tuples(some.floats(10, 1e4), some.floats(0, 0.999), some.floats(0, 0.999)), min_size=3, max_size=25
)


def play(log: list[tuple[float, float, float]], **options: Any) -> list[tuple[PopulationRun, float]]:
    """The runs that follow from what they used and the draws; each with what it used."""
    restarts = Restarts(10, 5000, **options)
    run, played = PopulationRun(10, 1.0, 5000, True), []
    for evaluations, *draws in log:
        if run.small and played:
            evaluations = min(evaluations, run.iterations * run.population)
        played.append((run, evaluations))
        restarts.ended(evaluations, small=run.small)
        run = restarts.next((draws[0], draws[1]))
    return played


@given(EVALUATIONS)
def test_small_runs_come_while_they_have_used_less(log: list[tuple[float, float, float]]) -> None:
    small, large = 0.0, 0.0
    for place, (run, evaluations) in enumerate(play(log)):
        if place:
            assert run.small == (small < max(1.0, large))
        small, large = (small + evaluations, large) if run.small else (small, large + evaluations)


@given(EVALUATIONS)
def test_large_runs_double_and_small_ones_are_smaller(log: list[tuple[float, float, float]]) -> None:
    runs = [run for run, _ in play(log)][1:]
    large = [run.population for run in runs if not run.small]
    assert all(other == 2 * one for one, other in pairwise([10, *large]))
    last = 10
    for run in runs:
        if run.small:
            assert 10 <= run.population <= last and 0.01 < run.sigma <= 1.0
        else:
            last = run.population


@given(EVALUATIONS)
def test_a_small_run_may_use_half_of_what_the_large_ones_have(log: list[tuple[float, float, float]]) -> None:
    large = 0.0
    for run, evaluations in play(log):
        if run.small and large:
            assert run.iterations == min(5000, 0.5 * large / run.population)
        large += 0.0 if run.small else evaluations


def test_the_papers_small_populations_reach_half_of_the_last_large_one() -> None:
    sizes = []
    for paper in (False, True):
        restarts = Restarts(10, 5000, paper=paper)
        restarts.ended(500, small=True)
        restarts.ended(9000, small=False)
        restarts.ended(100, small=True)
        sizes.append(restarts.next((0.5, 1.0)).population)
    assert sizes == [20, 10]


# -- beside pycma ------------------------------------------------------------------------------------------


def rastrigin(x: Any) -> float:
    return float(10 * len(x) + (x**2 - 10 * numpy.cos(2 * numpy.pi * x)).sum())


def of_pycma(monkeypatch: pytest.MonkeyPatch, seed: int, first: float, **options: Any) -> tuple[list[Any], list[float]]:
    """The runs that pycma makes (population, step size, limit, evaluations), and the numbers that it drew for them."""
    cma = pytest.importorskip("cma")
    strategies: list[Any] = []
    limits: list[float] = []  # noted at once: pycma changes the options of a run for the one after it
    draws: list[float] = []
    uniform = numpy.random.uniform

    def noted(*args: Any, **named: Any) -> Any:
        drawn = uniform(*args, **named)
        if not args and not named:
            draws.append(drawn)
        return drawn

    def begun(strategy: Any) -> None:
        strategies.append(strategy)
        limits.append(strategy.opts["maxiter"])

    monkeypatch.setattr(numpy.random, "uniform", noted)
    quiet: dict[str, Any] = {
        "verbose": -9,
        "verb_disp": 0,
        "verb_log": 0,
        "seed": seed,
        "ftarget": 1e-9,
        "maxfevals": 40_000,
    }
    if isinstance(first, int):  # else pycma's own default
        quiet["popsize"] = first
    cma.fmin2(rastrigin, 5 * [2.5], 1.0, quiet, init_callback=begun, **options)
    used = [strategy.countevals for strategy in strategies]
    return [
        (strategy.popsize, strategy.sigma0, limit, after - before)
        for strategy, limit, before, after in zip(strategies, limits, [0, *used], used, strict=False)
    ], draws


@pytest.mark.parametrize("first", [8, 4 + 3 * log(5)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bipops_runs_are_pycmas_for_the_same_draws(monkeypatch: pytest.MonkeyPatch, seed: int, first: float) -> None:
    runs, draws = of_pycma(monkeypatch, seed, first, restarts=6, bipop=True)
    restarts = Restarts(first, most_iterations(5, first))
    run, found = PopulationRun(int(first), 1.0, restarts.iterations, True), []
    for *_, evaluations in runs:
        found.append((run.population, run.sigma, run.iterations, evaluations))
        restarts.ended(evaluations, small=run.small)
        run = restarts.next((draws[0], draws[1]) if len(draws) > 1 else (0.5, 0.5))
        if run.small:
            del draws[:2]
    assert len(runs) > 5 and any(sigma < 1 for _, sigma, _, _ in runs)
    assert found == [(size, pytest.approx(sigma), pytest.approx(limit), n) for size, sigma, limit, n in runs]


@pytest.mark.parametrize(("first", "sizes"), [(8, [8, 16, 32, 64, 128]), (4 + 3 * log(5), [8, 17, 35, 70, 141])])
def test_ipops_runs_are_pycmas(monkeypatch: pytest.MonkeyPatch, first: float, sizes: list[int]) -> None:
    runs, _ = of_pycma(monkeypatch, 2, first, restarts=4)
    mine = [action.origin.prior["population"] for action in played(IPOP(5, population=first), [1e3] * 4)]
    assert len(runs) > 2 and [size for size, *_ in runs] == sizes[: len(runs)] and [int(first), *mine] == sizes
    assert {limit for _, _, limit, _ in runs} == {most_iterations(5, first)}


# -- as policies -------------------------------------------------------------------------------------------


def played(policy: Any, used: list[float]) -> list[Any]:
    """What the policy answers at the end of each attempt, given what the attempts use."""
    machine, origin, found = Machine([policy]), Origin(), []
    for evaluations in used:
        machine.start(0, origin)
        report = Report(status="failed", cost={"evaluations": evaluations}, failure=Failure((), f"{len(found)}"))
        decision: Any = machine.advance(report, 0.0)
        machine.commit(decision)
        found.append(decision.action)
        origin = decision.origin or Origin()
    return found


def test_ipop_hands_over_twice_the_population_until_its_restarts_are_used_up() -> None:
    answers = played(IPOP(5, restarts=3), [100.0] * 4)
    assert [action.origin.prior["population"] for action in answers[:3]] == [16, 32, 64]
    assert isinstance(answers[3], Stop)


def test_bipop_hands_over_what_follows_from_the_budgets_and_its_own_draws() -> None:
    used = [1400.0, 2400.0, 900.0, 3500.0, 700.0, 600.0, 800.0]
    restarts, small = Restarts(8, most_iterations(5, 8)), True
    for k, (action, evaluations) in enumerate(zip(played(BIPOP(5, seed=7), used), used, strict=True), 1):
        restarts.ended(evaluations, small=small)
        first, second = numpy.random.default_rng([7, k]).random(2)
        run = restarts.next((float(first), float(second)))
        assert isinstance(action, Restart) and action.origin.prior == vars(run)  # type: ignore[union-attr]
        small = run.small


@pytest.mark.parametrize("policy", [IPOP(5), BIPOP(5)])
def test_an_exception_and_a_success_are_left_to_others(policy: Any) -> None:
    machine = Machine([policy])
    machine.start(0, Origin())
    assert policy.decide(machine.trace) is None
    raised: Any = machine.fail(Failure.of(ValueError("no")), 0.0)
    machine = Machine([policy])
    machine.start(0, Origin())
    won: Any = machine.advance(Report(status="succeeded"), 0.0)
    assert (raised.verb, won.verb, won.reason) == ("stop", "stop", "succeeded")


@pytest.mark.parametrize(
    "arguments",
    [
        {"dimension": 0},
        {"dimension": 5, "population": 1},
        {"dimension": 5, "factor": 1.0},
        {"dimension": 5, "restarts": -1},
        {"dimension": 2.5},
    ],
)
def test_mistaken_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        IPOP(**arguments)
