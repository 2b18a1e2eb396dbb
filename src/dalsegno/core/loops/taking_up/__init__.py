"""Taking up a run that is there, by the way in which it was left: interrupted, failed, ended, or to be extended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalsegno.core.errors import SnapshotError
from dalsegno.core.loops.deciding import decision_from
from dalsegno.core.loops.taking_up.after_failure import again_after_failure
from dalsegno.core.loops.taking_up.extending import extend_run
from dalsegno.core.loops.taking_up.history import attempts_of, fill_ledger, held_from, stored_result
from dalsegno.core.loops.taking_up.resuming import resume

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor

__all__ = ["attempts_of", "decision_from", "held_from", "stored_result", "take_up", "taken_up_by_driver"]


def take_up(conductor: Conductor, extend: bool) -> str:
    """Where the run goes on: sets the conductor's next attempt, landing or result, and says how in a word."""
    writer = conductor.journal
    if writer.created:
        return "new"
    history = writer.events()
    fill_ledger(conductor, history)
    state = writer.run["state"]
    if state == "finished" and not extend:
        conductor.result = stored_result(conductor)
        return "ended"
    refuse_lost_folder(conductor)
    if conductor.saver is not None and any(
        row.get("state") == "missing" for row in history if row["kind"] == "snapshot"
    ):
        conductor.saver.revive()  # those that were put back since
    if state == "finished":
        return extend_run(conductor, history)
    if state == "failed":
        return again_after_failure(conductor, history)
    return resume(conductor, history)


def refuse_lost_folder(conductor: Conductor) -> None:
    """Snapshots that are elsewhere are not damaged: nothing is noted of them, and the run waits for its folder."""
    path = conductor.journal.snapshots_path
    if conductor.machine.ledger and path is not None and not path.is_dir():
        raise SnapshotError(
            f"run {conductor.name!r} has snapshots, and their folder {path} is not there: put it back (it moves together with "
            "the journal; is a disk not mounted?), or begin again from scratch with fresh=True (on the command line --fresh)"
        )


def taken_up_by_driver(conductor: Conductor) -> str:
    """A portfolio is taken up by its driver; a run that has ended is over for it too."""
    if not conductor.journal.created and conductor.journal.run["state"] == "finished":
        conductor.result = stored_result(conductor)
        return "ended"
    return "new" if conductor.journal.created else "resumed"
