"""An unfinished stop: it was decided, and the program died before the run was marked as ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dalsegno.core.loops.deciding import decision_from
from dalsegno.core.loops.redo import Redo
from dalsegno.core.loops.taking_up.after_failure import again_after_failure
from dalsegno.core.loops.taking_up.going_on import go_on
from dalsegno.core.loops.taking_up.history import History, close_from_journal, enter, load_summaries

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def owes_its_state(conductor: Conductor, stop: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether the program died between a stop and the snapshot of the final state that belongs to it."""
    if conductor.saver is None or stop["action"]["unanswered"]:
        return False
    own = [entry for entry in conductor.machine.ledger if entry.attempt == row["number"] and entry.sound]
    newest = max(own, key=lambda entry: entry.order, default=None)
    if newest is None or stop["action"]["target"] is not None or stop["action"]["at"] == "end":
        return True
    return bool(newest.step != stop["step"] or newest.branch != stop["branch"])


def end_from_snapshot(
    conductor: Conductor,
    history: History,
    place: int,
    row: Mapping[str, Any],
    reader: Any,
) -> str:
    """The final state is saved and the run is not marked as ended; a body that had ended ends once more, for its value."""
    snapshot = history[place]
    stop = next(event for event in reversed(history[:place]) if event["kind"] == "decision")
    if stop["action"]["at"] != "end":
        return end_now(conductor, stop, row)
    how = go_on(conductor, history, place, row, reader, reader.get("engine"), (), snapshot["branch"])
    conductor.redo = Redo([stop])
    return how


def end_now(conductor: Conductor, stop: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The stop was decided, and the program died before the run was marked as ended."""
    enter(conductor, row)
    load_summaries(conductor, conductor.journal.events(), row["number"])
    close_from_journal(conductor, stop, row)
    conductor.finish(decision_from(stop, conductor.machine))
    if not stop["action"]["unanswered"]:
        return "ended"
    conductor.result = None  # a failure that no rule spoke for: the same command goes on with a new attempt
    return again_after_failure(conductor, conductor.journal.events())
