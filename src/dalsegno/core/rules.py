"""Rules and policies: a rule is a condition and the action that it calls for; a policy is anything that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dalsegno.core.actions import Action, Adapt, Change, Restart, RollBack, Stop, Target, target
from dalsegno.core.conditions.base import Condition, condition
from dalsegno.core.durations import seconds
from dalsegno.core.errors import UsageError
from dalsegno.core.process import Origin
from dalsegno.core.trace import Trace


@runtime_checkable
class Policy(Protocol):
    """Anything with ``decide(trace) -> Action | None``; None lets the next policy be asked.

    Optional: ``observe(trace)``, called at every step before any policy is asked; ``state_dict`` and
    ``load_state_dict`` where it learns; ``scope`` (``"run"``, the default: never goes back; or ``"attempt"``: goes back
    with a roll back and begins afresh with a restart); ``saw(trace)``, what it looked at, for the journal.
    A policy object is copied when a run begins, so that one object can serve many runs.
    """

    def decide(self, trace: Trace) -> Action | None: ...


@dataclass(frozen=True)
class Rule:
    """A condition and the action that it calls for. Made by :func:`stop`, :func:`restart`, :func:`roll_back`, :func:`adapt`."""

    condition: Condition
    action: Action
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "condition", condition(self.condition))

    def __str__(self) -> str:
        return self.name or f"{self.action.verb} when {self.condition}"


def stop(
    when: object,
    *,
    reason: str = "",
    restore: Target | str | None = None,
    succeeded: bool | None = None,
    name: str | None = None,
) -> Rule:
    """End the run when ``when`` is true; ``restore="best"`` puts the best snapshot's state back first.

    ``succeeded`` says whether the run then counts as a success (exit code 0) or not (3); by default it does unless the
    attempt has failed.

    >>> import dalsegno as ds
    >>> print(ds.stop(ds.when.spent(steps=100)))
    stop when spent(steps=100)
    """
    if succeeded not in (None, True, False):
        raise UsageError(f"succeeded={succeeded!r}: expected True, False or None (unless the attempt has failed)")
    return Rule(condition(when), Stop(reason, None if restore is None else target(restore), succeeded), name)


def restart(
    when: object,
    *,
    origin: Origin | Callable[[Trace], Origin] | None = None,
    wait: float | str | Callable[[int], float] = 0.0,
    name: str | None = None,
) -> Rule:
    """End this attempt and begin another when ``when`` is true.

    ``origin`` is where it begins (default: from scratch with a seed of its own), or a function of the trace that says
    so: the attempt that ends is ``trace.attempt`` there, those before it ``trace.attempts``. ``wait`` is in seconds (or
    ``"5m"``), or a function of the number of attempts begun. An attempt from a snapshot or a prefix draws on from a seed
    of its own: only random generators that are part of the state go on as they were.
    """
    if not callable(wait):
        wait = seconds(wait)
    if origin is not None and not isinstance(origin, Origin) and not callable(origin):
        raise UsageError(
            f"origin={origin!r}: expected ds.Origin.scratch(), .at(snapshot), .warm(prior), .prefix(attempt=, step=), "
            "or a function of the trace that gives one"
        )
    return Rule(condition(when), Restart(Origin() if origin is None else origin, wait), name)


def roll_back(
    when: object,
    *,
    to: Target | str = "last",
    then: Change | None = None,
    skip: int = 0,
    limit: int = 3,
    total: int | None = None,
    escalate: Action | Rule | None = None,
    name: str | None = None,
    skip_from: str = "fault",
) -> Rule:
    """Go back to a snapshot when ``when`` is true, change something (``then``), leave out ``skip`` items of data, go on.

    ``to`` is ``"last"``, ``"best"``, ``"start"``, a label, or a :class:`Target`.  The items left out lie around the
    fault; with ``skip_from="landing"`` they are all those since the snapshot, and at least ``skip``.  After ``limit`` roll backs since a
    snapshot was last committed beyond the fault (or ``total`` in all) the rule stands down and the next one is asked;
    if none answers the run stops as not succeeded.  ``escalate`` names an action to take then instead (a stop is
    then not a success either, unless it says so).
    """
    for keyword, count in (("limit", limit), ("skip", skip), ("total", 0 if total is None else total)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise UsageError(f"{keyword}={count!r}: expected a whole number of at least 0")
    if then is not None and not callable(then) and not isinstance(then, str):
        raise UsageError(f"then={then!r}: expected a function of the process or the name of one of its methods")
    further = escalate.action if isinstance(escalate, Rule) else escalate
    if further is not None and not isinstance(further, (Adapt, Restart, Stop)):
        raise UsageError(
            f"escalate={escalate!r}: expected another action, as in ds.Restart() or ds.Stop('given up'); to go back "
            "elsewhere write a second roll_back after this one, which is asked once this one stands down"
        )
    return Rule(condition(when), RollBack(target(to), then, skip, limit, total, further, skip_from), name)


def adapt(when: object, change: Change, *, name: str | None = None) -> Rule:
    """Change the running process when ``when`` is true: ``change`` is a function of it, or the name of a method."""
    if not callable(change) and not isinstance(change, str):
        raise UsageError(f"change={change!r}: expected a function of the process or the name of one of its methods")
    return Rule(condition(when), Adapt(change), name)


def check_rules(rules: object) -> list[Any]:
    """The rules as a list, each a policy; refused otherwise, by position."""
    if isinstance(rules, (Rule, Policy)) and not isinstance(rules, type):
        rules = [rules]
    if isinstance(rules, (str, bytes, Mapping)) or not hasattr(rules, "__iter__"):
        raise UsageError(f"rules={rules!r}: expected a list of rules and policies")
    checked = list(rules)
    for position, rule in enumerate(checked):
        if isinstance(rule, type) or not isinstance(rule, (Rule, Policy)):
            hint = "; wrap a condition in ds.stop(...) or another rule" if isinstance(rule, Condition) else ""
            raise UsageError(f"rules[{position}] is {rule!r}: expected a rule or an object with decide(trace){hint}")
    return checked
