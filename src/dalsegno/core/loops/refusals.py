"""Refusals: what the rules of a plan ask of its process, held against it before any work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dalsegno.core.actions import Action, Adapt, RollBack, Stop, Target
from dalsegno.core.conditions.modes import check_modes
from dalsegno.core.errors import UsageError
from dalsegno.core.plan import Plan
from dalsegno.core.rules import Rule


def check_plan(plan: Plan, schedule: Any) -> None:
    """Refuse a plan with two modes for one metric, or with a change that its process cannot make."""
    rules = [rule for rule in plan.rules if isinstance(rule, Rule)]
    check_modes([rule.condition for rule in rules], stated_modes(rules, schedule))
    for rule in rules:
        for action in actions_of(rule.action):
            check_change(plan, rule, action)


def actions_of(action: Action) -> Iterator[Action]:
    """An action, and what it escalates to."""
    yield action
    further = getattr(action, "escalate", None)
    if further is not None:
        yield from actions_of(further)


def stated_modes(rules: list[Rule], schedule: Any) -> Iterator[tuple[str, str, Any]]:
    """(metric, mode, place) of what says which way is better beside the conditions: targets, and what is kept."""
    for rule in rules:
        for action in actions_of(rule.action):
            to = getattr(action, "to", None) or getattr(action, "restore", None)
            if isinstance(to, Target) and to.metric and to.metric != "value" and to.which in ("best", "good"):
                yield to.metric, to.mode, rule
    keep = getattr(schedule, "keep", None)
    best = getattr(keep, "best", None)
    if best and best != "value":
        yield best, keep.mode, keep  # type: ignore[union-attr]


def check_change(plan: Plan, rule: Rule, action: Action) -> None:
    """A change by name is a method of the process, and leaving out items needs ``attempt.over`` or ``skip``."""
    if isinstance(action, (Adapt, RollBack)):
        change = action.change if isinstance(action, Adapt) else action.then
        if isinstance(change, str):
            refuse_without(plan, rule, change, "a change by name is a method of the process")
        if isinstance(action, RollBack) and action.skip and plan.process is not None and not plan.is_function:
            refuse_without(plan, rule, "skip", "roll_back(skip=...) calls skip(start, stop) of the process")
    elif isinstance(action, Stop) and not isinstance(action.reason, str):
        raise UsageError(f"{rule}: reason={action.reason!r}: expected a text")


def refuse_without(plan: Plan, rule: Rule, method: str, why: str) -> None:
    if plan.is_function or plan.process is None:
        raise UsageError(
            f"{rule}: {why}, and in a loop of your own there is no process: give a function of attempt.kept, the "
            f"dict of what attempt.keep was given, instead of {method!r}"
        )
    if not callable(getattr(plan.process, method, None)):
        kind = plan.process if isinstance(plan.process, type) else type(plan.process)
        raise UsageError(f"{rule}: {kind.__name__} has no method {method!r}: {why}")
