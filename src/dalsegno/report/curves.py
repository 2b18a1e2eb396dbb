"""Curves: the charts of one run's metrics, its attempts end to end."""

from __future__ import annotations

from typing import Any

from dalsegno.report import numbers
from dalsegno.report.chart import Chart, Line, Mark
from dalsegno.report.envelope import thinned
from dalsegno.report.record import Record
from dalsegno.report.tables import effect, saw

MOST_MARKS = 150
MOST_BOUNDS = 60
MOST_POINTS = 4_000


def offsets(record: Record) -> tuple[dict[int, float], float]:
    """Where each attempt begins when they are laid end to end, and where the last one ends."""
    found: dict[int, float] = {}
    end = 0.0
    for attempt in record.attempts:
        found[attempt["id"]] = end
        end += max((piece.last for piece in record.pieces.get(attempt["id"], ())), default=0)
    return found, end


def chart(record: Record, metric: str, most: int = MOST_POINTS) -> Chart:
    """The chart of one metric of a run, in at most about ``most`` points."""
    begins, end = offsets(record)
    several = len(record.attempts) > 1
    made = Chart(metric, span=(0.0, end))
    for attempt in record.attempts:
        offset = begins[attempt["id"]]
        name = f"attempt {attempt['number']}" if several else ""
        joined: tuple[Any, Any] | None = None  # the end of the piece before, so that the line that counts is one line
        for piece in record.pieces.get(attempt["id"], ()):
            curve = piece.curves.get(metric)
            if curve is None:
                continue
            made.odd += [offset + step for step in curve.odd_steps()]
            steps, values = curve.points()
            if not len(steps):
                continue
            places = [float(step) + offset for step in steps]
            heights = [float(value) for value in values]
            if piece.counts:
                if joined is not None:
                    places, heights = [joined[0], *places], [joined[1], *heights]
                joined = (places[-1], heights[-1])
            told = f"{name} abandoned".strip() if not piece.counts else name
            made.lines.append(Line(places, heights, "counts" if piece.counts else "abandoned", told, offset))
    made.marks = marks(record, begins)
    if sum(len(line.places) for line in made.lines) > most:
        made.lines = joined_up(made.lines, most)
    if several and len(record.attempts) <= MOST_BOUNDS:
        made.bounds = [(begins[row["id"]], f"attempt {row['number']} begins") for row in record.attempts[1:]]
    made.note = notes(record, made)
    return made


def joined_up(lines: list[Line], most: int) -> list[Line]:
    """Very many attempts as one curve for what counts and one for what was abandoned."""
    found = []
    for style in ("abandoned", "counts"):
        chosen = sorted((line for line in lines if line.style == style), key=lambda line: line.places[0])
        places = [place for line in chosen for place in line.places]
        values = [value for line in chosen for value in line.values]
        if places:
            found.append(Line(*thinned(places, values, most if style == "counts" else most // 4), style))
    return found


def marks(record: Record, begins: dict[int, float]) -> list[Mark]:
    found = []
    told = [row for row in record.decisions if not row["superseded"]]
    for row in (
        told if len(told) <= MOST_MARKS else [told[len(told) * place // MOST_MARKS] for place in range(MOST_MARKS)]
    ):
        words = f"step {numbers.number(row['step'])}: {row['rule']}"
        if seen := saw(row):
            words += f"; saw {seen}"
        if led := effect(row):
            words += f"; {led}"
        found.append(Mark(begins.get(row["attempt"], 0.0) + row["step"], row["verb"], words))
    return found


def notes(record: Record, made: Chart) -> str:
    """What a chart leaves out, said below it."""
    told = ["The attempts are laid end to end."] if len(record.attempts) > 1 else []
    if len(record.decisions) > MOST_MARKS:
        told.append(f"{MOST_MARKS} of {len(record.decisions):,} decisions are marked, evenly drawn from all of them.")
    if made.odd:
        told.append("Red ticks at the foot: not finite.")
    kept = [value for line in made.lines if line.style == "counts" for value in line.values]
    lost = [value for line in made.lines if line.style == "abandoned" for value in line.values]
    if kept and lost and (max(lost) > max(kept) or min(lost) < min(kept)):
        low, high = numbers.number(min(lost), 4), numbers.number(max(lost), 4)
        reach = f"are at {low}" if low == high else f"reach from {low} to {high}"
        told.append(f"The scale is that of the line that counts; abandoned parts (grey) {reach}.")
    return " ".join(told)
