"""Time, budgets, endings (cases 10, 11, 12), and their kinds."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from tests.cases.processes import Faulty, KillAfter, Search, Tick

import dalsegno as ds


def tick(journal, seconds, *listeners):
    begun = time.perf_counter()
    result = ds.run(
        Tick(),
        rules=[ds.stop(ds.when.spent(seconds=seconds))],
        checkpoint=ds.checkpoint.Every(steps=10),
        journal=journal,
        seed=0,
        listeners=listeners,
    )
    return result.seconds, time.perf_counter() - begun, result.steps, result.paid["seconds"]


def test_time_while_the_program_is_not_running_is_not_spent(tmp_path, elsewhere):
    journal = tmp_path / "runs.db"
    assert elsewhere(tick, journal, 4.0, KillAfter(step=39)) is None  # about 2 s
    time.sleep(3.0)
    logical, own, _, paid = elsewhere(tick, journal, 4.0)
    assert 4.0 <= logical <= 4.3  # the step that crosses is finished and counted
    assert 1.5 <= own <= 3.3  # what was left, and at most what was redone: not 0, not 4
    assert paid <= 5.5


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    real = time.time
    jumps = iter([0, 3600, -3600] * 1000)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    logical, own, _, _ = tick(tmp_path / "runs.db", 0.5)
    assert 0.5 <= logical <= 0.8 and own < 3


def search(journal, limit, **more):
    process = Search()
    result = ds.run(
        process,
        rules=[ds.stop(ds.when.spent(evaluations=limit)), ds.restart(ds.when.failed())],
        journal=journal,
        seed=0,
        **more,
    )
    return result


def test_a_budget_belongs_to_the_run_and_a_finished_run_is_finished(tmp_path):
    journal = tmp_path / "runs.db"
    first = search(journal, 40)
    assert (first.steps, len(first.attempts), first.cost["evaluations"], first.value) == (6, 2, 42.0, -1.5)
    assert (first.best.attempt, first.best.step) == (1, 2)
    again = search(journal, 40)
    assert again.to_dict() == first.to_dict()
    assert len(ds.Journal(journal).rows("attempts")) == 2


def test_a_moved_limit_of_an_ended_run_is_refused_with_both_values_or_extended(tmp_path):
    journal = tmp_path / "runs.db"
    search(journal, 40)
    with pytest.raises(ds.ChangedError, match="(?s)40.*60.*extend=True"):
        search(journal, 60)
    more = search(journal, 60, extend=True)
    assert (more.steps, len(more.attempts), more.cost["evaluations"], more.value) == (9, 3, 63.0, -1.5)


def faulty(journal, fault, restart_when):
    return ds.run(
        Faulty(fault), rules=[ds.stop(ds.when.spent(attempts=2)), ds.restart(restart_when)], journal=journal, seed=0
    )


FAILURES = [ZeroDivisionError, MemoryError, AssertionError, StopIteration, TimeoutError]
LEAVING = [KeyboardInterrupt(), SystemExit(5), asyncio.CancelledError(), GeneratorExit()]
RULES = {"failed": lambda: ds.when.failed(), "not a ValueError": lambda: ds.when.failed() & ~ds.when.failed(ValueError)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fault", FAILURES)
def test_a_failure_is_answered_by_the_rules(tmp_path, fault, rule):
    result = faulty(tmp_path / "runs.db", fault("x"), RULES[rule]())
    assert "spent(attempts=2)" in result.rule and len(result.attempts) == 2 and result.steps == 4
    rows = ds.Journal(tmp_path / "runs.db").rows("attempts")
    assert [row["state"] for row in rows] == ["failed", "failed"]
    assert all(fault.__name__ in row["failure"]["traceback"] for row in rows)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fault", LEAVING, ids=lambda fault: type(fault).__name__)
def test_leaving_is_not_failing(tmp_path, fault, rule):
    with pytest.raises(type(fault)) as caught:
        faulty(tmp_path / "runs.db", fault, RULES[rule]())
    assert caught.value is fault
    journal = ds.Journal(tmp_path / "runs.db")
    assert [row["state"] for row in journal.rows("attempts")] == ["interrupted"]
    assert not journal.rows("decisions") and len(journal.rows("steps")) == 2


def leaving_function(fault, calls):
    def train(attempt):
        calls.append(attempt.number)
        for step, item in attempt.over(range(5)):
            if item == 2:
                raise fault
            step.report(loss=1.0)

    return train


@pytest.mark.parametrize("fault", LEAVING, ids=lambda fault: type(fault).__name__)
def test_leaving_a_function_is_not_failing(fault):
    calls = []
    with pytest.raises(type(fault)) as caught:
        ds.run(leaving_function(fault, calls), rules=[ds.restart(ds.when.failed())], seed=0)
    assert caught.value is fault and calls == [1]


@pytest.mark.parametrize("fault", LEAVING, ids=lambda fault: type(fault).__name__)
def test_leaving_the_inline_form_is_not_failing(fault):
    begun = []
    with pytest.raises(type(fault)) as caught:
        for attempt in ds.attempts(rules=[ds.restart(ds.when.failed())], seed=0):
            with attempt:
                begun.append(attempt.number)
                raise fault
    assert caught.value is fault and begun == [1]


@pytest.mark.parametrize("fault", LEAVING[1:], ids=lambda fault: type(fault).__name__)
def test_leaving_on_an_event_loop_is_not_failing(fault):
    class Slow(Faulty):
        async def step(self):
            return super().step()

    async def main():
        try:
            await ds.arun(Slow(fault), rules=[ds.restart(ds.when.failed())], seed=0)
        except BaseException as error:
            return error
        return None

    assert asyncio.run(main()) is fault


def test_a_failure_that_no_rule_speaks_for_leaves_as_it_is():
    fault = ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError) as caught:
        ds.run(Faulty(fault), rules=[ds.stop(ds.when.spent(steps=100))], seed=0)
    assert caught.value is fault


def test_after_an_interruption_the_same_command_resumes_the_same_attempt(tmp_path):
    class Twice(Faulty):
        told = []

        def step(self):
            self.i += 1
            if self.i == 3 and not self.told:
                self.told.append(True)
                raise KeyboardInterrupt
            return ds.Report(metrics={"loss": 1.0}, status="succeeded" if self.i == 6 else "running")

    def go():
        return ds.run(Twice(None), journal=tmp_path / "runs.db", seed=0)

    with pytest.raises(KeyboardInterrupt):
        go()
    result = go()
    assert result.step == 6 and len(result.attempts) == 1
    assert [row["step"] for row in ds.Journal(tmp_path / "runs.db").rows("steps")] == [1, 2, 3, 4, 5, 6]


def test_after_a_failure_the_same_command_begins_a_new_attempt_from_the_newest_snapshot(tmp_path):
    class Once(Faulty):
        told = []

        def step(self):
            self.i += 1
            if self.i == 7 and not self.told:
                self.told.append(True)
                raise ZeroDivisionError("once")
            return ds.Report(metrics={"loss": 1.0}, status="succeeded" if self.i == 9 else "running")

    def go():
        return ds.run(Once(None), journal=tmp_path / "runs.db", checkpoint=ds.checkpoint.Every(steps=5), seed=0)

    with pytest.raises(ZeroDivisionError):
        go()
    (row,) = ds.Journal(tmp_path / "runs.db").rows("runs")
    assert row["state"] == "failed" and "once" in row["traceback"]
    result = go()
    assert result.step == 9
    rows = ds.Journal(tmp_path / "runs.db").rows("attempts")
    assert [row["state"] for row in rows] == ["failed", "succeeded"]
    steps = [(row["attempt"], row["step"]) for row in ds.Journal(tmp_path / "runs.db").rows("steps")]
    assert steps == [(1, step) for step in range(1, 7)] + [(2, step) for step in range(6, 10)]


def failing_once(folder, *listeners):
    """Raises at its seventh step in the first program only."""

    class Once(Faulty):
        def step(self):
            self.i += 1
            if self.i == 7 and not (folder / "raised").exists():
                (folder / "raised").touch()
                raise ZeroDivisionError("once")
            return ds.Report(metrics={"loss": 1.0}, status="succeeded" if self.i == 9 else "running")

    result = ds.run(
        Once(None),
        journal=folder / "runs.db",
        checkpoint=ds.checkpoint.Every(steps=5),
        seed=0,
        listeners=listeners,
    )
    return result.step, [attempt.state for attempt in result.attempts]


class KillAtStop:
    """Kills when the end of the run is decided and not yet written."""

    def __call__(self, event):
        if type(event).__name__ == "DecisionTaken" and event.verb == "stop":
            os.kill(os.getpid(), signal.SIGKILL)


def test_killed_between_a_failure_and_the_end_of_its_run_the_same_command_goes_on(tmp_path, elsewhere):
    assert elsewhere(failing_once, tmp_path, KillAtStop()) is None
    assert elsewhere(failing_once, tmp_path) == (9, ["failed", "succeeded"])
