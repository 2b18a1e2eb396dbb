"""Landing: a saved state is put back into the process, with the changes that belong on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.decisions import Change
from dalsegno.core.loops.instructions import Landing
from dalsegno.core.subject import apply_change

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def land(conductor: Conductor, landing: Landing) -> None:
    """Put a saved state back into the process and make the changes that belong on top of it."""
    conductor.subject.load(landing.reader.get("process"))  # anew: what was handed out before may have been changed
    restore_generators(conductor, landing.reader)
    apply_changes(conductor, landing.changes)


def restore_generators(conductor: Conductor, reader: Any) -> None:
    """Put the states of the random generators back; those that cannot be are said, and the run is approximate."""
    from dalsegno.core.store import generators

    for lost in generators.restore(reader.get("generators")):
        conductor.verdict = "approximate"
        conductor.warn(f"the state of {lost} could not be restored: the run goes on, approximately")


def apply_changes(conductor: Conductor, changes: Sequence[Change]) -> None:
    """Make the changes that rules have decided: to the process, or to the items that its loop goes over."""
    for change in changes:
        if change.role == "skip":
            assert change.skip is not None
            conductor.subject.skip(*change.skip)
            continue
        bound = conductor.machine.bound[change.rule]
        apply_change(bound.change(change.role, change.escalated, change.named), conductor.subject.target)
