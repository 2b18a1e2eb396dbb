"""Reports and states that cannot be: refused by name, as a failure of the attempt or before the first step."""

from __future__ import annotations

import math
import random
import threading

import pytest

import dalsegno as ds

NAN = math.nan


class Bad(ds.Process):
    """Gives ``answer(n)`` at its n-th step."""

    def __init__(self, answer, state=None):
        self.answer, self.extra = answer, state or {}

    def reset(self, *, seed, origin=None):
        self.n = 0

    def step(self):
        self.n += 1
        return self.answer(self.n)

    def state_dict(self):
        return {"n": self.n, **self.extra}

    def load_state_dict(self, state):
        self.n = int(state["n"])


def third(bad):
    return lambda n: bad if n == 3 else ds.Report({"loss": 1.0})


REPORTS = [
    (ds.Report({"loss": "0.5"}), "metric 'loss' is '0.5': expected a number"),
    (ds.Report({"loss": None}), "metric 'loss' is None"),
    (ds.Report({"loss": [1.0, 2.0]}), "metric 'loss' is a list"),
    (ds.Report({"loss": 1j}), "metric 'loss' is 1j"),
    (ds.Report(cost={"tokens": -1}), "cost 'tokens' is -1.0: expected a finite number of at least 0"),
    (ds.Report(cost={"tokens": NAN}), "cost 'tokens' is nan"),
    (ds.Report(cost={"tokens": math.inf}), "cost 'tokens' is inf"),
    (ds.Report(cost={"tokens": "many"}), "cost 'tokens' is 'many'"),
    (ds.Report(cost={"seconds": 1.0}), "cost 'seconds' is counted by the engine itself"),
    (ds.Report(value="good"), "value 'value' is 'good'"),
    (None, "the step returned a NoneType: expected ds.Report"),
    ({"loss": 1.0}, "the step returned a dict: expected ds.Report"),
    (1.0, "the step returned a float: expected ds.Report"),
]


@pytest.mark.parametrize(("bad", "words"), REPORTS, ids=[words[:32] for _, words in REPORTS])
def test_what_is_no_report_is_refused_by_name_and_its_step_is_not_counted(tmp_path, bad, words):
    with pytest.raises(ds.ReportError) as caught:
        ds.run(Bad(third(bad)), journal=tmp_path / "runs.db", seed=0)
    assert words in str(caught.value)
    journal = ds.Journal(tmp_path / "runs.db")
    assert [row["step"] for row in journal.rows("steps")] == [1, 2]
    (attempt,) = journal.rows("attempts")
    assert attempt["state"] == "failed" and attempt["steps"] == 2 and words in attempt["failure"]["message"]


@pytest.mark.parametrize(("bad", "words"), REPORTS, ids=[words[:32] for _, words in REPORTS])
def test_a_bad_report_can_be_answered_by_a_rule(bad, words):
    rules = [ds.stop(ds.when.spent(attempts=2)), ds.restart(ds.when.failed(ds.ReportError))]
    result = ds.run(Bad(third(bad)), rules=rules, seed=0)
    assert [one.state for one in result.attempts] == ["failed", "failed"] and result.steps == 4
    assert all(math.isfinite(amount) and amount >= 0 for amount in result.cost.values())


@pytest.mark.parametrize("cost", [{"tokens": -3.0}, {"tokens": NAN}])
def test_a_bad_cost_in_a_function_is_refused_where_it_is_reported(cost):
    def train(attempt):
        for step, _ in attempt.over(range(5)):
            step.report(cost=cost)

    with pytest.raises(ds.ReportError, match="cost 'tokens' is"):
        ds.run(train, seed=0)


class Holder:
    """No state_dict, not a plain value: nothing can be saved of it."""


UNSAVABLE = [
    ({"deep": [1, {"it": Holder()}]}, "deep", "Holder"),
    ({"lock": threading.Lock()}, "lock", "lock"),
]


@pytest.mark.parametrize(("extra", "path", "kind"), UNSAVABLE)
def test_an_unsavable_state_is_refused_by_its_path_before_the_first_step(tmp_path, extra, path, kind):
    process = Bad(lambda n: ds.Report(status="succeeded"), extra)
    with pytest.raises(ds.UnsavableError, match=rf"(?s){path}.*{kind}") as caught:
        ds.run(process, rules=[ds.restart(ds.when.failed())], journal=tmp_path / "runs.db", seed=0)
    assert process.n == 0 and "\n" not in str(caught.value)
    journal = ds.Journal(tmp_path / "runs.db")
    assert journal.rows("steps") == [] and journal.rows("snapshots") == []
    assert [row["state"] for row in journal.rows("attempts")] == ["interrupted"]


@pytest.mark.parametrize("piece", [Holder(), 3.0, "text"])
def test_an_unsavable_piece_of_a_function_is_refused_by_its_name(tmp_path, piece):
    seen = []

    def train(attempt):
        attempt.keep(piece=piece)
        for _, item in attempt.over(range(3)):
            seen.append(item)

    with pytest.raises(ds.UnsavableError, match="piece"):
        ds.run(train, rules=[ds.restart(ds.when.failed())], journal=tmp_path / "runs.db", seed=0)
    assert seen == []


class Drifting(ds.Process):
    """Its figures from step 8 on depend on a generator that nobody seeds or saves."""

    def reset(self, *, seed, origin=None):
        self.n, self.own = 0, random.SystemRandom()

    def step(self):
        self.n += 1
        drawn = self.own.random() if self.n >= 8 else 0.25
        return ds.Report({"loss": drawn, "steady": 1.0}, status="succeeded" if self.n == 15 else "running")

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = int(state["n"])


class Leave:
    every_step = True

    def __call__(self, event):
        if type(event).__name__ == "StepTaken" and event.step == 11:
            raise KeyboardInterrupt


def drift(journal, *listeners):
    return ds.run(Drifting(), checkpoint=ds.checkpoint.Every(steps=6), journal=journal, seed=0, listeners=listeners)


def test_a_process_that_is_not_deterministic_is_said_with_step_metric_and_both_figures(tmp_path):
    journal = tmp_path / "runs.db"
    with pytest.raises(KeyboardInterrupt):
        drift(journal, Leave())
    then = {row["step"]: row["loss"] for row in ds.Journal(journal).rows("steps")}
    assert max(then) >= 10
    with pytest.warns(ds.EngineWarning) as caught:
        result = drift(journal)
    (said,) = [str(warning.message) for warning in caught if "not the same" in str(warning.message)]
    now = {row["step"]: row["loss"] for row in ds.Journal(journal).rows("steps")}
    assert "step 8 " in said and "'loss'" in said and repr(then[8]) in said and repr(now[8]) in said
    assert result.verdict == "approximate" and said in result.warnings
    assert sorted(now) == list(range(1, 16)) and now[8] != then[8] and now[7] == then[7]
    rows = ds.Journal(journal).rows("steps", all=True)
    abandoned = [(row["step"], row["loss"]) for row in rows if row["abandoned"]]
    assert abandoned == [(step, then[step]) for step in sorted(then) if step >= 8]
    assert ds.Journal(journal).rows("runs")[0]["verdict"] == "approximate"
