"""The ledger: which snapshots a run has, and which of them may be gone back to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, isfinite

from dalsegno.core.actions import Target


@dataclass(slots=True)
class Held:
    """One acknowledged snapshot as the machine knows it. ``order`` is its place in the journal."""

    id: int
    attempt: int
    branch: int
    step: int
    order: int
    name: str
    kind: str = "schedule"  # reset, schedule, named, request, end
    label: str | None = None
    checksum: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    changes: int = 0
    sound: bool = True
    abandoned: bool = False
    skipped: int = 0  # items of data left out before it


def measure(entry: Held, metric: str | None) -> float | None:
    """The finite figure a snapshot is judged by: a metric, or the value."""
    figure = entry.value if metric in (None, "value") else entry.metrics.get(metric or "")
    return figure if figure is not None and isfinite(figure) else None


def best_of(entries: Iterable[Held], metric: str | None, mode: str) -> Held | None:
    """The best by a metric; the earlier one wins a tie, a non-finite figure never does."""
    sign = 1.0 if mode == "max" or metric in (None, "value") else -1.0
    best, height = None, -inf
    for entry in entries:
        figure = measure(entry, metric)
        if figure is not None and sign * figure > height:
            best, height = entry, sign * figure
    return best


def usable(ledger: Iterable[Held], attempt: int) -> list[Held]:
    """The sound snapshots of an attempt on the line that counts, oldest first."""
    return [entry for entry in ledger if entry.sound and not entry.abandoned and entry.attempt == attempt]


def choose(
    ledger: Iterable[Held], attempt: int, step: int, to: Target, objective: tuple[str, str] | None = None
) -> Held | None:
    """The snapshot of ``attempt`` that ``to`` names, none after ``step``; None where there is none."""
    held = [entry for entry in usable(ledger, attempt) if entry.step <= step]
    held.sort(key=lambda entry: (entry.step, entry.order))
    if to.which == "best":
        metric, mode = (to.metric, to.mode) if to.metric else objective or ("value", "max")
        return best_of(held, metric, mode)
    if to.which == "label":
        held = [entry for entry in held if entry.label == to.label]
    elif to.which == "start":
        return held[0] if held else None
    elif to.which == "before" and to.step is not None:
        edge = step + to.step if to.step < 0 else to.step
        held = [entry for entry in held if entry.step <= edge] or held[:1]
    elif to.which == "good" and to.limit is not None:
        good = []
        for entry in held:
            figure = measure(entry, to.metric)
            if figure is not None and (figure <= to.limit if to.mode == "min" else figure >= to.limit):
                good.append(entry)
        held = good
    return held[-1] if held else None
