"""Trace: what is known of a run so far, in constant time and memory a step however long the run is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Any

from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report

RECENT = 1000
BLOCK = 512  # steps after which the summaries are brought up to date


class Summary:
    """Running figures of one metric: how often reported, the last value, the least and greatest finite value."""

    __slots__ = ("count", "last", "maximum", "minimum")

    def __init__(self, count: int = 0, last: float = 0.0, minimum: float = inf, maximum: float = -inf) -> None:
        self.count, self.last, self.minimum, self.maximum = count, last, minimum, maximum

    def to_list(self) -> list[float]:
        return [self.count, self.last, self.minimum, self.maximum]

    def __repr__(self) -> str:
        return f"Summary(count={self.count}, last={self.last}, minimum={self.minimum}, maximum={self.maximum})"


@dataclass(slots=True)
class Best:
    """The best report so far by the run's objective: its value, and the attempt and step that had it."""

    value: float
    attempt: int
    step: int
    metric: str = "value"
    metrics: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("value", "attempt", "step", "metric", "metrics")}


@dataclass(slots=True)
class AttemptSummary:
    """What stays in the trace of an attempt that has ended.

    ``state`` is succeeded, failed, cut (by a restart, a stop or another attempt's success) or interrupted.
    ``censored`` is true where the attempt did not end by itself; ``seconds`` is then a lower bound.
    """

    number: int
    state: str
    censored: bool
    steps: int
    seconds: float
    cost: dict[str, float]
    value: float | None = None
    best: Best | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    returned: Any = None
    reset_seconds: float = 0.0
    propensity: float = 1.0
    seed: int = 0
    origin: Origin = field(default_factory=Origin)

    @classmethod
    def of(cls, attempt: Attempt, state: str | None = None) -> AttemptSummary:
        """The summary of an attempt that is over: censored unless it ended by itself and no other ``state`` is told."""
        own = attempt.status != "running" and state is None
        return cls(
            attempt.number,
            state or (attempt.status if own else "cut"),
            not own,
            attempt.steps - attempt.base,
            attempt.seconds,
            dict(attempt.cost),
            attempt.value,
            attempt.best,
            {name: figures.last for name, figures in attempt.metrics.items()},
            attempt.failure,
            attempt.returned,
            seed=attempt.seed,
            origin=attempt.origin,
        )


class Attempt:
    """The current attempt as rules see it: everything here goes back with a roll back."""

    __slots__ = (
        "base",
        "best",
        "cost",
        "failure",
        "folded",
        "number",
        "origin",
        "reports",
        "returned",
        "seconds",
        "seed",
        "status",
        "steps",
        "summaries",
        "value",
    )

    def __init__(self, number: int, seed: int = 0, origin: Origin | None = None) -> None:
        self.number, self.seed, self.origin = number, seed, origin or Origin()
        self.status = "running"
        self.failure: Failure | None = None
        self.steps = 0  # position: the number of the last step on the line that counts
        self.base = 0  # the position it began at: that of the snapshot or prefix it came from
        self.seconds = 0.0
        self.cost: dict[str, float] = {}
        self.summaries: dict[str, Summary] = {}
        self.folded = 0  # how many steps the summaries have taken in; the rest stands in reports
        self.reports: deque[Report] = deque(maxlen=RECENT)  # one a step, the newest last
        self.value: float | None = None  # the greatest finite value reported
        self.best: Best | None = None
        self.returned: Any = None

    @property
    def metrics(self) -> dict[str, Summary]:
        """Running figures by metric, up to the newest report."""
        self.fold()
        return self.summaries

    def fold(self) -> None:
        """Take the reports that have come since the last time into the summaries, a block at a time."""
        due = min(self.steps - self.folded, len(self.reports))
        self.folded = self.steps
        if due <= 0:
            return
        columns: dict[str, list[float]] = {}
        for report in islice(self.reports, len(self.reports) - due, None):
            for name, figure in report.metrics.items():
                column = columns.get(name)
                if column is None:
                    columns[name] = [figure]
                else:
                    column.append(figure)
        for name, column in columns.items():
            summary = self.summaries.setdefault(name, Summary())
            summary.count += len(column)
            summary.last = column[-1]
            finite = [figure for figure in column if -inf < figure < inf]
            if finite:
                summary.minimum = min(summary.minimum, min(finite))
                summary.maximum = max(summary.maximum, max(finite))

    def state(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "base": self.base,
            "seconds": self.seconds,
            "cost": dict(self.cost),
            "metrics": {name: summary.to_list() for name, summary in self.metrics.items()},
            "value": self.value,
            "best": None if self.best is None else self.best.to_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.status, self.failure, self.returned = "running", None, None
        for _ in range(min(self.steps - int(state["steps"]), len(self.reports))):
            self.reports.pop()
        self.steps, self.base = int(state["steps"]), int(state["base"])
        self.seconds, self.cost = float(state["seconds"]), dict(state["cost"])
        self.summaries = {name: Summary(*figures) for name, figures in state["metrics"].items()}
        self.folded = self.steps
        self.value = state["value"]
        self.best = None if state["best"] is None else Best(**state["best"])


class Trace:
    """What is known of a run so far: the current attempt, and the summaries of all earlier ones.

    ``report`` is the newest report, ``metrics`` its metrics, ``attempt`` the current attempt (its position, seconds,
    cost, running summaries by metric and last 1,000 reports), ``attempts`` the summaries of those that have ended.
    ``steps``, ``seconds`` and ``cost`` are of the run: steps taken, running seconds and cost by unit, roll backs charged.
    """

    __slots__ = ("attempt", "attempts", "begun", "cost", "ended", "metrics", "names", "report", "seconds", "steps")

    def __init__(self) -> None:
        self.report = Report()
        self.metrics: dict[str, float] = self.report.metrics
        self.attempt = Attempt(0)
        self.attempts: list[AttemptSummary] = []
        self.steps = 0
        self.seconds = 0.0
        self.cost: dict[str, float] = {}
        self.begun = 0
        self.ended = 0
        self.names: dict[str, None] = {}  # every metric ever reported, in order of appearance

    def spent(self, unit: str) -> float:
        """What the run has used of a unit: steps taken, running seconds, attempts ended, or any unit of cost."""
        if unit == "steps":
            return self.steps
        if unit == "seconds":
            return self.seconds
        if unit == "attempts":
            return self.ended
        return self.cost.get(unit, 0.0)

    def elapsed(self, unit: str) -> float:
        """The same of the current attempt, up to where it is now."""
        if unit == "steps":
            return self.attempt.steps - self.attempt.base
        if unit == "seconds":
            return self.attempt.seconds
        return self.attempt.cost.get(unit, 0.0)

    def state(self) -> dict[str, Any]:
        """The run's own counters; summaries of ended attempts are kept by whoever keeps the attempts."""
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            "cost": dict(self.cost),
            "begun": self.begun,
            "ended": self.ended,
            "names": list(self.names),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.steps, self.seconds, self.cost = int(state["steps"]), float(state["seconds"]), dict(state["cost"])
        self.begun, self.ended = int(state["begun"]), int(state["ended"])
        self.names = dict.fromkeys(state["names"])
