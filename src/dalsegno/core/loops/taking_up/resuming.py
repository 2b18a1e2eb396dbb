"""Resuming: the run was killed, and goes on from the newest thing in its journal that it can go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dalsegno.core.decisions import Change
from dalsegno.core.errors import SnapshotError
from dalsegno.core.ledger import Held
from dalsegno.core.loops.taking_up.after_failure import again_after_failure
from dalsegno.core.loops.taking_up.extending import extend_run
from dalsegno.core.loops.taking_up.going_on import begin_next, go_on
from dalsegno.core.loops.taking_up.history import History, attempts_of, enter, redo_from
from dalsegno.core.loops.taking_up.unfinished_stop import end_from_snapshot, end_now, owes_its_state
from dalsegno.core.process import Origin

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def resume(conductor: Conductor, history: History) -> str:
    """Go on from the newest of: sound snapshot, landing of a roll back, beginning of an attempt that a restart called for."""
    attempts = attempts_of(history)
    if not attempts:
        return "new"
    ledger = {entry.id: entry for entry in conductor.machine.ledger}
    rows = {row["id"]: row for row in attempts}
    stopped = None  # a stop whose final state is not saved: the steps before it are done again
    for place in range(len(history) - 1, -1, -1):
        event = history[place]
        how = None
        if event["kind"] == "snapshot":
            how = from_snapshot(conductor, history, place, rows[event["attempt"]], ledger.get(event["id"]))
        elif event["kind"] == "decision":
            row, verb = rows[event["attempt"]], event["action"]["verb"]
            target = ledger.get(event["action"]["target"])
            if verb == "roll back":
                how = from_roll_back(conductor, history, place, row, target)
            elif verb == "restart":
                how = begin_next(conductor, history, place, Origin.from_dict(event["action"]["origin"]), target)
            elif verb == "stop":
                how = from_stop(conductor, history, event, row)
                stopped = stopped or (event, row)
        if how is not None:
            return how
    if stopped is not None:
        return end_now(conductor, *stopped)
    if any(row["kind"] == "snapshot" for row in history):
        if conductor.saver is not None and conductor.saver.revive():
            return resume(conductor, history)
        damaged = [f"step {entry.step} ({entry.name})" for entry in conductor.machine.ledger]
        raise SnapshotError(
            f"every snapshot of run {conductor.name!r} is damaged: {', '.join(damaged)}. Nothing was begun; "
            "to begin this run again from scratch, run it with fresh=True (on the command line --fresh)"
        )
    enter(conductor, attempts[-1])
    conductor.warn("the run was interrupted before its first snapshot was acknowledged: it begins again from scratch")
    redo_from(conductor, history, -1, attempts[-1])
    return "resumed"


def had_ended(conductor: Conductor) -> bool:
    """Whether the run had ended once, and its limits have moved since."""
    return conductor.journal.run.get("outcome") is not None


def sound_reader(conductor: Conductor, entry: Held | None) -> Any:
    """A reader of a snapshot, or None where it is not to be had."""
    if entry is None or not entry.sound or conductor.saver is None:
        return None
    return conductor.saver.open(entry)


def from_snapshot(
    conductor: Conductor, history: History, place: int, row: Mapping[str, Any], entry: Held | None
) -> str | None:
    """Go on from a snapshot; None where it is not to be had, and an older one has to do."""
    reader = sound_reader(conductor, entry)
    if reader is None:
        return None
    event = history[place]
    if event["snapshot_kind"] != "end":
        return go_on(conductor, history, place, row, reader, reader.get("engine"), (), event["branch"])
    if had_ended(conductor):
        return extend_run(conductor, history)
    return end_from_snapshot(conductor, history, place, row, reader)


def from_roll_back(
    conductor: Conductor, history: History, place: int, row: Mapping[str, Any], target: Held | None
) -> str | None:
    """Carry out a roll back that was decided, and of which not a step is saved; None where its snapshot is not to be had."""
    reader = sound_reader(conductor, target)
    if reader is None:
        return None
    event = history[place]
    changes = [Change.from_list(change) for change in event["action"]["changes"]]
    return go_on(conductor, history, place, row, reader, event["state"], changes, None)


def from_stop(conductor: Conductor, history: History, event: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    """End the run as it was decided, or go on where it may; None where its final state has to be made again first."""
    if had_ended(conductor):
        if event["action"]["unanswered"]:
            return again_after_failure(conductor, history)
        return extend_run(conductor, history)
    if owes_its_state(conductor, event, row):
        return None
    return end_now(conductor, event, row)
