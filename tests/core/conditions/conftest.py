"""A condition beside the machine's own trace: what it answers, report by report."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report


class Watched:
    """A condition, its state, and the trace of a machine without rules."""

    def __init__(self, condition: Any) -> None:
        self.condition = condition
        self.state = condition.initial()
        self.machine = Machine([])
        self.machine.start(0, Origin())

    @property
    def trace(self) -> Any:
        return self.machine.trace

    def ask(self) -> Any:
        return self.condition.fold(self.state, self.trace)

    def step(self, *, seconds: float = 0.0, **report: Any) -> Any:
        self.machine.advance(Report(**report), seconds)
        return self.ask()

    def metric(self, value: float | None, name: str = "loss") -> Any:
        return self.step(metrics={} if value is None else {name: value})

    def values(self, *values: float | None, name: str = "loss") -> list[Any]:
        return [self.metric(value, name) for value in values]

    def fail(self, error: Exception | None = None) -> Any:
        if error is None:
            return self.step(status="failed")
        self.machine.fail(Failure.of(error), 0.0)
        return self.ask()

    def finish(self, returned: Any = None) -> Any:
        self.machine.finish_body(returned, 0.0)
        return self.ask()

    def begin(self, base: int = 0, state: str | None = None) -> None:
        """End the attempt, as a restart does, and begin another."""
        self.machine.close_attempt(state)
        self.machine.start(1, Origin(), base=base)
        self.condition.restore(self.state, self.condition.initial(), frozenset(("attempt",)))

    def snapshot(self) -> tuple[Any, Any]:
        return copy.deepcopy(self.state), self.trace.attempt.state()

    def go_back(self, snapshot: tuple[Any, Any]) -> None:
        state, attempt = copy.deepcopy(snapshot)
        self.trace.attempt.load(attempt)
        self.condition.restore(self.state, state, frozenset(("attempt",)))

    def saw(self) -> dict[str, Any]:
        return self.condition.saw(self.state, self.trace)


@pytest.fixture
def watch() -> type[Watched]:
    return Watched
