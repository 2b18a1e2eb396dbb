"""The rule as a policy of a run: features from reports, restarts, resuming, and what a step costs."""

from __future__ import annotations

import time
from math import log
from typing import Any

import numpy as np
import pytest

import dalsegno as ds
from dalsegno.core.actions import Restart
from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.core.trace import Trace
from dalsegno.policies import Luby
from dalsegno.policies.preemption import PreemptiveRestart


class Training(ds.Process):
    """A success ends after about 20 steps, a failure after 60; the loss hints at which from the third on."""

    def reset(self, *, seed: int, origin: Any = None) -> None:
        self.random = np.random.default_rng(seed)
        self.succeeds = bool(self.random.random() < 0.5)
        self.position, self.end = 0, int((20 if self.succeeds else 60) * self.random.uniform(0.7, 1.3))

    def step(self) -> Report:
        self.position += 1
        loss = float(np.exp(self.random.normal(0.0 if self.succeeds else 1.0, 0.5)))
        ended = "succeeded" if self.succeeds else "failed"
        return Report({"loss": loss}, status=ended if self.position == self.end else "running")

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def a_policy(**settings: Any) -> PreemptiveRestart:
    given = {"observe_attempts": 60, "reevaluate": 30, "repeats": 1, "resamples": 200, "window": 3}
    return PreemptiveRestart((4, 8), **{**given, "metrics": ("loss",), "transform": log, **settings})


def drive(machine: Machine, attempts: int, begin: int = 1, restored: int = 0) -> list[tuple[str, int]]:
    """How each attempt ended, and after how many steps; every attempt is followed by another."""
    process, ends = Training(), []
    for number in range(begin, begin + attempts):
        process.reset(seed=number)
        machine.start(number, Origin())
        while True:
            report = process.step()
            decision = machine.advance(report, 0.0)
            if decision is not None:
                machine.commit(decision)
                ends.append((decision.verb if report.status == "running" else report.status, process.position))
                break
    return ends


def test_it_observes_and_then_cuts_attempts_at_its_checkpoints() -> None:
    ends = drive(Machine([a_policy()]), 200)
    cut = {steps for verb, steps in ends if verb == "restart"}
    assert not any(verb == "restart" for verb, _ in ends[:60]) and cut and cut <= {4, 8}


def test_most_failures_are_cut_and_most_successes_are_not() -> None:
    ends = drive(Machine([a_policy()]), 400)[100:]
    process, kinds = Training(), []
    for number in range(101, 401):
        process.reset(seed=number)
        kinds.append(process.succeeds)
    cut = np.array([verb == "restart" for verb, _ in ends])
    assert cut[~np.array(kinds)].mean() > 0.6 > 0.2 > cut[np.array(kinds)].mean()


def test_a_machine_that_is_saved_and_loaded_decides_as_one_that_is_not() -> None:
    whole = drive(Machine([a_policy()]), 160)
    first, second = Machine([a_policy()]), Machine([a_policy()])
    begun = drive(first, 95)
    from dalsegno.core.store.codec import dumps, loads

    second.load(loads(dumps(first.state())), seed=0, origin=Origin())
    assert begun + drive(second, 65, begin=96) == whole


def test_saved_in_the_middle_of_an_attempt_it_goes_on_with_what_it_has_seen() -> None:
    policy, trace = a_policy(), Trace()
    trace.attempt.number = 1
    for step in (1, 2):
        trace.attempt.steps, trace.metrics = step, {"loss": 2.0 * step}
        policy.observe(trace)
    again = a_policy()
    again.load_state_dict(policy.state_dict())
    for step in (3, 4):
        trace.attempt.steps, trace.metrics = step, {"loss": 2.0 * step}
        again.observe(trace)
    assert again.current is not None and again.current.signals[0] == (log(4), log(6), log(8))


def test_a_roll_back_takes_back_what_was_seen_after_it() -> None:
    policy, trace = a_policy(window=2), Trace()
    trace.attempt.number = 1
    for step in (1, 2, 3, 4, 2, 3, 4):
        trace.attempt.steps, trace.metrics = step, {"loss": 1.0 if step < 3 else 5.0 + step}
        policy.observe(trace)
    assert policy.current is not None
    assert policy.current.signals[0] == (log(8), log(9)) and policy.current.next == 1


def test_an_attempt_that_another_rule_cuts_is_not_booked() -> None:
    machine = Machine([Luby(3), a_policy()])
    drive(machine, 10)
    assert machine.bound[1].policy.report().attempts < 10


def test_a_report_without_the_metric_is_passed_over() -> None:
    policy, trace = a_policy(window=2), Trace()
    trace.attempt.number = 1
    for step in range(1, 5):
        trace.attempt.steps, trace.metrics = step, {"loss": float(step)} if step % 2 else {}
        policy.observe(trace)
    assert policy.current is not None and policy.current.signals[0] == (log(1), log(3))


def test_where_the_transform_has_no_value_the_feature_is_nan() -> None:
    assert np.isnan(a_policy().features({"loss": 0.0})[0])


def test_seconds_and_costs_are_counted_as_well() -> None:
    policy, trace = PreemptiveRestart([1.0], of="tokens"), Trace()
    trace.attempt.number, trace.attempt.cost = 1, {"tokens": 7.0}
    policy.observe(trace)
    assert policy.current is not None and policy.current.times == [7.0]


def test_it_restarts_from_scratch_and_says_what_it_saw() -> None:
    machine, process = Machine([a_policy()]), Training()
    drive(machine, 100)
    for number in range(101, 140):
        process.reset(seed=number)
        machine.start(number, Origin())
        decision = None
        while decision is None:
            decision = machine.advance(process.step(), 0.0)
        machine.commit(decision)
        if decision.verb == "restart":
            break
    seen = decision.saw[0]["saw"]
    assert decision.action == Restart() and seen["score"] < seen["threshold"] and seen["checkpoint"] in (4, 8)


def test_it_reads_like_its_constructor_call() -> None:
    assert str(PreemptiveRestart((4.0,), explore=0.2, window=3)) == "PreemptiveRestart((4.0,), explore=0.2, window=3)"


def test_a_run_with_a_journal_goes_on_where_it_was(tmp_path: Any) -> None:
    def rules() -> list[Any]:
        again = ds.restart(lambda trace: trace.attempt.status != "running", name="again")
        return [ds.stop(ds.when.spent(attempts=90), name="enough"), a_policy(observe_attempts=40, reevaluate=20), again]

    def ends(result: Any) -> list[tuple[str, int]]:
        return [(one.state, one.steps) for one in result.attempts]

    whole = ds.run(Training, rules=rules(), seed=3)
    schedule = ds.checkpoint.Every(steps=50)
    calls = {"left": 1500}
    original = Training.step

    def step(self: Training) -> Report:
        calls["left"] -= 1
        if calls["left"] == 0:
            raise KeyboardInterrupt
        return original(self)

    Training.step = step  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            ds.run(Training, rules=rules(), checkpoint=schedule, journal=tmp_path / "runs.db", seed=3)
        resumed = ds.run(Training, rules=rules(), checkpoint=schedule, journal=tmp_path / "runs.db", seed=3)
    finally:
        Training.step = original  # type: ignore[method-assign]
    assert ends(resumed) == ends(whole) and any(state == "cut" for state, _ in ends(whole)[40:-1])


def seconds_a_step(policy: Any, steps: int = 20_000) -> float:
    trace = Trace()
    trace.attempt.number, trace.metrics = 1, {"loss": 1.0}
    begun = time.process_time()
    for step in range(1, steps):
        trace.attempt.steps = step
        policy.observe(trace)
        policy.decide(trace)
    return (time.process_time() - begun) / steps


def test_a_step_costs_a_few_of_a_fixed_cutoffs() -> None:
    class Cut:
        def __init__(self) -> None:
            self.policy = Luby(1e9)

        def observe(self, trace: Trace) -> None:
            pass

        def decide(self, trace: Trace) -> Any:
            return self.policy.decide(trace)

    ratios = [seconds_a_step(a_policy()) / seconds_a_step(Cut()) for _ in range(5)]
    assert min(ratios) < 12, ratios  # seen: about 5; it looks at a metric, takes a logarithm and keeps it


def test_metrics_that_are_never_reported_leave_the_cutoff() -> None:
    machine = Machine([a_policy(metrics=("absent",))])
    drive(machine, 70)
    assert machine.bound[0].policy.learner.log.features == 0


def test_an_unsound_checkpoint_stops_the_run_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="longest attempt"):
        drive(Machine([PreemptiveRestart((4, 5000), metrics=("loss",), observe_attempts=60)]), 61)
