"""Deciding: a decision is made durable, then carried out; the same way after a kill, from the journal's row of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core import events
from dalsegno.core.actions import Adapt, Restart, RollBack, Stop, Target
from dalsegno.core.answering import best_restorable, skip_window, snapshot_objective
from dalsegno.core.decisions import Change, Decision
from dalsegno.core.errors import UsageError
from dalsegno.core.ledger import choose
from dalsegno.core.loops.ending import end_attempt_row
from dalsegno.core.loops.instructions import AGAIN, ENDED, Instruction, Landing
from dalsegno.core.loops.landing import apply_changes, land
from dalsegno.core.process import Origin

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor
    from dalsegno.core.machine import Machine


def decide(conductor: Conductor, decision: Decision, at: str, journaled: Any = None) -> Instruction | None:
    """Make a decision durable, then carry it out."""
    reader = engine = None
    if isinstance(decision.action, RollBack):
        why = conductor.subject.can_return()
        if why is not None:
            raise UsageError(f"{decision.rule} called for a roll back, and {why}")
        reader = open_target(conductor, decision)
        if reader is None:
            return give_up(conductor, decision, at)
        engine = reader.get("engine")
    conductor.last_decision = decision
    if journaled is None:
        made = [in_words(conductor, change) for change in decision.changes]
        action = to_json(decision, at, conductor.machine.trace.attempt.status, made)
        failure = conductor.machine.trace.attempt.failure
        if failure is not None:  # said again where the program dies before the attempt's row is closed
            action["failure"] = {
                "types": list(failure.types),
                "message": failure.message,
                "traceback": failure.traceback,
            }
        conductor.machine.commit(decision, engine)
        decision_id = conductor.journal.decision(
            attempt=conductor.attempt_id,
            branch=conductor.branch_id,
            step=decision.step,
            rule=decision.rule,
            action=action,
            saw=decision.saw,
            state=conductor.machine.state(),
            seconds=conductor.machine.trace.seconds,
        )
    else:
        decision_id = journaled["id"]
        attempt = conductor.machine.trace.attempt
        if isinstance(decision.action, (Restart, Stop)):
            conductor.machine.close_attempt()
        elif isinstance(decision.action, RollBack):
            conductor.machine.go_back(decision, engine or {})
        conductor.machine.load(journaled["state"], seed=attempt.seed, origin=attempt.origin)
    conductor.stream.send(
        events.DecisionTaken(
            decision.attempt,
            decision.step,
            decision.verb,
            decision.rule,
            decision.reason,
            None if decision.target is None else decision.target.step,
            journaled is not None,
        )
    )
    if isinstance(decision.action, Adapt):
        apply_changes(conductor, decision.changes)
        return None
    if isinstance(decision.action, RollBack):
        return go_back(conductor, decision, decision_id, reader, engine or {}, at)
    if isinstance(decision.action, Restart):
        return conductor.restart(decision)
    return stop(conductor, decision)


def open_target(conductor: Conductor, decision: Decision) -> Any:
    """A sound reader of the snapshot to go back to, choosing again where the first choice is damaged."""
    assert conductor.saver is not None
    action: Any = decision.action
    attempt = conductor.machine.trace.attempt
    while decision.target is not None:
        held = decision.target
        if held.sound:
            reader = conductor.saver.open(held)
            if reader is not None:
                return reader
        objective = snapshot_objective(conductor.machine)
        decision.target = choose(conductor.machine.ledger, attempt.number, attempt.steps, action.to, objective)
        if decision.target is not None:
            own = decision.changes[len(decision.changes) - decision.own :]
            if action.skip_from == "landing":
                for change in own:
                    if change.skip is not None:
                        change.skip = skip_window(conductor.machine, action, decision.target)
            decision.changes = [*conductor.machine.changes[decision.target.changes :], *own]
    return None


def give_up(conductor: Conductor, decision: Decision, at: str) -> Instruction | None:
    why = f"{decision.rule}: every snapshot to go back to is damaged"
    return decide(
        conductor,
        Decision(Stop(why), decision.rule, decision.index, decision.step, decision.attempt, why, succeeded=False),
        at,
    )


def go_back(
    conductor: Conductor, decision: Decision, decision_id: int, reader: Any, engine: dict[str, Any], at: str
) -> Instruction | None:
    assert decision.target is not None
    counter = conductor.machine.counters.get(decision.index, [0, 0, 0])
    if counter[0] == 2 and not decision.own:
        conductor.warn(
            f"{decision.rule} has gone back twice to step {decision.target.step} without a change: the same steps "
            "are taken again and will end the same way; give roll_back a change (then=) or skip="
        )
    begin_branch(conductor, decision.target.step, "roll back", decision_id)
    landing = Landing(reader, engine, decision.changes, decision.target.step)
    if at == "report":
        land(conductor, landing)
        conductor.open_lane()
        conductor.last = time.perf_counter()
        return AGAIN
    conductor.landing = landing
    return AGAIN


def begin_branch(conductor: Conductor, step: int, cause: str, decision_id: int) -> None:
    """The branch that a decision began: the journal's, where it is there already."""
    for row in conductor.journal.branches_of(conductor.attempt_id):
        if row["decision"] == decision_id:
            conductor.branch_id, conductor.branch_number = row["id"], row["number"]
            return
    conductor.branch_number += 1
    conductor.branch_id = conductor.journal.begin_branch(
        conductor.attempt_id, conductor.branch_number, conductor.branch_id, step, cause, decision_id
    )


def save_end(conductor: Conductor, restored: bool, kind: str = "end") -> None:
    """A run's end is a snapshot too, unless this very state has been saved already."""
    assert conductor.saver is not None
    attempt = conductor.machine.trace.attempt
    held = [entry for entry in conductor.machine.ledger if entry.attempt == attempt.number and entry.sound]
    newest = max(held, key=lambda entry: entry.order, default=None)
    if restored or newest is None or newest.step != attempt.steps or newest.branch != conductor.branch_id:
        conductor.saver.save(kind)


def stop(conductor: Conductor, decision: Decision) -> Instruction:
    action: Any = decision.action
    if action.restore is not None and decision.target is not None and conductor.is_ready and conductor.is_whole:
        save_end(conductor, False, "request")  # where it stopped: a run that is extended goes on from there
    restored = action.restore is not None and restore(conductor, decision, action.restore)
    if conductor.saver is not None and conductor.is_ready and conductor.is_whole and not decision.unanswered:
        save_end(conductor, restored)
    end_attempt_row(conductor)
    conductor.finish(decision)
    if decision.unanswered and conductor.error is not None:
        raise conductor.error
    return ENDED


def restore(conductor: Conductor, decision: Decision, to: Target) -> bool:
    """Put the state that a stop promises back into the process; where that cannot be done, or not exactly, say so."""
    saver, machine = conductor.saver, conductor.machine
    reader = None
    while saver is not None and decision.target is not None:
        reader = saver.open(decision.target) if decision.target.sound else None
        if reader is not None:
            break
        decision.target = best_restorable(machine, to)
    what = "best" if to.which == "best" else f"{to.label or to.which!r}"
    if reader is None:
        known = ", ".join(sorted({entry.label for entry in machine.ledger if entry.label})) or "none"
        why = {
            "best": "no snapshot was taken of a report that carries what is best (a value, or the metric that "
            "ds.when.stalled watches, Keep(best=...) names or restore=Target('best', metric=...) asks for); "
            "checkpoint=ds.checkpoint.Improved('loss'), say, takes one whenever it improves",
            "label": f"no snapshot has that name (those with a name: {known})",
        }.get(to.which, "there is no such snapshot")
        conductor.warn(f"restore: {what} could not be put back, the last state stays: {why}")
        return False
    conductor.subject.load(reader.get("process"))
    best = machine.best() if to.which == "best" and not to.metric else None
    held = decision.target
    if best is not None and held is not None and (held.attempt, held.step) != (best.attempt, best.step):
        conductor.warn(
            f"restore: the best {best.metric} ({best.value:g}) was that of step {best.step} of attempt {best.attempt}, "
            f"of which there is no snapshot: the state of step {held.step} of attempt {held.attempt} was put back; "
            f"checkpoint=ds.checkpoint.Improved({best.metric!r}) takes a snapshot whenever it improves"
        )
    return True


def refuse_without_state(decision: Decision) -> None:
    """The driver of parallel attempts has no attempt's state: it can end attempts and the run, and nothing else."""
    if not isinstance(decision.action, (Restart, Stop)):
        raise UsageError(
            f"{decision.rule} called for {decision.verb!r}: a policy that looks at the whole run cannot do that to one of "
            "parallel attempts, whose state lies in another program; give it scope = 'attempt', and it decides there"
        )


def in_words(conductor: Conductor, change: Change) -> str:
    """What a change is called, for people who read the journal."""
    if change.skip is not None:
        return f"skip items {change.skip[0] + 1} to {change.skip[1]}"
    function = conductor.machine.bound[change.rule].change(change.role, change.escalated, change.named)
    if isinstance(function, str):
        return function
    return str(getattr(function, "__name__", function))


def to_json(decision: Decision, at: str, status: str, made: Sequence[str] = ()) -> dict[str, Any]:
    """A decision as plain values: enough to carry it out again."""
    return {
        "verb": decision.verb,
        "index": decision.index,
        "escalated": decision.escalated,
        "at": at,
        "status": status,
        "reason": decision.reason,
        "succeeded": decision.succeeded,
        "unanswered": decision.unanswered,
        "target": None if decision.target is None else decision.target.id,
        "target_step": None if decision.target is None else decision.target.step,
        "target_name": None if decision.target is None else decision.target.name,
        "changes": [change.to_list() for change in decision.changes],
        "made": list(made),
        "own": decision.own,
        "origin": None if decision.origin is None else decision.origin.to_dict(),
        "wait": decision.wait,
        "attempt": decision.attempt,
    }


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
