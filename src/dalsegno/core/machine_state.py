"""The machine's state: what stands in every snapshot and beside every decision, and how it is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dalsegno.core.bound import ATTEMPT, BOTH
from dalsegno.core.decisions import Change
from dalsegno.core.process import Origin
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.machine import Machine


def state_of(machine: Machine) -> dict[str, Any]:
    """Everything but the ledger and the summaries of ended attempts, which the journal keeps as rows."""
    machine.note_names()
    trace = machine.trace
    return {
        "run": trace.state(),
        "attempt": trace.attempt.state(),
        "number": trace.attempt.number,
        "rules": [bound.saved() for bound in machine.bound],
        "changes": [change.to_list() for change in machine.changes],
        "counters": {str(index): list(counter) for index, counter in machine.counters.items()},
        "failures": list(machine.failures),
        "save_seconds": machine.save_seconds,
        "reset_seconds": machine.reset_seconds,
    }


def load_state(machine: Machine, state: dict[str, Any], seed: int, origin: Origin) -> None:
    """Put back everything that :func:`state_of` gave, of both scopes."""
    trace = machine.trace
    trace.load(state["run"])
    trace.attempt = Attempt(int(state["number"]), seed, origin)
    trace.attempt.load(state["attempt"])
    for bound, saved in zip(machine.bound, state["rules"], strict=True):
        bound.load(saved, BOTH)
    machine.changes = [Change.from_list(change) for change in state["changes"]]
    machine.counters = {int(index): list(counter) for index, counter in state["counters"].items()}
    machine.failures = list(state["failures"])
    machine.save_seconds = state["save_seconds"]
    machine.reset_seconds = state.get("reset_seconds", 0.0)
    machine.plan_snapshot()


def load_attempt_state(machine: Machine, state: dict[str, Any]) -> None:
    """Put back what is of the attempt; what is of the run stays."""
    machine.trace.attempt.load(state["attempt"])
    for bound, saved in zip(machine.bound, state["rules"], strict=True):
        bound.load(saved, ATTEMPT)
