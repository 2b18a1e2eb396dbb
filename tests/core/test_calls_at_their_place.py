"""once at odd places: before the loop, between loops, in threads, after the end; and what hard budgets make of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import dalsegno as ds


class Killed(KeyboardInterrupt):
    """Leaves a step as a kill does: nothing is saved, no rule is asked."""


def through_kills(train, journal, kills, **options):
    """Run a function until it has ended, with a kill at each of these steps in turn."""
    places = list(kills)

    def kill(step):
        if places and step >= places[0]:
            places.pop(0)
            raise Killed

    def tried(attempt):
        return train(attempt, kill)

    for _ in kills:
        with pytest.raises(Killed):
            ds.run(tried, name="tried", journal=journal, seed=0, accept=["process"], **options)
    return ds.run(tried, name="tried", journal=journal, seed=0, accept=["process"], **options)


@pytest.mark.parametrize("kills", [[], [2], [5], [7], [3, 4, 6, 8]])
def test_calls_before_and_between_loops_are_made_once(tmp_path, kills):
    made = []

    def train(attempt, kill):
        state = {"n": 0}
        attempt.keep(state=state)
        attempt.once("setup", lambda: made.append("setup") or 1, cost={"tokens": 100})
        for epoch in range(3):
            for step, _ in attempt.over(range(3)):
                kill(step)
                state["n"] += 1
                step.report(n=state["n"])
            attempt.once("eval", lambda epoch=epoch: made.append(epoch) or epoch, cost={"tokens": 10})
        return state["n"]

    result = through_kills(train, tmp_path / "runs.db", kills, checkpoint=ds.checkpoint.Every(steps=2))
    assert made == ["setup", 0, 1, 2]
    assert (result.returned, result.cost) == (9, {"tokens": 120.0})


def test_a_call_before_the_loop_is_not_made_again_after_a_roll_back_and_a_kill(tmp_path):
    made, faults = [], [5]

    def train(attempt, kill):
        attempt.keep(state={"n": 0})
        attempt.once("setup", lambda: made.append(1) or 1)
        for step, _ in attempt.over(range(8)):
            kill(step)
            bad = step in faults
            if bad:
                faults.clear()
            step.report(loss=9.0 if bad else 1.0)

    rules = [ds.roll_back(ds.when.above("loss", 5.0))]
    through_kills(train, tmp_path / "runs.db", [7], rules=rules, checkpoint=ds.checkpoint.Every(steps=2))
    assert made == [1]


def test_a_call_that_raised_may_be_tried_again_in_its_step():
    tries = []

    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise OSError("busy")
        return "answer"

    def train(attempt):
        for step, _ in attempt.over([0]):
            for _ in range(3):
                try:
                    answer = attempt.once("chat", flaky)
                except OSError:
                    continue
            step.report()
            return answer

    assert ds.run(train, seed=0).returned == "answer"


def test_a_value_is_kept_whatever_is_wrong_with_its_price(tmp_path):
    made = []

    def train(attempt):
        for step, _ in attempt.over([0]):
            attempt.once("chat", lambda: made.append(1) or "answer", cost=lambda answer: {"tokens": 1 / 0})
            step.report()

    with pytest.raises(ZeroDivisionError):
        ds.run(train, journal=tmp_path / "runs.db", seed=0)
    (row,) = ds.Journal(tmp_path / "runs.db").rows("calls")
    assert (made, row["state"], row["value"]) == ([1], "done", "answer")


def test_an_answer_that_cannot_be_kept_is_paid_for_once(tmp_path):
    made = []

    def train(attempt):
        for step, _ in attempt.over([0]):
            attempt.once("chat", lambda: made.append(1) or object(), cost={"tokens": 5})
            step.report()

    for _ in range(3):
        with pytest.raises(
            ds.UnsavableError, match=r"once\('chat'\) at step 1 was made and answered.*as a dict, list, text"
        ):
            ds.run(train, journal=tmp_path / "runs.db", seed=0)
    assert made == [1]


def test_calls_from_several_threads_of_a_step(tmp_path):
    def train(attempt):
        for step, _ in attempt.over(range(3)):
            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda i: attempt.once(f"chat {i}", lambda: i, cost={"tokens": 1}), range(8)))
            step.report(total=sum(found))
        return sum(found)

    result = ds.run(train, journal=tmp_path / "runs.db", seed=0)
    assert (result.returned, result.cost) == (28, {"tokens": 24.0})


def test_a_run_inside_a_run_leaves_the_outer_one_its_calls():
    def outer():
        for attempt in (run := ds.attempts(name="outer", seed=0)):
            with attempt:
                for step, _ in attempt.over([0]):
                    for inner in ds.attempts(name="inner", seed=0):
                        with inner:
                            for _ in inner.over([0]):
                                pass
                    ds.once("after", lambda: 1)
                    step.report()
        return run.result

    assert outer().succeeded


def inline(journal, *, calls):
    seen = []
    for attempt in (run := ds.attempts(name="inline", journal=journal, seed=0)):
        with attempt:
            for step, _ in attempt.over(range(3)):
                step.report()
            seen.append((attempt.number, attempt.seed, attempt.step))
            for key in calls:
                attempt.once(key, lambda key=key: key)
    return seen, run.result


def test_a_finished_inline_run_replays_its_calls_and_makes_no_new_one(tmp_path):
    first, _ = inline(tmp_path / "runs.db", calls=["final"])
    again, result = inline(tmp_path / "runs.db", calls=["final"])
    assert (first, result.succeeded) == (again, True)
    with pytest.raises(ds.UsageError, match="the run is over"):
        inline(tmp_path / "runs.db", calls=["another"])


# -- hard budgets ---------------------------------------------------------------------------------------------------


def spending(attempt):
    for step, _ in attempt.over(range(20)):
        step.report(cost={"usd": 1.0})


@pytest.mark.parametrize(
    ("budget", "steps"), [({"usd": 3}, 3), ({"steps": 4}, 4), ({"usd": 9, "steps": 5}, 5), ({"usd": 20}, 20)]
)
def test_a_budget_ends_the_run_at_the_boundary_at_which_it_is_used_up(budget, steps):
    result = ds.run(spending, budget=ds.Budget(**budget), seed=0)
    assert (result.steps, result.succeeded, result.exit_code) == (steps, False, 3)
    assert "is used up" in result.reason


def test_a_budget_counts_what_reports_say_before_a_call_is_begun():
    def train(attempt):
        for step, _ in attempt.over(range(3)):
            step.report(cost={"usd": 2.0})
            attempt.once("chat", lambda: 1, hold={"usd": 2.5}, cost={"usd": 1.0})

    with pytest.raises(ds.BudgetError, match=r"may need 2.5 usd and 2 of 5 are left"):
        ds.run(train, budget=ds.Budget(usd=5), seed=0)


def test_a_call_that_does_not_fit_is_not_tried_again_by_a_rule_for_failures():
    begun = []

    def train(attempt):
        begun.append(attempt.number)
        for step, _ in attempt.over(range(3)):
            attempt.once("chat", lambda: 1, hold={"tokens": 10}, cost={"tokens": 10})
            step.report()

    rules = [ds.stop(ds.when.spent(attempts=5)), ds.restart(ds.when.failed())]
    with pytest.raises(ds.BudgetError):
        ds.run(train, rules=rules, budget=ds.Budget(tokens=25), seed=0)
    assert begun == [1]
    named = [ds.stop(ds.when.failed(ds.BudgetError), reason="no more", succeeded=True)]
    assert ds.run(train, rules=named, budget=ds.Budget(tokens=25), seed=0).reason == "no more"


def test_a_larger_budget_lets_an_ended_run_go_on(tmp_path):
    options = {"journal": tmp_path / "runs.db", "seed": 0, "checkpoint": ds.checkpoint.Every(steps=1)}
    assert ds.run(spending, budget=ds.Budget(usd=3), **options).steps == 3
    longer = ds.run(spending, budget=ds.Budget(usd=30), extend=True, **options)
    assert (longer.steps, longer.succeeded, longer.cost) == (20, True, {"usd": 20.0})


@pytest.mark.parametrize(("given", "said"), [({"step": 3}, "write steps="), ({"steps": 2.5}, "whole number")])
def test_a_budget_in_a_unit_that_is_none_is_refused(given, said):
    with pytest.raises(ds.UsageError, match=said):
        ds.Budget(**given)


# -- what a body returns after a stop --------------------------------------------------------------------------------


def stopped(attempt):
    for step, _ in attempt.over(range(9)):
        step.report(loss=1.0)
    return {"steps": attempt.step}


def test_what_a_body_returns_after_a_stop_is_the_runs_result_now_and_later(tmp_path):
    options = {"rules": [ds.stop(ds.when.elapsed(steps=4))], "journal": tmp_path / "runs.db", "seed": 0}
    assert ds.run(stopped, **options).returned == {"steps": 4}
    assert ds.run(stopped, **options).returned == {"steps": 4}

    async def later(attempt):
        return stopped(attempt)

    assert asyncio.run(ds.arun(later, rules=options["rules"], seed=0)).returned == {"steps": 4}


def test_a_finished_process_is_restored_on_a_running_loop_too(tmp_path):
    class Slow(ds.Process):
        async def reset(self, *, seed, origin=None):
            self.n = 0

        async def step(self):
            self.n += 1
            return ds.Report({"n": self.n}, status="succeeded" if self.n == 4 else "running")

        def state_dict(self):
            return {"n": self.n}

        def load_state_dict(self, state):
            self.n = state["n"]

    asyncio.run(ds.arun(Slow(), journal=tmp_path / "runs.db", seed=0))
    again = Slow()
    asyncio.run(ds.arun(again, journal=tmp_path / "runs.db", seed=0))
    assert again.n == 4


def test_a_state_that_has_to_be_waited_for_is_refused():
    class Late(ds.Process):
        def reset(self, *, seed, origin=None):
            pass

        async def step(self):
            return ds.Report()

        async def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    with pytest.raises(ds.UsageError, match="state_dict is a coroutine function"):
        ds.run(Late(), seed=0)
