"""Patience, absent metrics, values that are not finite (cases 1, 3, 4), and their kinds."""

from __future__ import annotations

import math
import warnings

import pytest
from tests.cases.processes import KillAfter, Scripted

import dalsegno as ds

LOSS = [2.0, 1.5, 1.375, 1.25, 1.125, 1.125, 1.0, 1.25, 1.0, 1.0, 1.0, 1.0]


def patience(journal, *listeners):
    result = ds.run(
        Scripted("loss", LOSS),
        rules=[ds.stop(ds.when.stalled("loss", patience=3, min_delta=0.25))],
        checkpoint=ds.checkpoint.Every(steps=2),
        journal=journal,
        seed=0,
        listeners=listeners,
    )
    return result.step, result.best.value, result.best.step, result.rule, result.steps


@pytest.mark.parametrize(
    "kills",
    [
        [],
        [KillAfter(step=7)],
        [KillAfter(snapshot=6)],
        [KillAfter(snapshot=6), KillAfter(step=7)],
        [KillAfter(step=7), KillAfter(step=7)],
        [KillAfter(step=step) for step in range(1, 8)],
    ],
    ids=["undisturbed", "after step 7", "after the snapshot of 6", "both", "twice", "at every step"],
)
def test_patience_goes_on_where_it_was(tmp_path, elsewhere, kills):
    journal = tmp_path / "runs.db"
    for kill in kills:
        assert elsewhere(patience, journal, kill) is None
    step, best, best_step, rule, taken = elsewhere(patience, journal)
    assert (step, best, best_step, taken) == (8, 1.125, 5, 8)
    assert "stalled" in rule
    (decision,) = ds.Journal(journal).rows("decisions")
    assert decision["saw"][0]["saw"]["best"] == 1.125


def scripted(name, values, rules):
    return ds.run(Scripted(name, values), rules=rules, seed=0)


SPARSE = [None] * 25
SPARSE[4], SPARSE[9], SPARSE[14], SPARSE[19], SPARSE[24] = 1.0, 0.90, 0.95, 0.92, 0.91


def test_patience_counts_reports_that_carry_the_metric():
    assert scripted("val_loss", SPARSE, [ds.stop(ds.when.stalled("val_loss", patience=3))]).step == 25


def test_a_condition_on_an_absent_metric_is_unknown_and_so_is_its_negation():
    rules = [ds.stop(~ds.when.below("val_loss", 2.0)), ds.stop(ds.when.elapsed(steps=20))]
    result = scripted("val_loss", SPARSE, rules)
    assert result.step == 20 and "elapsed" in result.rule


def test_unknown_or_true_is_true_and_unknown_and_false_is_false():
    absent = ds.when.above("missing", 1.0)
    with pytest.warns(ds.EngineWarning):
        assert (
            scripted(
                "x", [1.0] * 9, [ds.stop(absent | ds.when.elapsed(steps=3)), ds.stop(ds.when.elapsed(steps=5))]
            ).step
            == 3
        )
    with pytest.warns(ds.EngineWarning):
        assert (
            scripted("x", [1.0] * 9, [ds.stop(~(absent & ~ds.when.elapsed(steps=1)) & ds.when.elapsed(steps=4))]).step
            == 4
        )


def test_a_name_never_reported_is_warned_about_once_with_those_that_were():
    rules = [ds.stop(ds.when.stalled("val_los", patience=3)), ds.stop(ds.when.elapsed(steps=20))]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = scripted("val_loss", SPARSE, rules)
    (said,) = [str(warning.message) for warning in caught]
    assert result.step == 20
    assert "val_los'" in said and "val_loss" in said


nan, inf = math.nan, math.inf
A = [nan, 1.0, nan, 0.75, nan, nan, 0.875, nan, 0.5]
B = [1.0, -inf, 0.75, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(("values", "best"), [(A, 0.75), (B, 0.5)])
def test_values_that_are_not_finite_never_win(values, best):
    result = scripted("loss", values, [ds.stop(ds.when.stalled("loss", patience=3))])
    assert (result.step, result.best.value) == (7, best)


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        (lambda: ds.when.above("loss", 0.0), False),
        (lambda: ds.when.below("loss", 9.0), False),
        (lambda: ~ds.when.above("loss", 0.0), False),
        (lambda: ~ds.when.below("loss", 9.0), False),
        (lambda: ds.when.not_finite("loss"), True),
        (lambda: ds.when.not_finite(), True),
    ],
)
def test_on_a_nan_report(condition, fires):
    rules = [ds.stop(condition()), ds.stop(ds.when.elapsed(steps=3))]
    assert (scripted("loss", [nan] * 5, rules).step == 1) is fires


def test_infinities_compare_as_numbers():
    assert scripted("loss", [1.0, inf, 1.0], [ds.stop(ds.when.above("loss", 1e300))]).step == 2
    assert scripted("loss", [1.0, -inf, 1.0], [ds.stop(ds.when.below("loss", -1e300))]).step == 2


def test_the_best_snapshot_is_not_that_of_a_nan(tmp_path):
    keep = ds.checkpoint.Keep(last=1, best="loss")
    ds.run(
        Scripted("loss", A),
        rules=[ds.stop(ds.when.elapsed(steps=9))],
        checkpoint=ds.checkpoint.Every(steps=1, keep=keep),
        journal=tmp_path / "a.db",
        seed=0,
    )
    # at step 9 the best is 0.5 itself; before it, that of step 4 was kept
    journal = ds.Journal(tmp_path / "a.db")
    removed = {row["step"]: row["state"] for row in journal.rows("snapshots")}
    assert removed[9] == "ok" and removed[4] == "removed"
    ds.run(
        Scripted("loss", A[:8]),
        rules=[ds.stop(ds.when.elapsed(steps=8))],
        checkpoint=ds.checkpoint.Every(steps=1, keep=keep),
        journal=tmp_path / "b.db",
        seed=0,
    )
    kept = [row["step"] for row in ds.Journal(tmp_path / "b.db").rows("snapshots") if row["state"] == "ok"]
    assert kept == [4, 8]


def test_an_infinite_value_is_not_the_best_of_a_run():
    class Valued(Scripted):
        def step(self):
            report = super().step()
            return ds.Report(value=report.metrics["v"])

    result = ds.run(Valued("v", [1.0, inf, 2.0, nan]), rules=[ds.stop(ds.when.elapsed(steps=4))], seed=0)
    assert result.value == 2.0


def test_values_that_are_not_finite_are_journaled_as_such(tmp_path):
    ds.run(
        Scripted("loss", [nan, inf, -inf, 1.0]),
        rules=[ds.stop(ds.when.elapsed(steps=4))],
        journal=tmp_path / "j.db",
        seed=0,
    )
    values = [row["loss"] for row in ds.Journal(tmp_path / "j.db").rows("steps")]
    assert math.isnan(values[0]) and values[1:] == [inf, -inf, 1.0]


def test_two_modes_for_one_metric_are_refused():
    rules = [ds.stop(ds.when.stalled("x", patience=3)), ds.stop(ds.when.stalled("x", patience=9, mode="max"))]
    with pytest.raises(ds.UsageError, match="'x'"):
        scripted("x", [1.0], rules)
