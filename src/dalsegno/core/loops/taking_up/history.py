"""History: what the journal has of a run, put back into the conductor: its snapshots, its attempts, how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.ledger import Held
from dalsegno.core.loops.ending import end_attempt_row
from dalsegno.core.loops.redo import Redo
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure
from dalsegno.core.result import Result, summary_from_dict
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor

History = Sequence[Mapping[str, Any]]  # the events of a run, oldest first


def attempts_of(history: History) -> list[Mapping[str, Any]]:
    return [row for row in history if row["kind"] == "attempt"]


def decisions_of(history: History) -> list[Mapping[str, Any]]:
    return [row for row in history if row["kind"] == "decision"]


def numbers_of(history: History) -> dict[int, int]:
    """The numbers of the attempts by the ids of their rows."""
    return {row["id"]: row["number"] for row in attempts_of(history)}


def fill_ledger(conductor: Conductor, history: History) -> None:
    """The ledger of snapshots, from the journal."""
    numbers = numbers_of(history)
    for row in history:
        if row["kind"] == "snapshot" and row["state"] != "removed":
            conductor.machine.ledger.append(held_from(row, numbers))


def held_from(row: Mapping[str, Any], numbers: Mapping[int, int]) -> Held:
    """A snapshot as the ledger keeps it, from its row in the journal."""
    return Held(
        row["id"],
        numbers[row["attempt"]],
        row["branch"],
        row["step"],
        row["sequence"],
        row["name"],
        row["snapshot_kind"],
        row["label"],
        row["checksum"],
        dict(row["metrics"]),
        row["value"],
        row["changes"],
        row["state"] == "ok",
        skipped=int(row["logical"].get("skipped", 0)),
    )


def enter(conductor: Conductor, row: Mapping[str, Any]) -> None:
    """Take up the rows of an attempt where they are."""
    conductor.attempt_id = row["id"]
    conductor.attempt_number_of_row = row["number"]
    conductor.began_from = row["started_from"]
    branches = conductor.journal.branches_of(row["id"])
    if branches:
        conductor.branch_id = branches[-1]["id"]
        conductor.branch_number = branches[-1]["number"]
        return
    # The program died between the attempt's row and that of its first branch.
    begun_at = next((entry.step for entry in conductor.machine.ledger if entry.id == row["started_from"]), 0)
    conductor.branch_id = conductor.journal.begin_branch(row["id"], 0, None, begun_at, "start", None)
    conductor.branch_number = 0


def enter_last(conductor: Conductor) -> None:
    """The rows and the figures of the last attempt of a run that is over, for a body that is shown it once more."""
    rows = attempts_of(conductor.journal.events())
    if not rows or conductor.result is None:
        return
    row = rows[-1]
    branches = conductor.journal.branches_of(row["id"])
    conductor.attempt_id, conductor.attempt_number_of_row = row["id"], row["number"]
    conductor.branch_id = branches[-1]["id"] if branches else 0
    trace = conductor.machine.trace
    trace.attempt = Attempt(row["number"], row["seed"], Origin.from_dict(row["origin"]))
    trace.attempt.steps = conductor.result.step
    trace.attempts = list(conductor.result.attempts)


def load_summaries(conductor: Conductor, history: History, before: int) -> None:
    """The summaries of the attempts before number ``before``, as the trace keeps them."""
    conductor.machine.trace.attempts = [
        summary_from_dict(conductor.journal.summary(row["id"]))
        for row in attempts_of(history)
        if row["number"] < before
    ]


def set_abandoned(machine: Machine, decisions: Sequence[Mapping[str, Any]], numbers: Mapping[int, int]) -> None:
    """Mark the snapshots that an applied roll back has left behind."""
    for event in decisions:
        if event["action"]["verb"] != "roll back":
            continue
        for entry in machine.ledger:
            later = entry.step > event["action"]["target_step"]
            if entry.attempt == numbers[event["attempt"]] and later and entry.order < event["sequence"]:
                entry.abandoned = True


def redo_from(conductor: Conductor, history: History, place: int, row: Mapping[str, Any]) -> None:
    """What the journal knows of the time after ``place`` is done again and held against it."""
    later = decisions_of(history[place + 1 :])
    conductor.redo = Redo([event for event in later if event["attempt"] == row["id"]])


def close_from_journal(conductor: Conductor, event: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """End the attempt that a journaled restart or stop ended, as its own program would have gone on to do."""
    machine = conductor.machine
    machine.load(event["state"], seed=row["seed"], origin=Origin.from_dict(row["origin"]))
    attempt, told = machine.trace.attempt, event["action"].get("failure")
    attempt.status = event["action"]["status"]
    attempt.failure = None if told is None else Failure(tuple(told["types"]), told["message"], told["traceback"])
    machine.close_attempt()
    machine.trace.load(event["state"]["run"])
    end_attempt_row(conductor)


def stored_result(conductor: Conductor) -> Result:
    """The result as it was stored when the run ended; not one step is taken."""
    outcome = dict(conductor.journal.run["outcome"])
    outcome["attempts"] = conductor.journal.summaries()
    outcome["journal"] = conductor.journal.shown_path
    return Result.from_dict(outcome)
