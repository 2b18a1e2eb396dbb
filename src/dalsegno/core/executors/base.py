"""What an executor is: it starts attempts somewhere and passes messages to and fro."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dalsegno.core.plan import Plan


@dataclass(frozen=True)
class Task:
    """One attempt to be run: the plan, the attempt's number and the run's root seed, and where its snapshots lie."""

    plan: Plan
    number: int
    root_seed: int
    name: str
    run_id: int
    uid: str
    owner: int
    snapshots_path: str | None
    origin: dict[str, Any]
    started_from: int | None = None


class Handle(Protocol):
    """The driver's end of a running attempt: bytes to and from it."""

    @property
    def number(self) -> int: ...

    def send(self, message: bytes) -> None: ...

    def receive(self) -> bytes | None:
        """The next message, or None if the attempt's program is gone."""
        ...

    def kill(self) -> None:
        """End the attempt at once; its durable state is what has been acknowledged."""
        ...


class Executor(Protocol):
    """Starts attempts; Ray and others implement these two methods."""

    def start(self, task: Task) -> Handle: ...

    def wait(self, handles: Sequence[Handle], timeout: float) -> list[Handle]:
        """Those with something to receive (or gone), within ``timeout`` seconds."""
        ...
