"""Asking: the rules and policies in their order, judges where a rule needs one, until the first has answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.actions import Continue, Stop
from dalsegno.core.answering import IDENTICAL_FAILURES, answer, decision_of
from dalsegno.core.bound import Bound
from dalsegno.core.conditions.base import Pending
from dalsegno.core.decisions import DUE, Ask, Outcome
from dalsegno.core.report import Failure

if TYPE_CHECKING:
    from dalsegno.core.machine import Machine


def settle(machine: Machine, fired: list[tuple[Bound, Any]]) -> Outcome:
    """Ask the policies in order; the first that answers wins."""
    machine.true = {bound.index for bound, _ in fired}
    if machine.has_policies:
        true = {bound.index: truth for bound, truth in fired}
        machine.queue = [(b, true.get(b.index)) for b in machine.bound if b.policy is not None or b.index in true]
    else:
        machine.queue = fired
    machine.stood_down = []
    return next_answer(machine)


def next_answer(machine: Machine) -> Outcome:
    """The answer of the first in the queue that has one; what the attempt's own end comes to where none has."""
    while machine.queue:
        bound, truth = machine.queue.pop(0)
        if isinstance(truth, Pending):
            return Ask(truth.judge, bound.index, truth)
        action = bound.rule.action if bound.rule is not None else bound.policy.decide(machine.trace)
        if action is None:
            continue
        if isinstance(action, Continue):
            if machine.trace.attempt.status == "running":
                machine.queue = []
                return undisturbed(machine)
            continue
        decision = answer(machine, bound, action)
        if decision is not None:
            machine.queue = []
            return decision
    return unanswered(machine)


def ask_where_it_stopped(
    machine: Machine, saw: Sequence[dict[str, Any]], status: str, failure: Failure | None
) -> Outcome:
    """Ask anew the rules that were true; those made of limits only, which have moved, must be so once more."""
    trace = machine.trace
    if status == "running":
        trace.ended -= 1
    trace.attempt.status, trace.attempt.failure = status, failure
    machine.queue, machine.stood_down = [], []
    for bound, seen in zip(machine.bound, saw, strict=True):
        if bound.rule is None or not seen["true"]:
            continue
        leaves = list(bound.rule.condition.leaves())
        if all(leaf.limits for leaf in leaves) and not bound.fold(bound.state, trace):
            continue
        machine.queue.append((bound, True))
    machine.true = {bound.index for bound, _ in machine.queue}
    return next_answer(machine)


def undisturbed(machine: Machine) -> Outcome:
    """The attempt goes on, after a snapshot where one is due."""
    attempt = machine.trace.attempt
    return DUE if attempt.steps >= machine.due_step or attempt.seconds >= machine.due_seconds else None


def unanswered(machine: Machine) -> Outcome:
    """Nothing was answered: a rule that stood down stops the run, and so does the end of the attempt itself."""
    attempt = machine.trace.attempt
    if machine.stood_down:
        bound, why = machine.stood_down[0]
        return decision_of(machine, bound, Stop(why), why, succeeded=False)
    if attempt.status == "running":
        return undisturbed(machine)
    if attempt.status == "succeeded":
        return decision_of(machine, None, Stop("succeeded"), "succeeded")
    failure = attempt.failure
    why = "failed"
    if failure is not None:
        why = f"failed with {failure.type}: {failure.message}" if failure.types else f"failed: {failure.message}"
    if machine.failures[2] >= IDENTICAL_FAILURES and not machine.attempts_limited:
        why += (
            f"; the same {machine.failures[2]} times in a row at this step, so that it is not begun again "
            "(a rule such as ds.stop(ds.when.spent(attempts=10)) says how often it may be)"
        )
    return decision_of(machine, None, Stop(why), why, succeeded=False, unanswered=failure is not None)
