"""The stream of events of a run: what listeners, progress bars and pages subscribe to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.report import Report
from dalsegno.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run. Listeners are called in the program of the run, after it is durable."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began, or goes on (``how``: new, resumed, again after a failure, extended)."""

    run: int
    name: str
    seed: int
    how: str


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    attempt: int
    step: int
    origin: str
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StepTaken(Event):
    """Sent for every step only to listeners that have an attribute ``every_step`` that is true."""

    attempt: int
    step: int
    report: Report


@dataclass(frozen=True, slots=True)
class Progressed(Event):
    """Sent about ten times a second, for progress bars."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class DecisionTaken(Event):
    attempt: int
    step: int
    verb: str
    rule: str
    reason: str
    target_step: int | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotSaved(Event):
    id: int
    attempt: int
    step: int
    name: str
    kind: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AttemptEnded(Event):
    attempt: int
    state: str
    step: int


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    state: str
    reason: str
    rule: str | None


@dataclass(frozen=True, slots=True)
class Warned(Event):
    message: str


Listener = Callable[[Event], Any]


@dataclass(slots=True)
class Stream:
    """Sends events to listeners. A listener that raises stops the run with its own exception."""

    listeners: list[Listener] = field(default_factory=list)

    def send(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    @property
    def steps(self) -> list[Listener]:
        return [listener for listener in self.listeners if getattr(listener, "every_step", False)]
