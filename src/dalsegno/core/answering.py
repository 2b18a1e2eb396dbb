"""Answering: what a rule calls for, made definite: which snapshot, which changes, which origin, how long a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dalsegno.core.actions import Action, Adapt, OutOfBudget, Restart, RollBack, Stop
from dalsegno.core.bound import Bound
from dalsegno.core.decisions import Change, Decision
from dalsegno.core.durations import seconds
from dalsegno.core.errors import UsageError
from dalsegno.core.ledger import Held, best_of, choose
from dalsegno.core.process import Origin

if TYPE_CHECKING:
    from dalsegno.core.machine import Machine

IDENTICAL_FAILURES = 3


def answer(machine: Machine, bound: Bound, action: Action, escalated: bool = False) -> Decision | None:
    """What a rule or policy calls for, made definite; None where it stands down."""
    attempt = machine.trace.attempt
    if isinstance(action, Adapt):
        if attempt.status != "running":
            return None
        change = Change(bound.index, "change", attempt.steps, escalated=escalated, named=bound.named(action.change))
        return decision_of(machine, bound, action, bound.name, changes=[change], own=1, escalated=escalated)
    if isinstance(action, RollBack):
        return answer_roll_back(machine, bound, action)
    if isinstance(action, Restart):
        return answer_restart(machine, bound, action, escalated)
    if isinstance(action, Stop):
        if isinstance(action, OutOfBudget):
            action = Stop(action.reason, succeeded=attempt.status == "succeeded")
        won = attempt.status != "failed" and not escalated if action.succeeded is None else action.succeeded
        reason = action.reason or bound.name
        chosen = None
        if action.restore is not None:
            chosen = best_restorable(machine, action.restore)
        return decision_of(machine, bound, action, reason, succeeded=won, target=chosen, escalated=escalated)
    raise TypeError(f"{bound.name} answered {action!r}: expected one of the five actions")


def best_restorable(machine: Machine, to: Any) -> Held | None:
    """The snapshot to put back at the end: of the whole run for best, else of this attempt."""
    if to.which == "best":
        metric, mode = (to.metric, to.mode) if to.metric else snapshot_objective(machine)
        return best_of((e for e in machine.ledger if e.sound and not e.abandoned), metric, mode)
    attempt = machine.trace.attempt
    return choose(machine.ledger, attempt.number, attempt.steps, to, snapshot_objective(machine))


def answer_roll_back(machine: Machine, bound: Bound, action: RollBack) -> Decision | None:
    attempt = machine.trace.attempt
    since, _, total = machine.counters.get(bound.index, [0, 0, 0])
    chosen = choose(machine.ledger, attempt.number, attempt.steps, action.to, snapshot_objective(machine))
    why = ""
    if since >= action.limit or (action.total is not None and total >= action.total):
        which = f"limit={action.limit}" if since >= action.limit else f"total={action.total}"
        why = f"{bound.name}: gone back {since if since >= action.limit else total} times ({which})"
    elif chosen is None:
        why = f"{bound.name}: there is no snapshot to go back to (looked for: {action.to})"
    if why:
        if action.escalate is not None:
            return answer(machine, bound, action.escalate, escalated=True)
        place = "" if chosen is None else f", each time to the snapshot of step {chosen.step} ({chosen.name})"
        machine.stood_down.append((bound, f"{why}, the fault is still there at step {attempt.steps}{place}"))
        return None
    assert chosen is not None
    new = []
    if action.then is not None:
        new.append(Change(bound.index, "then", attempt.steps, named=bound.named(action.then)))
    if action.skip:
        new.append(Change(bound.index, "skip", attempt.steps, skip_window(machine, action, chosen)))
    again = machine.changes[chosen.changes :]
    return decision_of(machine, bound, action, bound.name, target=chosen, changes=[*again, *new], own=len(new))


def item_of(machine: Machine, step: int) -> int:
    """The item (from 0) that a process of one item a step has taken at ``step``, given the items left out so far."""
    place, end = step - 1, 0  # end: of the windows so far, which may overlap
    for start, stop in sorted(change.skip for change in machine.changes if change.skip is not None):
        start = max(start, end)
        if start > place:
            break
        place += max(stop - start, 0)
        end = max(stop, end)
    return place


def skip_window(machine: Machine, action: RollBack, landing: Held) -> tuple[int, int]:
    """The positions of the items to leave out, counted from 0: the first, and the one after the last."""
    attempt = machine.trace.attempt
    told = machine.skipped
    # The position after the item of the last finished step.
    reached = item_of(machine, attempt.steps) + 1 if told is None else attempt.steps + told
    if action.skip_from == "landing":
        in_step = not attempt.reports or attempt.reports[-1] is not machine.trace.report  # it failed at the next item
        first = item_of(machine, landing.step + 1) if told is None else landing.step + landing.skipped
        return first, max(reached + in_step, first + action.skip)
    first = max(reached - 1 - (action.skip - 1) // 2, 0)
    return first, first + action.skip


def answer_restart(machine: Machine, bound: Bound, action: Restart, escalated: bool) -> Decision | None:
    trace = machine.trace
    attempt = trace.attempt
    repeated = attempt.status == "failed" and machine.failures[2] >= IDENTICAL_FAILURES
    if repeated and not machine.attempts_limited:
        return None
    limit = limit_reached(machine)
    if limit is not None:
        return limit
    origin = action.origin(trace) if callable(action.origin) else action.origin
    if not isinstance(origin, Origin):
        raise UsageError(f"{bound.name}: its origin function gave {origin!r}: expected an Origin")
    wait = seconds(action.wait(trace.begun) if callable(action.wait) else action.wait)
    held = origin_snapshot(machine, origin)
    if held is None and origin.kind in ("snapshot", "prefix") and not machine.defers_origins:
        machine.stood_down.append((bound, f"{bound.name}: there is no sound snapshot for {origin}"))
        return None
    return decision_of(machine, bound, action, bound.name, origin=origin, target=held, wait=wait, escalated=escalated)


def limit_reached(machine: Machine) -> Decision | None:
    """The stop of a rule that has no place left for another attempt once this one has ended: none is begun."""
    trace = machine.trace
    running = trace.attempt.status == "running"
    trace.ended += running
    try:
        for bound in machine.folds:
            assert bound.rule is not None
            leaves = list(bound.rule.condition.leaves())
            if not isinstance(bound.rule.action, Stop) or not any(leaf.limits_attempts() for leaf in leaves):
                continue
            if all(leaf.limits for leaf in leaves) and bound.fold(bound.state, trace) is True:
                return answer(machine, bound, bound.rule.action)
    finally:
        trace.ended -= running
    return None


def origin_snapshot(machine: Machine, origin: Origin) -> Held | None:
    """The snapshot that an origin names, in any attempt of the run."""
    sound = [entry for entry in machine.ledger if entry.sound and not entry.abandoned]
    if origin.kind == "prefix":
        before = [e for e in sound if e.attempt == origin.attempt and e.step <= (origin.step or 0)]
        return max(before, key=lambda e: (e.step, e.order), default=None)
    if origin.kind != "snapshot":
        return None
    if origin.snapshot == "best":
        return best_of(sound, *snapshot_objective(machine))
    if origin.snapshot == "last":
        return max(sound, key=lambda entry: entry.order, default=None)
    named = [e for e in sound if origin.snapshot in (e.id, e.label, e.name)]
    return named[-1] if named else None


def snapshot_objective(machine: Machine) -> tuple[str, str]:
    if machine.objective is not None and not any(e.value is not None for e in machine.ledger):
        return machine.objective[0], machine.objective[1]
    return "value", "max"


def decision_of(machine: Machine, bound: Bound | None, action: Action, reason: str, **more: Any) -> Decision:
    """A decision where the attempt is now, with what every rule saw; ``bound`` None where the engine itself decided."""
    attempt = machine.trace.attempt
    saw = [
        {"rule": b.name, "saw": b.saw(machine.trace), "fired": b is bound, "true": b.index in machine.true}
        for b in machine.bound
    ]
    return Decision(
        action,
        bound.name if bound is not None else f"the engine: {reason}",
        bound.index if bound is not None else -1,
        attempt.steps,
        attempt.number,
        reason,
        saw,
        **more,
    )
