"""Extending: the run had ended and its limits have moved, so that it goes on where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalsegno.core.actions import Stop
from dalsegno.core.decisions import Decision
from dalsegno.core.errors import SnapshotError
from dalsegno.core.loops.deciding import decide
from dalsegno.core.loops.instructions import Landing
from dalsegno.core.loops.taking_up.history import (
    History,
    attempts_of,
    decisions_of,
    enter,
    load_summaries,
    numbers_of,
    set_abandoned,
    stored_result,
)
from dalsegno.core.process import Origin
from dalsegno.core.result import summary_from_dict

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def extend_run(conductor: Conductor, history: History) -> str:
    """The run had ended and its limits have moved: the rules are asked again where it stopped."""
    machine, writer = conductor.machine, conductor.journal
    decisions = decisions_of(history)
    last, row = decisions[-1], attempts_of(history)[-1]
    status = last["action"]["status"]
    set_abandoned(machine, decisions, numbers_of(history))
    load_summaries(conductor, history, row["number"])
    enter(conductor, row)
    machine.load(last["state"], seed=row["seed"], origin=Origin.from_dict(row["origin"]))
    summary = summary_from_dict(writer.summary(row["id"]))
    outcome = machine.ask_again(last["saw"], status, summary.failure)
    if isinstance(outcome, Decision) and isinstance(outcome.action, Stop):
        conductor.result = stored_result(conductor)
        return "ended"
    writer.reopen_run()
    if isinstance(outcome, Decision):
        decide(conductor, outcome, "failure" if status == "failed" else "end")
        return "extended"
    own = [entry for entry in machine.ledger if entry.attempt == row["number"] and entry.sound and not entry.abandoned]
    if last["action"]["target"] is not None:  # the end is another state that was put back; it goes on where it stopped
        own = [entry for entry in own if entry.kind != "end"]
    newest = max(own, key=lambda entry: entry.order, default=None)
    reader = None if newest is None or conductor.saver is None else conductor.saver.open(newest)
    if reader is None:
        raise SnapshotError("the state at the end of the run is not to be had: it cannot be extended")
    writer.reopen_attempt(row["id"])
    conductor.landing = Landing(reader, last["state"], (), machine.trace.attempt.steps)
    conductor.next_attempt = None
    return "extended"
