"""Rolling back: changes add up, and going back does not go round in circles (cases 6, 7), and their kinds."""

from __future__ import annotations

import warnings

import pytest
from tests.cases.processes import BadRecord, KillAfter, Spiky, halve, skip_record

import dalsegno as ds


def spiky(journal, *listeners):
    process = Spiky()
    result = ds.run(
        process,
        rules=[ds.stop(ds.when.succeeded()), ds.roll_back(ds.when.above("loss", 5.0), then=halve)],
        checkpoint=ds.checkpoint.Every(steps=10),
        journal=journal,
        seed=0,
        listeners=listeners,
    )
    return result.succeeded, result.step, result.steps, process.lr


def test_rolling_back_twice_to_one_snapshot_keeps_both_changes(tmp_path):
    assert spiky(tmp_path / "runs.db") == (True, 30, 45, 0.1)
    decisions = [row for row in ds.Journal(tmp_path / "runs.db").rows("decisions") if row["verb"] == "roll back"]
    assert [row["action"]["target_step"] for row in decisions] == [10, 10, 10]
    assert all(row["saw"][1]["saw"]["value"] == 9.0 and row["action"]["changes"] for row in decisions)


@pytest.mark.parametrize("step", [1, 10, 14, 15, 16, 20, 29])
def test_killed_at_any_step_the_change_is_applied_once_for_each_roll_back(tmp_path, elsewhere, step):
    journal = tmp_path / "runs.db"
    assert elsewhere(spiky, journal, KillAfter(step=step)) is None
    assert elsewhere(spiky, journal) == (True, 30, 45, 0.1)


class KillAtDecision:
    """Kills between the decision and its carrying out."""

    def __init__(self, nth):
        self.nth = nth

    def __call__(self, event):
        if type(event).__name__ == "DecisionTaken" and event.verb == "roll back" and not event.replayed:
            self.nth -= 1
            if self.nth == 0:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_killed_between_the_decision_and_the_restore(tmp_path, elsewhere, nth):
    journal = tmp_path / "runs.db"
    assert elsewhere(spiky, journal, KillAtDecision(nth)) is None
    assert elsewhere(spiky, journal) == (True, 30, 45, 0.1)


def bad_record(change, **more):
    process = BadRecord()
    result = ds.run(
        process,
        rules=[ds.stop(ds.when.succeeded()), ds.roll_back(ds.when.not_finite("loss"), then=change)],
        checkpoint=ds.checkpoint.Every(steps=5),
        seed=0,
        **more,
    )
    return process, result


def test_going_back_without_a_change_ends_at_the_limit():
    seen = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, result = bad_record(None, listeners=[lambda event: seen.append(event)])
    assert result.steps == 18 and not result.succeeded and result.exit_code == 3
    for word in ("not_finite('loss')", "limit=3", "step 12", "step 10"):
        assert word in result.reason
    said = [str(warning.message) for warning in caught]
    assert len(said) == 1 and "without a change" in said[0]
    assert not [
        event for event in seen if type(event).__name__ == "SnapshotSaved" and event.step == 12 and event.kind != "end"
    ]


def test_going_back_with_a_change_goes_past_the_fault():
    process, result = bad_record(skip_record)
    assert result.succeeded and result.steps == 22 and process.record == 21


def bad_to_the_end(journal, *listeners):
    return bad_record(None, journal=journal, listeners=listeners)[1].steps


def test_the_limit_counts_roll_backs_of_the_run_not_of_the_program(tmp_path, elsewhere):
    journal = tmp_path / "runs.db"
    for nth in (1, 1):
        assert elsewhere(bad_to_the_end, journal, KillAtDecision(nth)) is None
    assert elsewhere(bad_to_the_end, journal) == 18


def test_adaptations_since_the_snapshot_are_made_again_after_a_return():
    class Tuned(Spiky):
        def step(self):
            report = super().step()
            report.metrics["lr"] = self.lr
            return report

    process = Tuned()

    def lower(one):
        one.lr -= 0.25

    rules = [
        ds.stop(ds.when.succeeded()),
        ds.adapt(ds.when.above("lr", 0.7) & (lambda trace: trace.attempt.steps == 12), lower),
        ds.roll_back(ds.when.above("loss", 5.0), then=halve),
    ]
    ds.run(process, rules=rules, checkpoint=ds.checkpoint.Every(steps=10), seed=0)
    assert process.lr == (0.8 - 0.25) / 4


def test_escalation_is_taken_at_the_limit():
    rules = [
        ds.stop(ds.when.succeeded()),
        ds.roll_back(ds.when.not_finite("loss"), limit=1, escalate=ds.adapt(lambda trace: True, skip_record)),
        ds.stop(ds.when.spent(steps=60)),
    ]
    process = BadRecord()
    result = ds.run(process, rules=rules, checkpoint=ds.checkpoint.Every(steps=5), seed=0)
    assert result.succeeded and process.pos == 20
