"""Going on after a kill: with the attempt that was under way, or with the one that a restart had called for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.decisions import Change
from dalsegno.core.ledger import Held
from dalsegno.core.loops.deciding import begin_branch
from dalsegno.core.loops.instructions import Landing
from dalsegno.core.loops.taking_up.history import (
    History,
    attempts_of,
    close_from_journal,
    decisions_of,
    enter,
    load_summaries,
    numbers_of,
    redo_from,
    set_abandoned,
)
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.core.trace import RECENT

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def go_on(
    conductor: Conductor,
    history: History,
    place: int,
    row: Mapping[str, Any],
    reader: Any,
    engine: dict[str, Any],
    changes: Sequence[Change],
    branch: int | None,
) -> str:
    """Go on with an attempt from a snapshot, on its ``branch``; or, with None, from the landing of a roll back."""
    machine = conductor.machine
    enter(conductor, row)
    load_summaries(conductor, history, row["number"])
    decision = history[place]
    branches = conductor.journal.branches_of(row["id"])
    if branch is None:  # the landing of a roll back: the branch that it began, or begins now
        conductor.branch_id = decision["branch"]
        conductor.branch_number = max(known["number"] for known in branches)
        begin_branch(conductor, decision["action"]["target_step"], "roll back", decision["id"])
    else:
        here = next(known for known in branches if known["id"] == branch)
        conductor.branch_id, conductor.branch_number = here["id"], here["number"]
    set_abandoned(machine, decisions_of(history[: place + 1]), numbers_of(history))
    machine.load(engine, seed=row["seed"], origin=Origin.from_dict(row["origin"]))
    conductor.reset_seconds = row["reset_seconds"] or machine.reset_seconds
    refill_reports(conductor, row, branches)
    if any(known["cause"] == "divergence" for known in branches):
        conductor.verdict = "approximate"  # an earlier program found that it was
    conductor.landing = Landing(reader, engine, changes, machine.trace.attempt.steps)
    conductor.next_attempt = None
    redo_from(conductor, history, place, row)
    return "resumed"


def begin_next(
    conductor: Conductor,
    history: History,
    place: int,
    origin: Origin,
    target: Held | None,
) -> str:
    """A restart was called for and not a step of what it began is saved: begin that attempt (again)."""
    event = history[place]
    machine = conductor.machine
    former = next(row for row in attempts_of(history) if row["id"] == event["attempt"])
    set_abandoned(machine, decisions_of(history[: place + 1]), numbers_of(history))
    if former["state"] == "open":  # the program died between the decision and the attempt's end
        enter(conductor, former)
        load_summaries(conductor, history, former["number"])
        close_from_journal(conductor, event, former)
    else:
        load_summaries(conductor, history, former["number"] + 1)
        machine.load(event["state"], seed=former["seed"], origin=Origin.from_dict(former["origin"]))
    following = [row for row in attempts_of(history) if row["number"] > former["number"]]
    if following:
        enter(conductor, following[-1])
        redo_from(conductor, history, place, following[-1])
    conductor.next_attempt = (origin, target)
    return "resumed"


def refill_reports(conductor: Conductor, row: Mapping[str, Any], branches: Sequence[Mapping[str, Any]]) -> None:
    """The newest reports of the attempt, up to where it goes on, from the branches that lead there."""
    attempt = conductor.machine.trace.attempt
    known = {branch["id"]: branch for branch in branches}
    here: Mapping[str, Any] | None = known.get(conductor.branch_id)
    upto, blocks = attempt.steps, []
    while here is not None and upto > attempt.base and attempt.steps - upto < RECENT:
        began: int = here["from_step"]
        after = max(began, attempt.steps - RECENT, attempt.base)
        rows = conductor.journal.read_rows(row["id"], here["id"], after)
        blocks.append([taken for taken in rows if after < taken[1] <= upto])
        here, upto = known.get(here["parent"]), min(upto, began)
    attempt.reports.clear()
    for taken in (taken for rows in reversed(blocks) for taken in rows):
        attempt.reports.append(Report(taken[3], taken[4], taken[5], taken[6]))
