"""enough: when a run of attempts stops because another one is not worth its cost."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest

import dalsegno as ds
from dalsegno.core.errors import UsageError
from dalsegno.core.identity import describe
from dalsegno.policies import Normal, Prize, enough, expected_gain, reservation_value

stats = pytest.importorskip("scipy.stats")


class Draws(ds.Process):
    """An attempt a step: it reports the next of the values, at a cost of its own; None is a failure."""

    def __init__(self, values: list[float | None], tokens: list[float] | None = None) -> None:
        self.values, self.tokens, self.k = values, tokens or [1.0] * len(values), -1

    def reset(self, *, seed: int, origin: Any = None) -> None:
        self.k += 1

    def step(self) -> ds.Report:
        value, cost = self.values[self.k], {"tokens": self.tokens[self.k]}
        if value is None:
            return ds.Report(cost=cost, status="failed")
        return ds.Report(metrics={"loss": -value}, value=value, cost=cost, status="succeeded")

    def state_dict(self) -> dict[str, Any]:
        return {"k": self.k}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.k = state["k"]


def attempts(condition: Any, values: list[float | None], tokens: list[float] | None = None, **options: Any) -> int:
    """How many attempts are made until it is enough; one more than there are values if it never is."""
    rules = [
        ds.stop(condition),
        ds.stop(ds.when.spent(attempts=len(values))),
        ds.restart(ds.when.succeeded() | ds.when.failed()),
    ]
    result = ds.run(Draws(values, tokens), rules=rules, seed=0, **options)
    return len(result.attempts) + (result.reason != str(rules[0]))


VALUES: list[float | None] = [0.2, -0.5, 1.1, 0.4, 1.3, 0.9, 2.0, 0.1]


@pytest.mark.parametrize(("cost", "number"), [(0.3, 3), (0.1, 3), (0.06, 5), (0.01, 7), (0.001, 9)])
def test_it_stops_at_the_first_result_that_reaches_the_reservation_value(cost: float, number: int) -> None:
    z = reservation_value(Normal(), cost)
    assert number == next((k for k, best in enumerate(accumulate(VALUES, max), 1) if best >= z), 9)  # type: ignore[type-var]
    assert attempts(enough(cost, law=Normal()), VALUES) == number


@pytest.mark.parametrize("law", [Normal(), stats.norm()], ids=["own", "frozen"])
def test_a_metric_that_is_to_be_low_is_the_same_with_its_sign(law: Any) -> None:
    assert attempts(enough(0.06, by="loss", mode="min", law=law), VALUES) == 5


def test_a_result_equal_to_the_reservation_value_is_enough() -> None:
    assert attempts(enough(0.5, law=Prize(1.0, 2.0)), [1.5, 1.5]) == 1


@pytest.mark.parametrize("cost", [0.5, 0.2, 0.1, 0.05, 0.02])
def test_without_a_law_it_stops_once_the_expected_gain_is_not_above_the_cost(cost: float) -> None:
    number = next((k for k in range(5, 9) if expected_gain(VALUES[:k]) <= cost), 9)  # type: ignore[arg-type]
    assert attempts(enough(cost), VALUES) == number


def test_without_a_law_five_results_are_needed() -> None:
    assert (attempts(enough(100.0), VALUES), attempts(enough(100.0, least=3), VALUES)) == (5, 3)


def test_a_good_fallback_ends_the_search_after_one_attempt() -> None:
    assert (
        attempts(enough(0.1, law=Normal(), fallback=0.95), VALUES),
        attempts(enough(0.1, law=Normal()), VALUES),
    ) == (1, 3)


def test_the_price_of_a_unit_is_paid_for_what_attempts_use_in_the_mean() -> None:
    # 20 tokens in the mean at 0.005 make 0.1 an attempt
    tokens = [10.0, 20.0, 30.0, 20.0, 20.0, 20.0, 20.0, 20.0]
    assert attempts(enough(0.005, of="tokens", law=Normal()), VALUES, tokens) == attempts(
        enough(0.1, law=Normal()), VALUES
    )


def test_attempts_without_a_result_make_results_dearer() -> None:
    # half of them fail, so a result costs 0.2: 0.5 is reached, which at 0.1 it is not
    values: list[float | None] = [0.1, None, None, 0.6, 3.0]
    assert (attempts(enough(0.1, law=Normal()), values), attempts(enough(0.1, law=Normal()), [0.1, 0.6, 3.0])) == (4, 3)


def test_a_budget_of_attempts_is_kept() -> None:
    assert attempts(enough(1e-9, law=Normal(), attempts=4), VALUES) == 4


@pytest.mark.parametrize(("budget", "number"), [(40.0, 2), (39.0, 1), (60.0, 3), (59.9, 2)])
def test_an_attempt_that_would_not_fit_is_not_begun(budget: float, number: int) -> None:
    assert attempts(enough(1e-9, of="tokens", law=Normal(), budget=budget), VALUES, [20.0] * 8) == number


def test_the_run_is_resumed_as_it_would_have_gone_on(tmp_path: Any) -> None:
    class Killed(BaseException):
        pass

    class Draws2(Draws):
        fatal = 5

        def step(self) -> ds.Report:
            if self.k == self.fatal:
                raise Killed
            return super().step()

    plan = {
        "journal": tmp_path / "runs.db",
        "rules": [ds.stop(enough(0.1)), ds.restart(ds.when.succeeded())],
        "seed": 0,
    }
    with pytest.raises(Killed):
        ds.run(Draws2(VALUES), **plan)
    Draws2.fatal = -1
    result = ds.run(Draws2(VALUES), **plan)
    whole = ds.run(Draws2(VALUES), rules=plan["rules"], seed=0)
    assert (len(result.attempts), result.value) == (len(whole.attempts), whole.value)


def test_what_it_saw_names_the_figures(tmp_path: Any) -> None:
    journal = tmp_path / "runs.db"
    attempts(enough(0.1, law=Normal()), VALUES, journal=journal)
    saw = [row["saw"][0]["saw"] for row in ds.Journal(journal).rows("decisions")][-1]
    assert saw == {
        "by": "value",
        "attempts": 3,
        "results": 3,
        "used": 3.0,
        "best": 1.1,
        "cost": 0.1,
        "reservation_value": pytest.approx(0.902346, abs=1e-6),
        "enough": True,
    }


@pytest.mark.parametrize("law", [None, Normal(), stats.norm(1.0), stats.norm.sf])
def test_it_has_an_identity(law: Any) -> None:
    assert describe(enough(0.1, law=law)) == describe(enough(0.1, law=law)) != describe(enough(0.2, law=law))


@pytest.mark.parametrize(
    "call",
    [
        lambda: enough(),
        lambda: enough(0.0),
        lambda: enough(-1.0),
        lambda: enough(0.1, law=[0.1, 0.2]),
        lambda: enough(0.1, of="attempts"),
        lambda: enough(0.1, budget=100.0),
        lambda: enough(0.1, mode="min"),
        lambda: enough(0.1, mode="least", by="loss"),
        lambda: enough(0.1, least=2),
        lambda: enough(0.1, fallback=float("nan")),
        lambda: enough(0.1, attempts=1.5),
    ],
)
def test_mistaken_arguments_are_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()
