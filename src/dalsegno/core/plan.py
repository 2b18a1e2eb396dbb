"""Plan: one value that says what a run is. Run, command line, workers and studies all take it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dalsegno.core.actions import RollBack, Stop
from dalsegno.core.budget import Budget
from dalsegno.core.durations import seconds
from dalsegno.core.errors import UsageError
from dalsegno.core.process import Process
from dalsegno.core.rules import Rule, check_rules

METHODS = ("reset", "step", "state_dict", "load_state_dict")


@dataclass(frozen=True)
class Plan:
    """A process or function, the rules over it, when to save, and the seed.

    ``process`` is a :class:`Process` (or any object with its four methods), a class of one that needs no arguments, or
    a function ``train(attempt)``.  ``checkpoint`` is a schedule of snapshots (``ds.checkpoint.Every``, ``YoungDaly``,
    ``Never``); left out, it is Young/Daly where there is a journal or a roll back rule, and nothing elsewhere.
    ``seed`` left out is drawn once and journaled.  ``name`` defaults to the name of the class or function.
    ``step_timeout`` in seconds (or ``"10m"``): a step that takes longer is taken for hung.
    """

    process: Any
    rules: Sequence[Any] = ()
    checkpoint: Any = None
    seed: int | None = None
    name: str | None = None
    budget: Budget | None = None
    step_timeout: float | str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(check_rules(self.rules)))
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0):
            raise UsageError(f"seed={self.seed!r}: expected a whole number of at least 0, or None for one drawn once")
        if self.budget is not None and not isinstance(self.budget, Budget):
            raise UsageError(
                f"budget={self.budget!r}: expected ds.Budget(tokens=..., usd=...); a bare number has no unit"
            )
        if self.checkpoint is not None and not hasattr(self.checkpoint, "due"):
            raise UsageError(
                f"checkpoint={self.checkpoint!r}: expected a schedule such as ds.checkpoint.Every(steps=100) "
                "or ds.checkpoint.YoungDaly(mtbf='6h')"
            )
        if self.name is not None and (not isinstance(self.name, str) or not self.name.strip()):
            raise UsageError(f"name={self.name!r}: expected a text to find the run by, or None for that of the process")
        if self.step_timeout is not None and seconds(self.step_timeout) <= 0:
            raise UsageError(f"step_timeout={self.step_timeout!r}: expected a duration above 0, such as '10m'")
        check_subject(self.process)

    def with_(self, **changes: Any) -> Plan:
        """The same plan with some of its fields changed."""
        return replace(self, **changes)

    @property
    def is_function(self) -> bool:
        return not is_process(self.process)

    @property
    def run_name(self) -> str:
        if self.name is not None:
            return self.name
        subject = self.process
        while hasattr(subject, "func") and not hasattr(subject, "__name__"):  # functools.partial
            subject = subject.func
        if isinstance(subject, type) or not is_process(subject):
            return str(getattr(subject, "__name__", type(subject).__name__))
        return type(subject).__name__

    def wants_snapshots(self, journal: bool) -> bool:
        """Whether a state may have to be put back: a journal, a schedule, or a rule that goes back."""
        if journal or self.checkpoint is not None:
            return True
        return any(may_go_back(rule) for rule in self.rules)


def may_go_back(rule: Any) -> bool:
    if not isinstance(rule, Rule):
        return bool(getattr(rule, "goes_back", False))
    action = rule.action
    further = getattr(action, "escalate", None)
    if isinstance(action, RollBack) or isinstance(further, RollBack):
        return True
    if isinstance(action, Stop):
        return action.restore is not None
    origin = getattr(action, "origin", None)
    return callable(origin) or getattr(origin, "kind", "scratch") in ("snapshot", "prefix")


def is_process(subject: Any) -> bool:
    return (
        isinstance(subject, Process)
        or hasattr(subject, "step")
        or (isinstance(subject, type) and issubclass(subject, Process))
    )


def check_subject(subject: Any) -> None:
    """Refuse what is neither a process nor a function of one attempt, saying what is missing."""
    if subject is None:  # the inline form: the loop's body is the process
        return
    if is_process(subject):
        for name in ("state_dict", "load_state_dict"):
            if inspect.iscoroutinefunction(getattr(subject, name, None)):
                raise UsageError(
                    f"{subject!r}: {name} is a coroutine function: the state of a moment cannot be waited for"
                )
        missing = [name for name in METHODS if not callable(getattr(subject, name, None))]
        if missing:
            raise UsageError(f"{subject!r} is no Process: it has no {', '.join(missing)}")
        return
    if not callable(subject):
        raise UsageError(f"{subject!r}: expected a Process, a class of one, or a function def train(attempt)")
    if inspect.isgeneratorfunction(subject) or inspect.isasyncgenfunction(subject):
        raise UsageError(
            f"{subject!r} is a generator function: calling it does nothing. Let it go over attempt.over(...) and report, "
            "without yield"
        )
    try:
        inspect.signature(subject).bind(object())
    except TypeError as error:
        raise UsageError(f"{subject!r} cannot be called with one attempt: {error}") from None
    except ValueError:
        pass  # a builtin without a signature


def is_async(subject: Any) -> bool:
    """Whether the process or function needs an event loop."""
    if is_process(subject):
        return any(inspect.iscoroutinefunction(getattr(subject, name, None)) for name in METHODS)
    call: Callable[..., Any] = subject
    while hasattr(call, "func"):
        call = call.func
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(type(call), "__call__", None))  # noqa: B004
