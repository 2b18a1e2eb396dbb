"""After a failure that no rule answered: a new attempt goes on from the newest sound snapshot on the line that counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.decisions import Change
from dalsegno.core.errors import SnapshotError
from dalsegno.core.ledger import Held
from dalsegno.core.loops.beginning import begin_rows, next_in_line
from dalsegno.core.loops.instructions import Landing
from dalsegno.core.loops.taking_up.history import (
    History,
    attempts_of,
    decisions_of,
    enter,
    load_summaries,
    numbers_of,
    redo_from,
    set_abandoned,
)
from dalsegno.core.process import Origin
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def again_after_failure(conductor: Conductor, history: History) -> str:
    """The run failed: a new attempt from the newest sound snapshot on the line that counts."""
    machine = conductor.machine
    decisions = decisions_of(history)
    set_abandoned(machine, decisions, numbers_of(history))
    last = next(event for event in reversed(decisions) if event["action"]["unanswered"])
    row = next(known for known in attempts_of(history) if known["id"] == last["attempt"])
    load_summaries(conductor, history, row["number"] + 1)
    conductor.journal.reopen_run()
    machine.load(last["state"], seed=row["seed"], origin=Origin.from_dict(row["origin"]))
    candidates = sorted((e for e in machine.ledger if e.sound and not e.abandoned), key=lambda e: -e.order)
    for entry in candidates:
        if conductor.saver is None:
            break
        reader = conductor.saver.open(entry)
        if reader is None:
            continue
        # Made since that snapshot, in the attempt that failed: they belong on top of its state.
        since = machine.changes[entry.changes :] if entry.attempt == row["number"] else []
        begin_from(conductor, entry, reader, history, since)
        return "again after a failure"
    if candidates or any(not entry.sound for entry in machine.ledger):
        if conductor.saver is not None and conductor.saver.revive():
            return again_after_failure(conductor, history)
        raise SnapshotError(
            f"every snapshot of run {conductor.name!r} is damaged; to begin it again from scratch, run it with fresh=True"
        )
    conductor.warn("the run failed before its first snapshot: a new attempt begins from scratch")
    conductor.next_attempt = (Origin(), None)
    return "again after a failure"


def begin_from(conductor: Conductor, entry: Held, reader: Any, history: History, changes: Sequence[Change]) -> None:
    """A new attempt that takes up a snapshot with everything that belongs to it, rule states too."""
    machine = conductor.machine
    number, seed = next_in_line(conductor)
    origin = Origin.at(entry.id)
    begun = next((row for row in attempts_of(history) if row["number"] == number), None)
    if begun is not None and begun["started_from"] == entry.id:
        enter(conductor, begun)  # the program died before that attempt's first snapshot: it is begun again
        redo_from(conductor, history, history.index(begun), begun)
    else:
        begin_rows(conductor, number, seed, origin, entry)
        conductor.began_from = entry.id
    engine = reader.get("engine")
    machine.trace.begun = number
    machine.trace.attempt = Attempt(number, seed, origin)
    machine.load_attempt(engine)
    begin_counting(machine.trace.attempt)
    machine.changes = list(changes)
    machine.plan_snapshot()
    conductor.landing = Landing(reader, engine, changes, entry.step)
    conductor.next_attempt = None


def begin_counting(attempt: Attempt) -> None:
    """The attempt takes up another one's state and the rules' states; what it uses and reports itself begins here."""
    attempt.base = attempt.steps
    attempt.seconds, attempt.cost = 0.0, {}
    attempt.best = attempt.value = None
    attempt.summaries = {}
    attempt.reports.clear()
