"""Costly calls: journaled before they are used, replayed after a kill, held in a hard budget."""

from __future__ import annotations

import os
import signal

import pytest
from tests.cases.conftest import elsewhere  # noqa: F401  (a fixture)

import dalsegno as ds


class Caller(ds.Process):
    def __init__(self, log, die=None):
        self.log, self.die = log, die

    def reset(self, *, seed, origin=None):
        self.n = 0

    def step(self):
        self.n += 1

        def call(idempotency_key):
            with open(self.log, "a") as file:
                file.write(f"{self.n} {idempotency_key}\n")
            if self.die == (self.n, "during"):
                os.kill(os.getpid(), signal.SIGKILL)
            return {"answer": self.n * 10}

        value = ds.once("ask", call, inputs={"n": self.n}, cost={"tokens": 5})
        if self.die == (self.n, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return ds.Report({"answer": float(value["answer"])}, status="succeeded" if self.n == 6 else "running")

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


def call_out(folder, die=None):
    result = ds.run(
        Caller(str(folder / "log"), die),
        checkpoint=ds.checkpoint.Every(steps=3),
        journal=folder / "j.db",
        seed=0,
        accept=["process.die"],
    )
    return result.cost, [row["answer"] for row in ds.Journal(folder / "j.db").rows("steps")]


@pytest.mark.parametrize("at", ["during", "after"])
@pytest.mark.parametrize("step", [1, 3, 4, 5])
def test_no_acknowledged_call_is_made_twice_and_one_in_flight_once_more(tmp_path, elsewhere, step, at):  # noqa: F811
    assert elsewhere(call_out, tmp_path, (step, at)) is None
    cost, answers = elsewhere(call_out, tmp_path)
    assert answers == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0] and cost == {"tokens": 30.0}
    calls = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    again = [str(step)] if at == "during" else []
    assert [number for number, _ in calls] == sorted([*map(str, range(1, 7)), *again])
    assert len({key for _, key in calls}) == 6


def test_outside_a_run_it_is_refused():
    with pytest.raises(ds.UsageError, match="outside a run"):
        ds.once("x", lambda: 1)


def one_step(call, **more):
    def body(attempt):
        for step, _ in attempt.over(range(3)):
            step.report(x=float(call(attempt)))

    return ds.run(body, seed=0, **more)


def test_one_key_twice_in_a_step_is_refused():
    with pytest.raises(ds.UsageError, match="twice in one step"):
        one_step(lambda attempt: attempt.once("a", lambda: 1) + attempt.once("a", lambda: 2))


def test_a_budget_holds_the_worst_case_before_a_call():
    made = []

    def call(attempt):
        return attempt.once("a", lambda: made.append(1) or 1, hold={"tokens": 60}, cost={"tokens": 50})

    with pytest.raises(ds.BudgetError, match=r"60 tokens and 50 of 100 are left"):
        one_step(call, budget=ds.Budget(tokens=100))
    assert len(made) == 1


def test_a_call_that_raises_stays_held():
    budget = ds.Budget(tokens=100)

    def fails():
        raise RuntimeError("unknown cost")

    def call(attempt):
        return attempt.once("a", fails, hold={"tokens": 60})

    rules = [ds.stop(ds.when.spent(attempts=3)), ds.restart(ds.when.failed(RuntimeError))]
    with pytest.raises(ds.BudgetError, match="40 of 100 are left"):
        one_step(call, budget=budget, rules=rules)
    assert budget.left("tokens") == 100  # the plan's own budget is not used up by a run


def spend(folder, die):
    """Three calls of 30 tokens that hold 40 each, against a budget of 100; killed in the second one if ``die``."""

    def call(attempt):
        def work():
            if die and attempt.step == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return 1

        return attempt.once("a", work, hold={"tokens": 40}, cost={"tokens": 30})

    return one_step(
        call,
        budget=ds.Budget(tokens=100),
        journal=folder / "j.db",
        accept=["process.call.die"],
        checkpoint=ds.checkpoint.Every(steps=1),
    ).cost


def test_what_was_used_and_held_survives_a_kill(tmp_path, elsewhere):  # noqa: F811
    assert elsewhere(spend, tmp_path, True) is None
    # 30 used and 40 held by the call in flight; sent once more it is settled at 30, and the third does not fit
    assert elsewhere(spend, tmp_path, False) == {"tokens": 90.0}


def test_a_budget_that_was_used_up_before_a_kill_is_used_up_after_it(tmp_path, elsewhere):  # noqa: F811
    def go(die):
        def call(attempt):
            if die and attempt.step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return attempt.once("a", lambda: 1, hold={"tokens": 40}, cost={"tokens": 40})

        return one_step(call, budget=ds.Budget(tokens=100), journal=tmp_path / "j.db", accept=["process.call.die"])

    assert elsewhere(go, True) is None
    with pytest.raises(RuntimeError, match="40 tokens and 20 of 100 are left"):
        elsewhere(go, False)


@pytest.mark.parametrize("bad", [(5,), {}, {"tokens": -1}, {"tokens": float("nan")}, {"tokens": True}])
def test_a_budget_without_a_unit_or_with_a_strange_limit_is_refused(bad):
    with pytest.raises(ds.UsageError):
        ds.Budget(*bad) if isinstance(bad, tuple) else ds.Budget(**bad)


def test_a_judge_is_asked_only_where_the_rest_is_true_and_its_cost_is_charged():
    asked = []

    def passes(kept):
        asked.append(kept["n"])
        return ds.when.Verdict(kept["n"] >= 6, "enough", {"tokens": 7})

    def body(attempt):
        kept = {"n": 0}
        attempt.keep(n=kept)
        for step, _ in attempt.over(range(20)):
            kept["n"] += 1
            step.report(x=1.0)

    def look(kept):
        return passes(kept["n"])

    result = ds.run(body, rules=[ds.stop(ds.when.every(steps=3) & ds.when.judge(look))], seed=0)
    assert asked == [3, 6] and result.step == 6 and result.cost == {"tokens": 14.0}


def test_what_was_paid_counts_redone_steps_and_no_call_twice(tmp_path, elsewhere):  # noqa: F811
    assert elsewhere(call_out, tmp_path, (5, "after")) is None
    elsewhere(call_out, tmp_path)
    (run,) = ds.Journal(tmp_path / "j.db").rows("runs")
    assert run["cost"] == {"tokens": 30.0} and run["paid_cost"] == {"tokens": 30.0}  # replayed calls cost nothing
    assert run["paid_steps"] >= run["steps"] == 6
