"""Rules of the run over parallel attempts: step by step, with figures, waits and origins, the same as over one."""

from __future__ import annotations

import time
from collections import Counter

import pytest

import dalsegno as ds


class Falling(ds.Process):
    """A loss that falls by one a step; succeeds or fails at its last step."""

    def __init__(self, steps=1000, end="succeeded", delay=0.0):
        self.steps, self.end, self.delay = steps, end, delay

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        self.i += 1
        time.sleep(self.delay)
        status = self.end if self.i == self.steps else "running"
        return ds.Report({"loss": 100.0 - self.i}, {"tokens": 1.0}, status, value=float(self.i % 7))

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


class Sober:
    """A policy of the run without a state: stops once so many steps have been taken in all."""

    def decide(self, trace):
        return ds.Stop("enough") if trace.steps >= 30 else None


EXECUTORS = pytest.mark.parametrize("executor", [None, "here", "local"])


@EXECUTORS
@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        (ds.stop(ds.when.spent(steps=10)), 10),
        (ds.stop(ds.when.spent(tokens=12)), 12),
        (ds.stop(ds.when.spent(steps=10) & ds.when.below("loss", 70.0)), 31),
        (ds.stop(ds.when.spent(steps=10) & ds.when.stalled("loss", patience=2, mode="max")), 10),
        (Sober(), 30),
    ],
)
def test_a_rule_of_the_run_stops_at_the_step_at_which_it_is_true(executor, rule, steps):
    result = ds.run(Falling(), rules=[rule], seed=0, executor=executor)
    assert result.steps == steps


def test_steps_beyond_the_cut_are_not_in_the_journal(tmp_path):
    ds.run(Falling(), rules=[ds.stop(ds.when.spent(steps=10))], seed=0, executor="local", journal=tmp_path / "runs.db")
    assert [row["step"] for row in ds.Journal(tmp_path / "runs.db").rows("steps")] == list(range(1, 11))


@EXECUTORS
def test_an_attempt_that_was_cut_keeps_its_best_and_its_figures(executor):
    result = ds.run(Falling(), rules=[ds.stop(ds.when.spent(steps=10))], seed=0, executor=executor)
    (cut,) = result.attempts
    assert (cut.state, cut.best.step, cut.value, cut.metrics) == ("cut", 6, 6.0, {"loss": 90.0})
    assert result.best.value == 6.0


@EXECUTORS
def test_the_wait_before_a_restart_is_waited(executor):
    begun = time.monotonic()
    rules = [ds.stop(ds.when.spent(attempts=2)), ds.restart(ds.when.failed(), wait=0.4)]
    ds.run(Falling(3, "failed"), rules=rules, seed=0, executor=executor)
    assert time.monotonic() - begun >= 0.4


def test_a_restart_may_begin_from_another_attempts_snapshot(tmp_path):
    rules = [
        ds.stop(ds.when.spent(attempts=3)),
        ds.restart(ds.when.failed(), origin=ds.Origin.prefix(attempt=1, step=5)),
    ]
    result = ds.run(
        Falling(20, "failed"),
        rules=rules,
        seed=0,
        executor="local",
        parallel=2,
        checkpoint=ds.checkpoint.Every(steps=5, keep=ds.checkpoint.Keep(last=9)),
        journal=tmp_path / "runs.db",
    )
    assert [(one.number, one.steps) for one in result.attempts] == [(1, 20), (2, 20), (3, 15)]


def test_without_a_journal_such_a_restart_is_refused():
    rule = ds.restart(ds.when.failed(), origin=ds.Origin.at("best"))
    with pytest.raises(
        ds.UsageError, match="without a journal each of parallel attempts keeps its snapshots to itself"
    ):
        ds.run(Falling(3, "failed"), rules=[rule], seed=0, parallel=2)


def test_a_policy_of_the_run_cannot_change_an_attempt_elsewhere():
    class Adapting:
        changes = {"nothing": lambda process: None}

        def decide(self, trace):
            return ds.Adapt(self.changes["nothing"])

    with pytest.raises(ds.UsageError, match="give it scope = 'attempt'"):
        ds.run(Falling(), rules=[Adapting()], seed=0, parallel=2)


def test_listeners_hear_of_every_step_snapshot_and_end(tmp_path):
    heard = Counter()

    def listen(event):
        heard[type(event).__name__] += 1

    listen.every_step = True
    ds.run(
        Falling(20, "failed"),
        rules=[],
        seed=0,
        parallel=2,
        checkpoint=ds.checkpoint.Every(steps=10),
        journal=tmp_path / "runs.db",
        listeners=[listen],
    )
    assert (heard["StepTaken"], heard["AttemptStarted"], heard["AttemptEnded"]) == (40, 2, 2)
    assert heard["SnapshotSaved"] >= 4


@pytest.mark.parametrize("rules", [[0, 1], [1, 0]])
@EXECUTORS
def test_a_budget_of_attempts_ends_the_run_by_its_rule(executor, rules):
    both = [ds.stop(ds.when.spent(attempts=2)), ds.restart(ds.when.failed())]
    result = ds.run(Falling(3, "failed"), rules=[both[place] for place in rules], seed=0, executor=executor)
    assert (result.rule, len(result.attempts)) == ("stop when spent(attempts=2)", 2)


def test_an_attempt_that_had_no_row_yet_is_begun_though_a_later_one_had():
    from types import SimpleNamespace

    from dalsegno.core.loops.portfolio_taking_up import begin_what_is_owed

    driver = SimpleNamespace(parallel=3, most=float("inf"), trace=SimpleNamespace(begun=2), starts=[])
    begin_what_is_owed(driver, [{"number": 2}], [{"action": {"origin": {"kind": "scratch"}, "target": None}}])
    assert ([start.number for start in driver.starts], driver.trace.begun) == ([1, 3, 4], 4)
