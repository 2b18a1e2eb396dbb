"""What a plan's rules ask of its process is held against it before any work."""

from __future__ import annotations

import pytest

import dalsegno as ds


class Idle(ds.Process):
    def reset(self, *, seed, origin=None):
        self.steps = 0

    def step(self):
        self.steps += 1
        return ds.Report({"loss": 1.0})

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


def loop(attempt):
    for step, _ in attempt.over(range(3)):
        step.report(loss=1.0)


FIRES = ds.when.every(steps=1)


@pytest.mark.parametrize(
    ("process", "rule", "said"),
    [
        (Idle, ds.adapt(FIRES, "anneal"), "Idle has no method 'anneal'"),
        (Idle(), ds.roll_back(FIRES, then="anneal"), "Idle has no method 'anneal'"),
        (Idle(), ds.roll_back(FIRES, skip=2), r"Idle has no method 'skip'.*skip\(start, stop\)"),
        (Idle(), ds.roll_back(FIRES, escalate=ds.Adapt("anneal")), "Idle has no method 'anneal'"),
        (loop, ds.adapt(FIRES, "anneal"), "give a function of attempt.kept"),
    ],
)
def test_a_change_that_the_process_cannot_make_is_refused_before_any_work(process, rule, said):
    with pytest.raises(ds.UsageError, match=said):
        ds.run(process, rules=[rule, ds.stop(ds.when.spent(steps=3))], seed=0)


@pytest.mark.parametrize(
    ("rules", "checkpoint"),
    [
        ([], ds.checkpoint.Every(steps=1, keep=ds.checkpoint.Keep(best="loss", mode="max"))),
        ([ds.roll_back(FIRES, to=ds.Target("best", metric="loss", mode="max"))], None),
        ([ds.stop(FIRES, restore=ds.Target("best", metric="loss", mode="max"))], None),
        ([ds.roll_back(FIRES, to=ds.Target("good", metric="loss", mode="max", limit=1.0))], None),
    ],
)
def test_one_metric_has_one_mode_in_rules_targets_and_retention(rules, checkpoint):
    with pytest.raises(ds.UsageError, match="'loss' has two modes"):
        ds.run(Idle(), rules=[ds.stop(ds.when.stalled("loss", patience=2)), *rules], checkpoint=checkpoint, seed=0)


@pytest.mark.parametrize("escalate", ["stop", 5, ds.RollBack(), ds.Continue()])
def test_an_escalation_is_an_action_that_ends_the_circle(escalate):
    with pytest.raises(ds.UsageError, match="escalate="):
        ds.roll_back(FIRES, escalate=escalate)
