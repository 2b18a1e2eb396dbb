"""Result: how a run ended, what it cost, and where its journal is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.process import Origin
from dalsegno.core.report import Failure
from dalsegno.core.trace import AttemptSummary, Best


@dataclass(frozen=True)
class Result:
    """How a run ended.

    ``state`` is ``finished`` or ``failed``; ``succeeded`` is false where the last attempt failed or the engine gave up;
    ``rule`` is the rule that stopped it (None where an attempt simply succeeded) and ``reason`` says it in words.
    ``value`` and ``best`` are of the whole run, not of its last attempt.  ``steps``, ``seconds`` and ``cost`` are the
    logical cost, the same with and without kills; ``paid`` is what was really done, work redone after a crash included.
    ``verdict`` is ``exact`` unless a resume found that redone steps differ (``approximate``); ``compared`` is how many
    steps the program that ended the run did again and found in the journal to compare with: with 0, nothing spoke against it.
    """

    state: str
    succeeded: bool
    reason: str
    rule: str | None
    steps: int
    seconds: float
    cost: dict[str, float]
    attempts: list[AttemptSummary]
    best: Best | None = None
    returned: Any = None
    step: int = 0
    paid: dict[str, float] = field(default_factory=dict)
    verdict: str = "exact"
    compared: int = 0
    warnings: list[str] = field(default_factory=list)
    run: int = 0
    name: str = ""
    seed: int = 0
    journal: str | None = None

    @property
    def value(self) -> float | None:
        """The best value that any report carried, of the whole run."""
        return self.best.value if self.best is not None and self.best.metric == "value" else None

    @property
    def exit_code(self) -> int:
        return 0 if self.succeeded else 3

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and the journal."""
        return {
            "state": self.state,
            "succeeded": self.succeeded,
            "reason": self.reason,
            "rule": self.rule,
            "step": self.step,
            "steps": self.steps,
            "seconds": self.seconds,
            "cost": dict(self.cost),
            "value": self.value,
            "best": None if self.best is None else self.best.to_dict(),
            "returned": self.returned,
            "paid": dict(self.paid),
            "verdict": self.verdict,
            "compared": self.compared,
            "warnings": list(self.warnings),
            "run": self.run,
            "name": self.name,
            "seed": self.seed,
            "journal": self.journal,
            "attempts": [summary_to_dict(attempt) for attempt in self.attempts],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        known = {name: data[name] for name in data if name not in ("value", "best", "attempts")}
        best = data.get("best")
        attempts = [summary_from_dict(row) for row in data.get("attempts", ())]
        return cls(**known, best=None if best is None else Best(**best), attempts=attempts)

    def __str__(self) -> str:
        best = "" if self.best is None else f", best {self.best.metric} {self.best.value:g} at step {self.best.step}"
        return (
            f"{self.state}: {self.reason} ({counted(len(self.attempts), 'attempt')}, {counted(self.steps, 'step')}, "
            f"{self.seconds:.3g} s{best})"
        )


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "attempt"), counted(2, "attempt")
    ('1 attempt', '2 attempts')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def summary_to_dict(summary: AttemptSummary) -> dict[str, Any]:
    """An attempt's summary as plain values."""
    failure = summary.failure
    return {
        "number": summary.number,
        "state": summary.state,
        "censored": summary.censored,
        "steps": summary.steps,
        "seconds": summary.seconds,
        "cost": dict(summary.cost),
        "value": summary.value,
        "best": None if summary.best is None else summary.best.to_dict(),
        "metrics": dict(summary.metrics),
        "failure": None
        if failure is None
        else {"types": list(failure.types), "message": failure.message, "traceback": failure.traceback},
        "returned": summary.returned,
        "reset_seconds": summary.reset_seconds,
        "propensity": summary.propensity,
        "seed": summary.seed,
        "origin": summary.origin.to_dict(),
    }


def summary_from_dict(data: Mapping[str, Any]) -> AttemptSummary:
    known = dict(data)
    best, failure, origin = known.pop("best"), known.pop("failure"), known.pop("origin")
    return AttemptSummary(
        **known,
        best=None if best is None else Best(**best),
        failure=None if failure is None else Failure(tuple(failure["types"]), failure["message"], failure["traceback"]),
        origin=Origin.from_dict(origin),
    )
