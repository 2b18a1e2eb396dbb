"""Redoing: after a kill, the steps since the newest sound snapshot are taken again and held against the journal.

At each of them the journal's decision is applied, not taken again; equal reports leave the verdict at exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from dalsegno.core.decisions import Ask, Decision, Outcome
from dalsegno.core.loops.deciding import decide, decision_from
from dalsegno.core.loops.instructions import Instruction
from dalsegno.core.report import Report

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


class Redo:
    """What the journal says of the steps that are being done again on one branch after another."""

    def __init__(self, decisions: Sequence[Mapping[str, Any]]) -> None:
        self.decisions = list(decisions)  # those after the place resumed from, in journal order
        self.rows: Iterator[Any] = iter(())
        self.row: Any = None

    def follow(self, rows: Iterator[Any]) -> None:
        """Compare with the rows of this branch from here on."""
        self.rows = rows
        self.row = next(rows, None)

    @property
    def over(self) -> bool:
        """Whether everything the journal knows has been done again."""
        return self.row is None and not self.decisions

    def take_row(self, step: int) -> Any:
        """The journaled row of ``step``, if there is one."""
        while self.row is not None and self.row[1] < step:
            self.row = next(self.rows, None)
        if self.row is None or self.row[1] != step:
            return None
        row, self.row = self.row, next(self.rows, None)
        return row

    def next_decision(self, step: int, at: str) -> Mapping[str, Any] | None:
        """The journaled decision for this instant (``at`` report, failure or end), if there is one."""
        if not self.decisions:
            return None
        first = self.decisions[0]
        if first["step"] == step and first["action"]["at"] == at:
            return self.decisions.pop(0)
        return None


def same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (isnan(one) and isnan(other))


def difference(report: Report, row: Any) -> str | None:
    """The first metric in which a redone report differs from the journaled one, with both figures."""
    _, _, _, metrics, cost, status, value = row
    for kind, now, then in (("metric", report.metrics, metrics), ("cost", report.cost, cost)):
        for name in sorted({*now, *then}):
            if not same(now.get(name), then.get(name)):
                return f"{kind} {name!r} was {then.get(name)!r} and is {now.get(name)!r}"
    if report.status != status:
        return f"status was {status!r} and is {report.status!r}"
    if not same(report.value, value):
        return f"value was {value!r} and is {report.value!r}"
    return None


def boundary_redone(conductor: Conductor, report: Report, seconds: float) -> Instruction | Ask | None:
    redo = conductor.redo
    assert redo is not None
    step = conductor.machine.trace.attempt.steps + 1
    row = redo.take_row(step)
    if row is not None:
        seconds = row[2]
    outcome = conductor.machine.advance(report, seconds)
    if conductor.prior_reports:
        conductor.tell_step()
    if row is not None:
        unlike = difference(report, row)
        if unlike is not None:
            diverge(conductor, step, unlike)
            row = None
        else:
            conductor.compared += 1
    if row is None and conductor.add is not None:
        conductor.add((step, seconds, report))
    if isinstance(outcome, Ask):
        conductor.asking = "report"
        return outcome
    return settle_redone(conductor, outcome, "report")


def settle_redone(conductor: Conductor, outcome: Outcome, at: str) -> Instruction | Ask | None:
    """Apply what the journal says of this instant, and nothing that it does not say."""
    redo = conductor.redo
    assert redo is not None
    event = redo.next_decision(conductor.machine.trace.attempt.steps, at)
    ended = conductor.machine.trace.attempt.status != "running"
    if event is not None:
        instruction = apply_journaled(conductor, event, at)
    elif ended or redo.over:
        end_redo(conductor)
        return conductor.attend(outcome, at)
    else:
        instruction = conductor.attend(None if isinstance(outcome, Decision) else outcome, at)
    if conductor.redo is not None and conductor.redo.over:
        end_redo(conductor)
    return instruction


def end_redo(conductor: Conductor) -> None:
    """All that the journal knew is behind; what it knew and was never reached is marked."""
    redo, conductor.redo = conductor.redo, None
    if redo is not None and redo.decisions:
        conductor.journal.supersede([event["id"] for event in redo.decisions])
        conductor.warn("decisions in the journal were not reached again and are marked superseded")


def apply_journaled(conductor: Conductor, event: Any, at: str) -> Instruction | Ask | None:
    decision = decision_from(event, conductor.machine)
    return decide(conductor, decision, at, journaled=event)


def diverge(conductor: Conductor, step: int, unlike: str) -> None:
    """A redone step differs from what the journal has: said once, and a branch of its own from here on."""
    if conductor.verdict == "exact":
        conductor.warn(
            f"step {step} was taken again and is not the same: {unlike}. The run goes on, approximately; "
            "`dalsegno check` finds out why"
        )
    conductor.verdict = "approximate"
    conductor.branch_number += 1
    conductor.branch_id = conductor.journal.begin_branch(
        conductor.attempt_id, conductor.branch_number, conductor.branch_id, step - 1, "divergence", None
    )
    conductor.open_branch()
    assert conductor.redo is not None
    conductor.redo.follow(iter(()))
