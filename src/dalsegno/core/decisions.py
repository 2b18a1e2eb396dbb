"""What the machine answers: a decision, a judge to be asked, a snapshot that is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.actions import Action
from dalsegno.core.conditions.base import Pending
from dalsegno.core.ledger import Held
from dalsegno.core.process import Origin


@dataclass(slots=True)
class Change:
    """One change made to the running process: by which rule, in which role (``change``, ``then``, ``skip``) and where."""

    rule: int
    role: str
    step: int
    skip: tuple[int, int] | None = None
    escalated: bool = False
    named: str | None = None  # where a policy called for it: the method, or the name in the policy's ``changes``

    def to_list(self) -> list[Any]:
        skip = None if self.skip is None else list(self.skip)
        return [self.rule, self.role, self.step, skip, self.escalated, self.named]

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> Change:
        rule, role, step, skip, escalated, named = data
        window = None if skip is None else (int(skip[0]), int(skip[1]))
        return cls(int(rule), role, int(step), window, bool(escalated), named)


@dataclass(slots=True)
class Decision:
    """An action that was called for, and everything needed to carry it out again after a kill."""

    action: Action
    rule: str
    index: int  # position of the rule in the list; -1 where the engine itself decided
    step: int
    attempt: int
    reason: str
    saw: list[dict[str, Any]] = field(default_factory=list)
    target: Held | None = None
    changes: list[Change] = field(default_factory=list)  # to be applied after the restore, in order
    own: int = 0  # how many of them are new with this decision (they stand last)
    origin: Origin | None = None
    wait: float = 0.0
    succeeded: bool = True
    unanswered: bool = False  # a failure no rule spoke for: the user's own exception leaves
    escalated: bool = False

    @property
    def verb(self) -> str:
        return self.action.verb


@dataclass(slots=True)
class Ask:
    """A judge that has to be asked before the machine can decide; answer with :meth:`Machine.reply`."""

    judge: Any
    rule: int
    pending: Pending


class Due:
    """Nothing fired and a snapshot is due."""


DUE = Due()
Outcome = Decision | Ask | Due | None
