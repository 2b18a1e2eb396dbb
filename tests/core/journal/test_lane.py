"""Lanes and telemetry: nothing that was added is lost or changed on its way, and memory stays bounded."""

from __future__ import annotations

import pytest

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal
from dalsegno.core.journal.blocks import LARGEST
from dalsegno.core.journal.lane import Lane
from dalsegno.core.report import Report


def test_a_report_that_is_used_again_changes_no_earlier_row():
    lane, report = Lane(1, 1), Report({"loss": 1.0}, cost={"tokens": 1.0})
    lane.add((1, 0.5, report))
    report.metrics["loss"], report.cost["tokens"] = 2.0, 5.0
    lane.add((2, 0.5, report))
    assert [(row[2]["loss"], row[3]["tokens"]) for row in lane.rows] == [(1.0, 1.0), (2.0, 5.0)]


def test_a_full_lane_is_written_by_itself(run, path):
    for step in range(1, 2 * LARGEST + 10):
        run.step(step)
    assert len(run.writer.lane(run.attempt, run.branch).rows) == 9
    assert len(Journal(path).rows("steps")) == 2 * LARGEST


def test_rows_that_could_not_be_written_are_written_later(run, path, start):
    other = start("import apsw; c = apsw.Connection(str(path)); c.execute('BEGIN IMMEDIATE'); say(1); input()")
    other.line()
    run.writer.connection.wait = run.writer.connection.patience = 0.2
    run.step(1)
    with pytest.raises(JournalError, match="is locked"):
        run.writer.flush()
    other.kill()
    run.writer.flush()
    assert [row["step"] for row in Journal(path).rows("steps")] == [1]


def test_lanes_of_several_attempts_keep_what_is_added_to_them(run, path):
    second = run.writer.begin_attempt(2, 8, {"kind": "scratch"}, started_from=None, verified=None)
    branch = run.writer.begin_branch(second, 0, None, 0, "start", None)
    one, two = run.writer.lane(run.attempt, run.branch), run.writer.lane(second, branch)
    for step in (1, 2):
        one.add((step, 0.5, Report({"a": 1.0})))
        two.add((step, 0.5, Report({"b": 1.0})))
        run.writer.flush()
    assert sorted((row["attempt"], row["step"]) for row in Journal(path).rows("steps")) == [
        (run.attempt, 1),
        (run.attempt, 2),
        (second, 1),
        (second, 2),
    ]


def test_a_run_in_memory_keeps_events_and_no_steps(begin):
    journal = Journal.memory()
    run = begin(journal)
    run.step(1)
    run.decide(1)
    assert (len(journal.rows("steps")), len(journal.rows("decisions"))) == (0, 1)


def test_what_was_paid_adds_up_over_programs(path, begin):
    for _ in range(2):
        writer = Journal(path).open_run("train", 0, identity={})
        writer.add_paid(seconds=1.5, steps=3, cost={"tokens": 2.0})
        writer.close()
    (row,) = Journal(path).rows("runs")
    assert (row["paid_seconds"], row["paid_steps"], row["paid_cost"]) == (3.0, 6, {"tokens": 4.0})


def test_steps_are_written_within_half_a_second_of_the_loops_clock(run, path):
    run.writer.tick(100.0)
    run.step(1)
    run.writer.tick(100.4)
    before = len(Journal(path).rows("steps"))
    run.writer.tick(100.5)
    assert (before, len(Journal(path).rows("steps"))) == (0, 1)
