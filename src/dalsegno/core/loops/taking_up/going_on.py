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
    conductor.reset_seconds = row["reset_seconds"] or 0.0
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
