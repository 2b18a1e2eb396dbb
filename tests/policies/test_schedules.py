"""Schedules of snapshots: Every and Never."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

import dalsegno as ds
from dalsegno.core.decisions import DUE
from dalsegno.core.errors import UsageError
from dalsegno.core.ledger import Held
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.core.store.retention import Keep
from dalsegno.policies import Every, Never, Schedule


def due_steps(schedule: Schedule, steps: int, *, base: int = 0, seconds: float = 0.0) -> list[int]:
    """The steps of an attempt at which the machine says that a snapshot is due."""
    machine = Machine([], schedule=schedule)
    machine.start(0, Origin(), base=base)
    found = []
    for _ in range(steps):
        if machine.advance(Report(), seconds) is DUE:
            step = machine.trace.attempt.steps
            found.append(step)
            machine.snapshot_saved(Held(step, 1, 1, step, step, f"{step}"), 0.01)
    return found


@pytest.mark.parametrize(("base", "due"), [(0, [10, 20]), (7, [10, 20]), (10, [20, 30])])
def test_multiples_are_of_the_attempts_step_whatever_it_began_from(base: int, due: list[int]) -> None:
    assert due_steps(Every(steps=10), 25, base=base)[:2] == due


def test_seconds_count_from_the_snapshot_before() -> None:
    assert due_steps(Every(seconds=1), 9, seconds=0.4) == [3, 6, 9]


def test_of_steps_and_seconds_the_first_wins() -> None:
    assert due_steps(Every(steps=4, seconds=1), 9, seconds=0.4) == [3, 4, 7, 8]


def test_never_is_never_due() -> None:
    assert due_steps(Never(), 50, seconds=1e6) == []


def test_after_a_roll_back_the_same_steps_are_due() -> None:
    machine = Machine([], schedule=Every(steps=5))
    machine.start(0, Origin())
    for _ in range(7):
        machine.advance(Report(), 0.0)
    machine.trace.attempt.steps = 4
    machine.plan_snapshot()
    assert machine.advance(Report(), 0.0) is DUE


def test_three_snapshots_are_kept_by_default() -> None:
    assert (Every(steps=1).keep, Never().keep) == (Keep(last=3), Keep(last=3))


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"steps": 0},
        {"steps": -5},
        {"steps": 2.5},
        {"steps": True},
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": "often"},
        {"seconds": inf},
        {"steps": 5, "keep": 3},
    ],
)
def test_mistakes_are_refused(keywords: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Every(**keywords)


@pytest.mark.parametrize(
    ("schedule", "written"),
    [
        (Every(steps=10), "Every(steps=10)"),
        (Every(seconds="10m"), "Every(seconds=600.0)"),
        (Never(), "Never()"),
    ],
)
def test_it_reads_like_its_constructor_call(schedule: Schedule, written: str) -> None:
    assert str(schedule) == written


def test_schedules_made_alike_are_equal() -> None:
    assert Every(seconds="1m", keep=Keep(last=2)) == Every(seconds=60, keep=Keep(last=2))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ds.checkpoint.Every(10), r"Every\(10\)"),
        (lambda: ds.checkpoint.Every(step=10), "step"),
        (lambda: ds.checkpoint.Improved(), "metric"),
        (lambda: ds.checkpoint.Improved("loss", mode="least"), "expected 'min' or 'max'"),
        (lambda: ds.checkpoint.YoungDaly("6h", 3), "YoungDaly"),
        (lambda: ds.policies.Luby(), "unit"),
        (lambda: ds.policies.FixedCutoff(), "FixedCutoff"),
        (lambda: ds.policies.Geometric(base=3), "base"),
    ],
)
def test_a_missing_or_surplus_argument_is_a_usage_error(make, said):
    with pytest.raises(ds.UsageError, match=said):
        make()
