"""LearnedCutoff as a rule of runs: the same as by hand, kills do not change it, and what it costs a step."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dalsegno as ds
from dalsegno.core.actions import Restart
from dalsegno.core.errors import JournalError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.core.trace import Trace
from dalsegno.policies.learned import LearnedCutoff
from dalsegno.policies.run_log import RunLog

# -- in a run ---------------------------------------------------------------------------------------------


def test_a_run_asks_as_it_does_by_hand() -> None:
    machine, by_hand = Machine([LearnedCutoff(4)]), LearnedCutoff(4)
    rng = np.random.default_rng(0)
    for needed in np.maximum(rng.lognormal(1.0, 1.5, 200).astype(int), 1):
        cutoff = by_hand.next_cutoff()
        machine.start(0, Origin())
        decision, steps = None, 0
        while decision is None:
            steps += 1
            decision = machine.advance(Report(status="succeeded" if steps == needed else "running"), 0.0)
        assert (steps, decision.verb) == ((needed, "stop") if needed <= cutoff else (np.ceil(cutoff), "restart"))
        machine.commit(decision)
        by_hand.observe(float(steps), bool(needed <= cutoff))


def test_an_attempt_keeps_the_cutoff_that_it_began_with() -> None:
    policy = LearnedCutoff(4)
    trace = Trace()
    trace.attempt.number = 1
    policy.observe(trace)
    for _ in range(12):
        policy.observe(1.0, True)
    assert policy.next_cutoff() == 2.0 and policy.saw(trace)["cutoff"] == 4.0


def test_seconds_and_costs_are_units_too() -> None:
    machine = Machine([LearnedCutoff(30, of="tokens")])
    machine.start(0, Origin())
    assert machine.advance(Report(cost={"tokens": 20.0}), 0.0) is None
    assert machine.advance(Report(cost={"tokens": 20.0}), 0.0).action == Restart()


@pytest.mark.parametrize("kills", [(40,), (7, 90, 33), tuple(range(20, 60, 3))])
def test_a_run_killed_and_resumed_takes_the_same_decisions(
    tmp_path: Path, search: Any, decisions: Callable[[Path], list[Any]], kills: tuple[int, ...]
) -> None:
    whole = search(tmp_path / "whole.db", LearnedCutoff(3))
    for kill_after in kills:
        search(tmp_path / "killed.db", LearnedCutoff(3), kill_after=kill_after)
    resumed = search(tmp_path / "killed.db", LearnedCutoff(3))
    assert resumed.verdict == "exact" and resumed.steps == whole.steps
    assert decisions(tmp_path / "killed.db") == decisions(tmp_path / "whole.db")
    assert decisions(tmp_path / "whole.db")[-1][3][2]["saw"]["learned"] is not None  # it had begun to learn


def test_its_state_does_not_grow_with_the_attempts(tmp_path: Path) -> None:
    def size_after(attempts: int) -> int:
        machine = Machine([LearnedCutoff(4)])
        for _ in range(attempts):
            machine.start(0, Origin())
            machine.commit(machine.advance(Report(status="succeeded"), 0.0))
        return len(str(machine.state()["rules"]))

    assert size_after(400) <= size_after(20) + 40  # digits of counters


def test_a_loaded_policy_goes_on_as_the_saved_one() -> None:
    rng = np.random.default_rng(3)
    one = LearnedCutoff(2, of="seconds", past=RunLog("seconds", rng.lognormal(0, 2, 30), np.ones(30, bool)))
    for t in rng.lognormal(0, 2, 25):
        one.observe(float(t), bool(t < 2))
    other = LearnedCutoff(2, of="seconds", past=one.past)
    other.load_state_dict(one.state_dict())
    for t in rng.lognormal(0, 2, 25):
        assert one.next_cutoff() == other.next_cutoff()
        one.observe(float(t), bool(t < 2))
        other.observe(float(t), bool(t < 2))


def test_a_journal_teaches_the_next_run(tmp_path: Path, search: Any) -> None:
    search(tmp_path / "runs.db", LearnedCutoff(3), seed=1)
    policy = LearnedCutoff(3, past=tmp_path / "runs.db")
    assert policy.successes > 10 and policy.learned is not None


def test_a_resumed_run_has_the_past_that_it_began_with(
    tmp_path: Path, search: Any, decisions: Callable[[Path], list[Any]]
) -> None:
    for name in ("whole.db", "killed.db"):
        search(tmp_path / name, LearnedCutoff(3), seed=1)
    search(tmp_path / "whole.db", LearnedCutoff(3, past=str(tmp_path / "whole.db")), seed=2)
    search(tmp_path / "killed.db", LearnedCutoff(3, past=str(tmp_path / "killed.db")), seed=2, kill_after=60)
    search(tmp_path / "killed.db", LearnedCutoff(3), seed=3)  # another run, over before the killed one goes on
    search(tmp_path / "killed.db", LearnedCutoff(3, past=str(tmp_path / "killed.db")), seed=2)

    def of_the_second(name: str) -> list[Any]:
        journal = ds.Journal(tmp_path / name)
        run = next(row["id"] for row in journal.rows("runs") if row["seed"] == 2)
        rows = [row for row in journal.rows("decisions", run) if not row["superseded"]]
        return [(row["step"], row["saw"][2]["saw"]) for row in rows]

    assert of_the_second("killed.db") == of_the_second("whole.db")


def test_a_past_run_that_is_gone_is_not_passed_over(tmp_path: Path, search: Any) -> None:
    result = search(tmp_path / "runs.db", LearnedCutoff(3), seed=1)
    state = LearnedCutoff(3, past=tmp_path / "runs.db").state_dict()
    ds.Journal(tmp_path / "runs.db").delete(result.run)
    with pytest.raises(JournalError, match="gone"):
        LearnedCutoff(3, past=tmp_path / "runs.db").load_state_dict(state)


def test_a_decision_takes_at_most_5_microseconds_a_step() -> None:
    rng = np.random.default_rng(0)
    attempts = np.maximum(rng.lognormal(3.0, 1.0, 3000).astype(int), 1).tolist()

    def seconds_a_step() -> float:
        policy, trace, steps, spent = LearnedCutoff(2), Trace(), 0, 0.0
        machine = Machine([])
        machine.trace = trace
        for needed in attempts:
            machine.start(0, Origin())
            begun = time.process_time()
            policy.observe(trace)
            cut = False
            for step in range(1, needed + 1):
                trace.attempt.steps = step
                policy.observe(trace)
                if step < needed and policy.decide(trace) is not None:
                    cut = True
                    break
            spent += time.process_time() - begun
            steps += step
            if not cut:
                trace.attempt.status = "succeeded"
            machine.close_attempt()
        return spent / steps

    assert min(seconds_a_step() for _ in range(3)) < 5e-6
