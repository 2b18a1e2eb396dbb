"""The five actions a policy may call for: continue, adapt, roll back, restart, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from dalsegno.core.errors import UsageError
from dalsegno.core.process import Origin

Change = (
    Callable[[Any], Any] | str
)  # a function of the process (a function's loop: of attempt.kept), or a method's name


class Action:
    """What a policy calls for. One of Continue, Adapt, RollBack, Restart, Stop."""

    verb: ClassVar[str] = ""


@dataclass(frozen=True)
class Continue(Action):
    """Go on; as an answer of a policy it also keeps the policies after it from being asked."""

    verb: ClassVar[str] = "continue"


@dataclass(frozen=True)
class Adapt(Action):
    """Change the running process and go on."""

    verb: ClassVar[str] = "adapt"
    change: Change


@dataclass(frozen=True)
class Target:
    """Which snapshot to go back to.

    ``which`` is ``last`` (the newest sound one), ``best`` (by ``metric``, ``mode``), ``before`` (the newest at or before
    ``step``; a negative ``step`` counts from the step of the fault), ``good`` (the newest at which ``metric`` was no
    worse than ``limit``), ``label`` (saved under a name) or ``start`` (right after reset).
    """

    which: str = "last"
    metric: str | None = None
    mode: str = "min"
    step: int | None = None
    limit: float | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.which not in ("last", "best", "before", "good", "label", "start"):
            raise UsageError(f"to={self.which!r}: expected last, best, before, good, label or start")
        if self.mode not in ("min", "max"):
            raise UsageError(f"mode={self.mode!r}: expected 'min' or 'max'")

    def __str__(self) -> str:
        """In words: what is looked for."""
        said = {
            "last": "the newest snapshot",
            "best": f"the best snapshot by {self.metric or 'value or the metric that is watched'}",
            "before": f"a snapshot before step {self.step}",
            "good": f"a snapshot with {self.metric} {'at most' if self.mode == 'min' else 'at least'} {self.limit}",
            "label": f"a snapshot named {self.label!r}",
            "start": "the snapshot right after reset",
        }
        return said[self.which]


def target(to: Target | str) -> Target:
    """``"last"``, ``"best"`` (by the objective), ``"start"``; any other string is a snapshot's label."""
    if isinstance(to, Target):
        return to
    if not isinstance(to, str) or not to:
        raise UsageError(f"{to!r} names no snapshot: expected 'last', 'best', 'start', a label, or a ds.Target(...)")
    return Target(to) if to in ("last", "best", "start") else Target("label", label=to)


@dataclass(frozen=True)
class RollBack(Action):
    """Go back to a snapshot of this attempt, change something, go on.

    ``limit`` counts roll backs of this rule since a snapshot was last committed beyond the fault, ``total`` all of
    them; past either the rule stands down.  ``skip`` leaves out that many items of data around the fault or, with
    ``skip_from="landing"``, all from the place gone back to up to the fault, and at least that many.
    ``escalate`` is the action to take instead once the limit is reached.
    """

    verb: ClassVar[str] = "roll back"
    to: Target = Target()
    then: Change | None = None
    skip: int = 0
    limit: int = 3
    total: int | None = None
    escalate: Action | None = None
    skip_from: str = "fault"

    def __post_init__(self) -> None:
        if self.skip_from not in ("fault", "landing"):
            raise UsageError(f"skip_from={self.skip_from!r}: expected 'fault' or 'landing'")


@dataclass(frozen=True)
class Restart(Action):
    """End this attempt and begin another one from ``origin``, after ``wait`` seconds.

    ``wait`` is a number, or a function of the number of attempts begun so far (exponential backoff, say).
    """

    verb: ClassVar[str] = "restart"
    origin: Origin | Callable[[Any], Origin] = Origin()  # noqa: RUF009  (frozen)
    wait: float | Callable[[int], float] = 0.0


@dataclass(frozen=True)
class Stop(Action):
    """End the run. ``restore="best"`` (or another target) puts that snapshot's state back first."""

    verb: ClassVar[str] = "stop"
    reason: str = ""
    restore: Target | None = None
    succeeded: bool | None = None


@dataclass(frozen=True)
class OutOfBudget(Stop):
    """The stop of a hard budget: a success only where the attempt has just succeeded."""
