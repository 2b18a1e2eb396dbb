"""What readers see: states that are derived, the line that counts, and columns that are told apart."""

from __future__ import annotations

import sys
from math import inf, isnan, nan

import numpy as np
import pandas as pd
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.core.journal import Journal, reading


def numbered(rows):
    return [(row["branch"], row["step"]) for row in rows]


@pytest.fixture
def gone_back(run):
    """Five steps, back to 3, one step, back to 2, two steps: what counts is 1 2 | 3 4 of the third branch."""
    for step in range(1, 6):
        run.step(step)
    first = run.branch
    run.decide(5, "roll back", new_branch=(1, 3))
    second = run.writer.branches_of(run.attempt)[1]["id"]
    run.step(4, branch=second)
    third = run.writer.begin_branch(run.attempt, 2, second, 2, "roll back", None)
    for step in (3, 4):
        run.step(step, branch=third)
    run.writer.flush()
    return first, second, third


def test_the_line_that_counts_leaves_out_what_was_abandoned(gone_back, path):
    first, _, third = gone_back
    assert numbered(Journal(path).rows("steps")) == [(first, 1), (first, 2), (third, 3), (third, 4)]


def test_abandoned_steps_stay_and_are_marked(gone_back, path):
    first, second, _ = gone_back
    rows = Journal(path).rows("steps", all=True)
    assert numbered(row for row in rows if row["abandoned"]) == [(first, 3), (first, 4), (first, 5), (second, 4)]
    assert len(rows) == 8


def test_frames_of_steps_say_the_same_as_rows(gone_back, path):
    journal = Journal(path)
    for every in (False, True):
        frame = journal.steps(all=every)
        assert frame[["id", "branch", "step", "loss"]].values.tolist() == [
            [row["id"], row["branch"], row["step"], row["loss"]] for row in journal.rows("steps", all=every)
        ]
        assert ("abandoned" in frame) is every


def test_columns_of_a_run_come_in_the_order_of_branches(gone_back, path):
    found = list(reading.columns(Journal(path), 1))
    assert [(block.branch, block.steps.tolist()) for block in found] == [
        (gone_back[0], [1, 2, 3, 4, 5]),
        (gone_back[1], [4]),
        (gone_back[2], [3, 4]),
    ]
    assert found[0].figures["metrics", "loss"][0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_absent_is_not_nan_in_rows_and_frames(run, path):
    run.step(1, {"loss": nan, "acc": inf})
    run.step(2, {"acc": -inf})
    run.writer.flush()
    first, second = Journal(path).rows("steps")
    assert isnan(first["loss"]) and "loss" not in second
    loss = Journal(path).steps()["loss"]
    assert [loss.array[i] is pd.NA for i in range(2)] == [False, True] and np.isnan(loss.array[0])


@pytest.mark.parametrize("metric", ["step", "value", "status", "cost.tokens", "metric.step"])
def test_a_metric_whose_name_is_taken_has_a_column_of_its_own(run, path, metric):
    run.step(1, {metric: 7.0}, cost={"tokens": 2.0}, value=3.0)
    run.writer.flush()
    (row,) = Journal(path).rows("steps")
    assert (row[f"metric.{metric}"], row["step"], row["value"], row["cost.tokens"]) == (7.0, 1, 3.0, 2.0)
    frame = Journal(path).steps()
    assert (frame[f"metric.{metric}"][0], frame["step"][0], frame["cost.tokens"][0]) == (7.0, 1, 2.0)


def test_a_table_of_one_run_holds_nothing_of_another(path, begin):
    one, two = begin(Journal(path)), begin(Journal(path), "other")
    for made in (one, two):
        made.step(1)
        made.decide(1)
        made.snapshot(1)
    for table in ("attempts", "branches", "steps", "decisions", "snapshots", "owners"):
        assert {row["run"] for row in Journal(path).rows(table, two.writer.run_id)} == {two.writer.run_id}


def test_a_run_that_is_going_on_tells_what_it_has_so_far(run, path):
    for step in (1, 2, 3):
        run.step(step, cost={"tokens": 2.0})
    run.writer.flush()
    (row,) = Journal(path).rows("runs")
    assert (row["state"], row["steps"], row["seconds"], row["cost"]) == ("running", 3, 1.5, {"tokens": 6.0})


def test_a_run_that_has_ended_tells_its_outcome(run, path):
    run.step(1)
    outcome = {
        "rule": "stop(spent)",
        "reason": "spent",
        "value": 0.5,
        "steps": 9,
        "seconds": 4.5,
        "cost": {},
        "verdict": "exact",
    }
    run.writer.end_run(state="finished", outcome=outcome)
    (row,) = Journal(path).rows("runs")
    assert {name: row[name] for name in outcome} == outcome and row["state"] == "finished"
    assert reading.outcome(Journal(path), 1) == outcome


def test_a_failed_run_tells_its_traceback(run, path):
    run.end_attempt(state="failed", failure={"types": ["E"], "message": "m", "traceback": "Traceback: E"})
    run.writer.end_run(state="failed", outcome={})
    assert Journal(path).rows("runs")[0]["traceback"] == "Traceback: E"


def test_an_interrupted_attempt_is_censored_and_no_failure(path, begin):
    run = begin(Journal(path))
    run.step(1)
    run.step(2)
    run.writer.close()
    (row,) = Journal(path).rows("attempts")
    assert (row["state"], row["censored"], row["failure"], row["steps"], row["seconds"]) == (
        "interrupted",
        True,
        None,
        2,
        1.0,
    )


def test_every_table_is_a_frame(run, path):
    run.step(1)
    run.decide(1)
    run.snapshot(1)
    run.writer.call_begin(run.attempt, run.branch, 1, "a", "")
    journal = Journal(path)
    tables = ("runs", "attempts", "branches", "steps", "decisions", "snapshots", "calls")
    assert [len(getattr(journal, table)()) for table in tables] == [1] * 7
    assert all(isinstance(getattr(journal, table)(), pd.DataFrame) for table in tables)


def test_an_empty_table_has_its_columns(path, begin):
    begin(Journal(path)).writer.close()
    journal = Journal(path)
    assert "step" in journal.steps() and "rule" in journal.decisions() and len(journal.steps()) == 0


def test_without_pandas_tables_are_lists_of_dicts(run, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    run.step(1)
    run.writer.flush()
    assert [row["step"] for row in Journal(path).steps()] == [1] and Journal(path).runs()[0]["id"] == 1


def test_reading_needs_no_pandas(path, start, begin):
    begin(Journal(path)).writer.close()
    assert start("Journal(path).rows('runs'); say('pandas' in sys.modules)").line() == "False"


def test_a_table_that_there_is_not_is_refused_by_name(path):
    with pytest.raises(UsageError, match="no table 'stpes': expected one of runs, attempts"):
        Journal(path).rows("stpes")
