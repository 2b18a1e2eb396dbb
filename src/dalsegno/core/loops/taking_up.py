"""Taking up a run that is there: interrupted, failed, ended, or to be extended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dalsegno.core.actions import Adapt, Restart, RollBack, Stop
from dalsegno.core.decisions import Change, Decision
from dalsegno.core.errors import SnapshotError
from dalsegno.core.ledger import Held
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.loops.deciding import begin_branch, decide
from dalsegno.core.loops.ending import end_attempt_row
from dalsegno.core.loops.instructions import Landing
from dalsegno.core.loops.redo import Redo
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure
from dalsegno.core.result import Result, summary_from_dict


def taken_up_by_driver(conductor: Conductor) -> str:
    """A portfolio is taken up by its driver; a run that has ended is over for it too."""
    if not conductor.journal.created and conductor.journal.run["state"] == "finished":
        conductor.result = stored_result(conductor)
        return "ended"
    return "new" if conductor.journal.created else "resumed"


def take_up(conductor: Conductor, extend: bool) -> str:
    """Where the run goes on: sets the conductor's next attempt, landing or result, and says how in a word."""
    writer = conductor.journal
    if writer.created:
        return "new"
    events_so_far = writer.events()
    fill(conductor, events_so_far)
    state = writer.run["state"]
    if state == "finished" and not extend:
        conductor.result = stored_result(conductor)
        return "ended"
    if state == "finished":
        return extend_run(conductor, events_so_far)
    if state == "failed":
        return again_after_failure(conductor, events_so_far)
    return resume(conductor, events_so_far)


def fill(conductor: Conductor, history: Sequence[Mapping[str, Any]]) -> None:
    """The ledger and the attempts that have ended, from the journal."""
    numbers = {row["id"]: row["number"] for row in history if row["kind"] == "attempt"}
    for row in history:
        if row["kind"] == "snapshot" and row["state"] != "removed":
            conductor.machine.ledger.append(held_from(row, numbers))


def held_from(row: Mapping[str, Any], numbers: Mapping[int, int]) -> Held:
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
    )


def attempts_of(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in history if row["kind"] == "attempt"]


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


def load_summaries(conductor: Conductor, history: Sequence[Mapping[str, Any]], before: int) -> None:
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


def resume(conductor: Conductor, history: Sequence[Mapping[str, Any]]) -> str:
    """Go on from the newest of: sound snapshot, landing of a roll back, beginning of an attempt that a restart called for."""
    attempts = attempts_of(history)
    if not attempts:
        return "new"
    machine = conductor.machine
    by_id = {entry.id: entry for entry in machine.ledger}
    acknowledged = any(row["kind"] == "snapshot" for row in history)
    extended = conductor.journal.run.get("outcome") is not None  # it had ended once, and its limits have moved since
    stopped = None  # a stop whose final state is not saved: the steps before it are done again
    for place in range(len(history) - 1, -1, -1):
        event = history[place]
        if event["kind"] == "snapshot":
            entry = by_id.get(event["id"])
            if entry is None or not entry.sound or conductor.saver is None:
                continue
            reader = conductor.saver.open(entry)
            if reader is None:
                continue
            row = next(row for row in attempts if row["id"] == event["attempt"])
            if event["snapshot_kind"] == "end":
                if extended:
                    return extend_run(conductor, history)
                return end_from_snapshot(conductor, history, place, row, reader)
            return go_on(conductor, history, place, row, reader, reader.get("engine"), (), event["branch"])
        if event["kind"] == "decision":
            verb = event["action"]["verb"]
            row = next(row for row in attempts if row["id"] == event["attempt"])
            if verb == "roll back":
                entry = by_id.get(event["action"]["target"])
                reader = None
                if entry is not None and entry.sound and conductor.saver is not None:
                    reader = conductor.saver.open(entry)
                if reader is not None:
                    changes = [Change.from_list(change) for change in event["action"]["changes"]]
                    return go_on(conductor, history, place, row, reader, event["state"], changes, None)
            elif verb == "restart":
                origin = Origin.from_dict(event["action"]["origin"])
                target = by_id.get(event["action"]["target"] or -1)
                return begin_next(conductor, history, place, origin, target)
            elif verb == "stop":
                if extended and event["action"]["unanswered"]:
                    return again_after_failure(conductor, history)
                if extended:
                    return extend_run(conductor, history)
                if not owes_its_state(conductor, event, row):
                    return end_now(conductor, event, row)
                stopped = stopped or (event, row)
    if stopped is not None:
        return end_now(conductor, *stopped)
    if acknowledged:
        damaged = [f"step {entry.step} ({entry.name})" for entry in machine.ledger]
        raise SnapshotError(
            f"every snapshot of run {conductor.name!r} is damaged: {', '.join(damaged)}. Nothing was begun; "
            "to begin this run again from scratch, run it with fresh=True (on the command line --fresh)"
        )
    enter(conductor, attempts[-1])
    conductor.warn("the run was interrupted before its first snapshot was acknowledged: it begins again from scratch")
    redo_from(conductor, history, -1, attempts[-1])
    return "resumed"


def redo_from(conductor: Conductor, history: Sequence[Mapping[str, Any]], place: int, row: Mapping[str, Any]) -> None:
    """What the journal knows of the time after ``place`` is done again and held against it."""
    later = [event for event in history[place + 1 :] if event["kind"] == "decision" and event["attempt"] == row["id"]]
    conductor.redo = Redo(later)


def go_on(
    conductor: Conductor,
    history: Sequence[Mapping[str, Any]],
    place: int,
    row: Mapping[str, Any],
    reader: Any,
    engine: dict[str, Any],
    changes: Sequence[Change],
    branch: int | None,
) -> str:
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
    numbers = {known["id"]: known["number"] for known in attempts_of(history)}
    set_abandoned(machine, [e for e in history[: place + 1] if e["kind"] == "decision"], numbers)
    machine.load(engine, seed=row["seed"], origin=Origin.from_dict(row["origin"]))
    conductor.reset_seconds = row["reset_seconds"] or 0.0
    conductor.landing = Landing(reader, engine, changes, machine.trace.attempt.steps)
    conductor.next_attempt = None
    redo_from(conductor, history, place, row)
    return "resumed"


def begin_next(
    conductor: Conductor,
    history: Sequence[Mapping[str, Any]],
    place: int,
    origin: Origin,
    target: Held | None,
) -> str:
    """A restart was called for and not a step of what it began is saved: begin that attempt (again)."""
    event = history[place]
    machine = conductor.machine
    former = next(row for row in attempts_of(history) if row["id"] == event["attempt"])
    numbers = {known["id"]: known["number"] for known in attempts_of(history)}
    set_abandoned(machine, [e for e in history[: place + 1] if e["kind"] == "decision"], numbers)
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
    history: Sequence[Mapping[str, Any]],
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


def again_after_failure(conductor: Conductor, history: Sequence[Mapping[str, Any]]) -> str:
    """The run failed: a new attempt from the newest sound snapshot on the line that counts."""
    machine = conductor.machine
    attempts = attempts_of(history)
    decisions = [event for event in history if event["kind"] == "decision"]
    numbers = {row["id"]: row["number"] for row in attempts}
    set_abandoned(machine, decisions, numbers)
    last = next(event for event in reversed(decisions) if event["action"]["unanswered"])
    row = next(known for known in attempts if known["id"] == last["attempt"])
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
        begin_from(conductor, entry, reader, history)
        return "again after a failure"
    if candidates or any(not entry.sound for entry in machine.ledger):
        raise SnapshotError(
            f"every snapshot of run {conductor.name!r} is damaged; to begin it again from scratch, run it with fresh=True"
        )
    conductor.warn("the run failed before its first snapshot: a new attempt begins from scratch")
    conductor.next_attempt = (Origin(), None)
    return "again after a failure"


def begin_from(conductor: Conductor, entry: Held, reader: Any, history: Sequence[Mapping[str, Any]]) -> None:
    """A new attempt that takes up a snapshot with everything that belongs to it, rule states too."""
    from dalsegno.core.seeds import attempt_seed

    machine = conductor.machine
    number = machine.trace.begun + 1
    seed = attempt_seed(conductor.root_seed, number)
    origin = Origin.at(entry.id)
    begun = next((row for row in attempts_of(history) if row["number"] == number), None)
    if begun is not None and begun["started_from"] == entry.id:
        enter(conductor, begun)  # the program died before that attempt's first snapshot: it is begun again
        redo_from(conductor, history, history.index(begun), begun)
    else:
        conductor.attempt_id = conductor.journal.begin_attempt(
            number, seed, origin.to_dict(), started_from=entry.id, verified=True
        )
        conductor.attempt_number_of_row = number
        conductor.branch_id = conductor.journal.begin_branch(conductor.attempt_id, 0, None, entry.step, "start", None)
        conductor.branch_number = 0
        conductor.began_from = entry.id
    engine = reader.get("engine")
    machine.trace.begun = number
    from dalsegno.core.trace import Attempt

    machine.trace.attempt = Attempt(number, seed, origin)
    machine.load_attempt(engine)
    machine.changes = []
    machine.plan_snapshot()
    conductor.landing = Landing(reader, engine, (), entry.step)
    conductor.next_attempt = None


def extend_run(conductor: Conductor, history: Sequence[Mapping[str, Any]]) -> str:
    """The run had ended and its limits have moved: the rules are asked again where it stopped."""
    machine, writer = conductor.machine, conductor.journal
    decisions = [event for event in history if event["kind"] == "decision"]
    attempts = attempts_of(history)
    last, row = decisions[-1], attempts[-1]
    status = last["action"]["status"]
    set_abandoned(machine, decisions, {known["id"]: known["number"] for known in attempts})
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
    newest = max(own, key=lambda entry: entry.order, default=None)
    reader = None if newest is None or conductor.saver is None else conductor.saver.open(newest)
    if reader is None:
        raise SnapshotError("the state at the end of the run is not to be had: it cannot be extended")
    writer.reopen_attempt(row["id"])
    conductor.landing = Landing(reader, last["state"], (), machine.trace.attempt.steps)
    conductor.next_attempt = None
    return "extended"


def stored_result(conductor: Conductor) -> Result:
    """The result as it was stored when the run ended; not one step is taken."""
    outcome = dict(conductor.journal.run["outcome"])
    outcome["attempts"] = conductor.journal.summaries()
    outcome["journal"] = conductor.journal.shown_path
    return Result.from_dict(outcome)


def decision_from(event: Mapping[str, Any], machine: Machine) -> Decision:
    """A journaled decision, ready to be carried out again."""
    data = event["action"]
    target = next((entry for entry in machine.ledger if entry.id == data["target"]), None)
    if target is not None and not target.sound:
        twins = [
            e
            for e in machine.ledger
            if e.sound and not e.abandoned and e.attempt == target.attempt and e.step == target.step
        ]
        target = twins[-1] if twins else target
    action: Any
    if data["index"] >= 0:
        bound = machine.bound[data["index"]]
        action = bound.rule.action if bound.rule is not None else None
        if action is not None and data["escalated"]:
            action = action.escalate
    else:
        action = None
    if action is None or action.verb != data["verb"]:
        action = {"adapt": Adapt("adapt"), "roll back": RollBack(), "restart": Restart()}.get(
            data["verb"], Stop(data["reason"])
        )
    return Decision(
        action,
        event["rule"],
        data["index"],
        event["step"],
        data["attempt"],
        data["reason"],
        list(event["saw"]),
        target,
        [Change.from_list(change) for change in data["changes"]],
        data["own"],
        None if data["origin"] is None else Origin.from_dict(data["origin"]),
        data["wait"],
        data["succeeded"],
        data["unanswered"],
        data["escalated"],
    )
