"""CMA-ES as a process: saved anywhere and rebuilt exactly, restarted with other populations."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy
import pytest

import dalsegno as ds
from dalsegno.core.errors import UsageError
from dalsegno.policies import BIPOP, IPOP, Evolution

cma = pytest.importorskip("cma")


def sphere(x: Any) -> float:
    return float((x**2).sum())


def rastrigin(x: Any) -> float:
    return float(10 * len(x) + (x**2 - 10 * numpy.cos(2 * numpy.pi * x)).sum())


def anywhere(generator: Any) -> Any:
    return generator.uniform(-5.0, 5.0, 2)


def started(objective: Any = rastrigin, seed: int = 3, **options: Any) -> Evolution:
    search = Evolution(objective, anywhere, 2.0, **options)
    search.reset(seed=seed)
    return search


@pytest.mark.parametrize("bounds", [None, (-1.0, 3.0), ([0.5, None, -2.0, -9.0], None)])
@pytest.mark.parametrize("iterations", [0, 1, 37])
def test_a_state_put_back_goes_on_bit_for_bit_without_an_evaluation(iterations: int, bounds: Any) -> None:
    start = numpy.full(4, 0.75)
    search = Evolution(rastrigin, start, 2.0, bounds=bounds)
    search.reset(seed=3)
    for _ in range(iterations):
        search.step()
    state = search.state_dict()
    numpy.random.seed(0)  # the global generator has no part in it
    calls = []
    other = Evolution(lambda x: calls.append(1) or rastrigin(x), start, 2.0, bounds=bounds)  # type: ignore[func-returns-value]
    other.reset(seed=9)
    other.load_state_dict(state)
    assert not calls
    assert [other.step() for _ in range(40)] == [search.step() for _ in range(40)]
    for name in ("mean", "sigma", "pc", "C"):
        assert numpy.array_equal(getattr(other.strategy, name), getattr(search.strategy, name))


def test_the_global_generator_is_not_touched() -> None:
    numpy.random.seed(5)
    before = numpy.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    search = started()
    for _ in range(5):
        search.step()
    assert numpy.array_equal(numpy.random.get_state()[1], before)  # type: ignore[index]


def test_it_is_pycmas_own_run_for_the_same_normal_numbers() -> None:
    search = Evolution(sphere, numpy.full(4, 2.0), 1.0)
    search.reset(seed=11)
    mine = [search.step().metrics["f"] for _ in range(30)]
    generator = numpy.random.default_rng(11)
    quiet = {"verbose": -9, "verb_log": 0, "seed": nan, "randn": lambda *shape: generator.standard_normal(shape)}
    strategy = cma.CMAEvolutionStrategy(numpy.full(4, 2.0), 1.0, quiet)
    theirs = []
    for _ in range(30):
        points = strategy.ask()
        values = [sphere(point) for point in points]
        strategy.tell(points, values)
        theirs.append(min(values))
    assert mine == theirs


RULES = [BIPOP(2, restarts=3), ds.stop(ds.when.spent(evaluations=60_000))]


def run(objective: Any = rastrigin, rules: Any = RULES, **options: Any) -> tuple[Any, Evolution]:
    search = Evolution(objective, anywhere, 2.0, target=1e-8)
    return ds.run(search, rules=rules, seed=7, **options), search


def attempts(result: Any) -> list[Any]:
    return [(one.number, one.state, one.steps, one.cost, one.value, one.origin.prior) for one in result.attempts]


def test_restarts_solve_what_one_run_does_not() -> None:
    single, _ = run(rules=[])
    result, search = run()
    assert not single.succeeded
    assert result.succeeded and search.best[0] < 1e-8 and len(result.attempts) > 1
    assert rastrigin(search.best[1]) == search.best[0]


def test_ipop_doubles_until_it_succeeds() -> None:
    result, _ = run(rules=[IPOP(2), RULES[1]])
    populations = [one.cost["evaluations"] / one.steps for one in result.attempts]
    assert result.succeeded and populations == [6 * 2**k for k in range(len(populations))]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_killed_it_ends_as_it_would_have_and_evaluates_nothing_before_the_snapshot_again(
    tmp_path: Any, share: float
) -> None:
    class Killed(BaseException):
        pass

    whole, _ = run()
    total, left = whole.cost["evaluations"], [0.0]
    left[0] = int(share * total)

    def fatal(x: Any) -> float:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return rastrigin(x)

    plan = {"checkpoint": ds.checkpoint.Every(steps=10), "journal": tmp_path / "runs.db"}
    with pytest.raises(Killed):
        run(fatal, **plan)
    left[0] = 10**9
    result, _ = run(fatal, **plan)
    assert attempts(result) == attempts(whole) and result.verdict == "exact"
    largest = max(one.cost["evaluations"] / one.steps for one in whole.attempts)
    assert 10**9 - left[0] <= total - int(share * total) + 11 * largest


def test_a_value_that_is_nan_counts_as_infinite() -> None:
    search = Evolution(lambda x: nan if x[0] < 0 else sphere(x), numpy.full(3, 1.0), 1.0, target=1e-9)
    result = ds.run(search, rules=[ds.stop(ds.when.spent(evaluations=20_000))], seed=0)
    assert result.succeeded and search.best[1][0] >= 0


def test_why_an_attempt_stopped_is_said() -> None:
    search = started(lambda x: 1.0)
    while (report := search.step()).status == "running":
        pass
    assert report.status == "failed" and report.failure is not None and "tolfun" in report.failure.message


@pytest.mark.parametrize(
    "call",
    [
        lambda: Evolution(3, [0.0, 0.0], 1.0),  # type: ignore[arg-type]
        lambda: Evolution(sphere, [0.0, 0.0], 0.0),
        lambda: Evolution(sphere, [0.0, 0.0], 1.0, options={"seed": 3}),
        lambda: Evolution(sphere, [0.0, 0.0], 1.0, options={"integer_variables": [0]}),
        lambda: Evolution(sphere, [0.0, 0.0], 1.0, options={"timeout": 3}),
    ],
)
def test_mistaken_arguments_are_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()
