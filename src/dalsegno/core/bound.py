"""A rule or policy bound to one run: its state, saved and restored by scope."""

from __future__ import annotations

import copy
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.rules import Rule
from dalsegno.core.trace import Trace

RUN = frozenset(("run",))
ATTEMPT = frozenset(("attempt",))
BOTH = RUN | ATTEMPT


class Bound:
    """A rule or policy with its state in one run."""

    __slots__ = ("attributes", "fold", "index", "name", "policy", "pristine", "rule", "state")

    def __init__(self, index: int, rule: Any) -> None:
        self.index = index
        self.rule: Rule | None = rule if isinstance(rule, Rule) else None
        self.policy: Any = None
        self.name = str(rule) if isinstance(rule, Rule) else policy_name(rule)
        self.state: Any = None
        self.pristine: Any = None
        if self.rule is not None:
            self.state = self.rule.condition.initial()
            self.fold = self.rule.condition.fold
        else:
            try:
                self.policy = copy.deepcopy(rule)
            except TypeError as error:
                raise UsageError(
                    f"rules[{index}] ({self.name}) cannot be copied, as every run needs a policy of its own: {error}; "
                    "give it a __deepcopy__, or make what cannot be copied when it is first asked"
                ) from None
            self.attributes: dict[str, Any] | None = None
            if hasattr(self.policy, "state_dict"):
                self.pristine = copy.deepcopy(self.policy.state_dict())
            else:
                self.attributes = copy.deepcopy(getattr(self.policy, "__dict__", None))

    @property
    def scope(self) -> str:
        return getattr(self.policy, "scope", "run")

    def saved(self) -> Any:
        if self.rule is not None:
            return copy.deepcopy(self.state)
        return copy.deepcopy(self.policy.state_dict()) if self.pristine is not None else None

    def load(self, saved: Any, scopes: frozenset[str]) -> None:
        if self.rule is not None:
            self.rule.condition.restore(self.state, copy.deepcopy(saved), scopes)
        elif self.pristine is not None and self.scope in scopes:
            self.policy.load_state_dict(copy.deepcopy(saved))

    def unsaved(self) -> list[str]:
        """The attributes in which a policy without ``state_dict`` has changed: what it learned is lost with the program."""
        if self.policy is None or self.attributes is None:
            return []
        return [name for name, value in vars(self.policy).items() if not alike(value, self.attributes.get(name, self))]

    def begin_attempt(self) -> None:
        if self.rule is not None:
            self.rule.condition.restore(self.state, self.rule.condition.initial(), ATTEMPT)
        elif self.pristine is not None and self.scope == "attempt":
            self.policy.load_state_dict(copy.deepcopy(self.pristine))

    def named(self, change: Any) -> str | None:
        """The name by which a policy's change can be found again after a kill; a rule's change needs none."""
        if self.policy is None:
            return None
        if isinstance(change, str):
            return change
        for name, known in getattr(self.policy, "changes", {}).items():
            if known is change:
                return str(name)
        raise UsageError(
            f"{self.name} called for the change {change!r}: a policy's change must be the name of a method of the "
            "process, or stand in the policy's own mapping `changes`, so that it can be made again after a kill"
        )

    def change(self, role: str, escalated: bool, named: str | None) -> Any:
        """The function or method name of a change that this rule or policy called for."""
        if self.rule is None:
            return getattr(self.policy, "changes", {}).get(named, named)
        action: Any = self.rule.action
        if escalated:
            action = action.escalate
        return action.change if role == "change" else action.then

    def saw(self, trace: Trace) -> dict[str, Any]:
        if self.rule is not None:
            return self.rule.condition.saw(self.state, trace)
        look = getattr(self.policy, "saw", None)
        return dict(look(trace)) if look is not None else {}


def alike(one: Any, other: Any) -> bool:
    try:
        return bool(one is other or one == other)
    except (TypeError, ValueError):  # what has no plain answer (arrays) is not held against it
        return True


def policy_name(policy: Any) -> str:
    named = getattr(policy, "name", None)
    if isinstance(named, str):
        return named
    text = str(policy)
    return type(policy).__name__ if text.startswith("<") else text
