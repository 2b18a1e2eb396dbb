"""Past curves as reports: read from a CSV file, a journal, a list of dicts or a frame, row by row.

Columns: ``step`` (counted from 1 where there is none), ``seconds``, ``status``, ``value``, ``cost.<unit>``,
``run`` and ``attempt``; every other column is a metric. An empty cell is an absent figure; ``nan`` and
``inf`` are figures.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from dalsegno.core.errors import ReportError, UsageError
from dalsegno.core.journal import Journal
from dalsegno.core.report import STATUSES, Failure, Report, check_cost, number

NOT_METRICS = ("id", "branch")  # columns of an exported journal that say where a row came from
STEPS = ("step", "_step", "global_step", "trainer/global_step")
# What loggers call the time since the start.
CUMULATIVE = (
    "_runtime",
    "runtime",
    "elapsed",
    "elapsed_seconds",
    "time_elapsed",
    "total_seconds",
    "relative time (process)",
)
RISING = 5  # rows that rise are no accident
SIGNATURE = b"SQLite format 3\x00"


@dataclass(slots=True)
class Point:
    """One step of a past curve. ``step`` is None where the source numbers no steps; ``place`` says where it stood."""

    run: Any
    attempt: Any
    step: int | None
    seconds: float
    report: Report
    place: str


@dataclass(slots=True)
class Begun:
    """An attempt of a journal begins, after the step it began from; ``seconds`` is what its reset took."""

    run: Any
    attempt: Any
    base: int
    seconds: float


@dataclass(slots=True)
class Ended:
    """An attempt of a journal has ended, and how."""

    run: Any
    attempt: Any
    state: str
    failure: Failure | None
    returned: Any


Item = Point | Begun | Ended


def read(source: Any, seconds_column: str | None, notes: list[str]) -> Iterator[Item]:
    """Everything that a source tells, in its order; what had to be assumed is added to ``notes``."""
    if isinstance(source, Journal):
        return journaled(source)
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        head, colon, run = str(source).rpartition(":")
        if colon and not path.is_file() and Path(head).is_file():
            return journaled(Journal(head), run)
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file; expected a CSV file or a journal")
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return journaled(Journal(path))
        return merged(points(lines(path), seconds_column, notes))
    return merged(points(numbered(records(source, notes)), seconds_column, notes))


# -- rows
# -------------------------------------------------------------------------------------------------------


def lines(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV file by their line, only the cells that are not empty."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(())
        try:
            head = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=head.count))
            header = [name.strip() for name in next(reader, [])]
            check_header(path, header)
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if not row:
                    continue
                if len(row) != len(header):
                    raise UsageError(f"{place}: {len(row)} cells under {len(header)} columns")
                cells = zip(header, (cell.strip() for cell in row), strict=True)
                yield place, {name: cell for name, cell in cells if cell}
        except csv.Error as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is no text in UTF-8 ({error}): expected a CSV file or a journal") from None


def check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise UsageError(f"{path} is empty: expected a header line with the names of metrics")
    if not all(header):
        raise UsageError(f"{path}, line 1: column {header.index('') + 1} has no name")
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise UsageError(f"{path}, line 1: two columns are called {twice[0]!r}")
    if all(is_figure(name) for name in header):
        raise UsageError(f"{path}, line 1: expected a header line with the names of metrics, not figures")


def records(source: Any, notes: list[str]) -> Iterable[Any]:
    """The rows of a frame or list as dicts."""
    if getattr(source, "ndim", 2) != 2:
        raise UsageError(f"a {type(source).__name__} has no columns: give a frame, or a list of dicts (one a step)")
    for method, options in (("to_dicts", {}), ("to_pylist", {}), ("to_dict", {"orient": "records"})):
        give = getattr(source, method, None)
        if callable(give) and not isinstance(source, Mapping):
            return without_missing(give(**options), notes)
    if isinstance(source, Mapping) or not hasattr(source, "__iter__"):
        raise UsageError(
            f"{type(source).__name__}: expected a CSV file, a journal, a list of dicts (one a step) or a frame"
        )
    return list(source)


def without_missing(rows: Iterable[Any], notes: list[str]) -> Iterable[Any]:
    """A frame marks a missing cell by NaN: such cells are taken for absent, and that is said."""
    columns: dict[str, int] = {}
    kept = []
    for row in rows:
        missing = [name for name, cell in row.items() if cell is not cell or cell is None or is_missing(cell)]
        for name in missing:
            columns[name] = columns.get(name, 0) + 1
        kept.append({name: cell for name, cell in row.items() if name not in missing})
    for name, count in columns.items():
        notes.append(
            f"{count} empty cells of {name!r} were taken for absent: a frame cannot tell them from NaN; a CSV file or "
            "a list of dicts can"
        )
    return kept


def is_missing(cell: Any) -> bool:
    return type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and isnan(cell))


def numbered(rows: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for count, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise UsageError(f"row {count} is a {type(row).__name__}: expected a dict of names and figures")
        yield f"row {count}", {str(name): cell for name, cell in row.items() if cell is not None}


def points(rows: Iterable[tuple[str, dict[str, Any]]], seconds_column: str | None, notes: list[str]) -> Iterator[Point]:
    """Rows as points, checked."""
    clock = Clock(seconds_column or "seconds")
    numbered_steps: bool | None = None
    step_column = "step"
    seen = first = False
    for place, row in rows:
        if str(row.pop("abandoned", "")).lower() in ("true", "1", "1.0"):
            continue
        for name in NOT_METRICS:
            row.pop(name, None)
        if numbered_steps is None:
            step_column = next((name for name in row if name.lower() in STEPS), "step")
            numbered_steps = step_column in row
            if step_column != "step":
                notes.append(f"the column {step_column!r} was taken for the number of the step")
        if numbered_steps != (step_column in row):
            raise UsageError(f"{place}: " + ("there is no step" if numbered_steps else "a step, and none before it"))
        if numbered_steps:
            row["step"] = row.pop(step_column)
        seen = seen or clock.column in row
        made = point(place, row, clock.column)
        if made.step == 0 and not first:
            first = True
            notes.append("steps are counted from 0 there: step n is the one after which n + 1 have been taken")
        made.seconds = clock.taken(made)
        yield made
    if seconds_column is not None and not seen:
        raise UsageError(f"seconds_column={seconds_column!r}: there is no such column, or it is empty")
    notes.extend(clock.notes())


class Clock:
    """The seconds that steps took, from a column of them or of the time since the start."""

    def __init__(self, column: str) -> None:
        self.column, self.cumulative = column, column.lower() in CUMULATIVE
        self.before: dict[Any, float] = {}
        self.rows, self.rising = 0, True

    def taken(self, made: Point) -> float:
        key = (made.run, made.attempt)
        before = self.before.get(key, 0.0)
        self.before[key] = made.seconds
        self.rows += 1
        self.rising = self.rising and made.seconds > before
        if not self.cumulative:
            return made.seconds
        if made.seconds < before:
            raise UsageError(
                f"{made.place}: {self.column} {made.seconds!r} after {before!r}: a time since the start cannot fall"
            )
        return made.seconds - before

    def notes(self) -> Iterator[str]:
        if self.cumulative:
            yield f"{self.column!r} was taken for the time since the start: a step took what it grew by"
        elif self.rising and self.rows >= RISING:
            yield (
                f"{self.column!r} rises from row to row: if it is the time since the start, call it 'elapsed' and say "
                "seconds_column='elapsed' (on the command line --seconds-column elapsed); here it was taken for what each "
                "step took"
            )


def point(place: str, row: dict[str, Any], column: str) -> Point:
    step = row.pop("step", None)
    if step is not None:
        step = figure(place, "step", step)
        if not 0 <= step < float("inf") or step != int(step):
            raise UsageError(f"{place}: step {step!r}: expected a whole number of at least 0")
    seconds = figure(place, column, row.pop(column, 0.0))
    if not 0.0 <= seconds < float("inf"):
        raise UsageError(f"{place}: {column} is {seconds!r}: expected the seconds that the step took, at least 0")
    status = str(row.pop("status", "running"))
    if status not in STATUSES:
        raise UsageError(f"{place}: status {status!r}: expected running, succeeded or failed")
    run, attempt = row.pop("run", 1), row.pop("attempt", 1)
    value = figure(place, "value", row.pop("value")) if "value" in row else None
    figures = {name: figure(place, name, cell) for name, cell in row.items()}
    cost = {name[5:]: figures.pop(name) for name in list(figures) if name.startswith("cost.")}
    try:
        check_cost(cost)
    except ReportError as error:
        raise UsageError(f"{place}: {error}") from None
    report = Report(figures, cost, status, value)
    return Point(label(run), label(attempt), None if step is None else int(step), seconds, report, place)


def figure(place: str, name: str, cell: Any) -> float:
    """A cell as a float, or an error that says where it stands."""
    if isinstance(cell, str):
        if is_figure(cell):
            return float(cell)
        raise UsageError(f"{place}: {name} is {cell!r}: expected a number, nan, inf or nothing")
    try:
        return number("metric", name, cell)
    except ReportError as error:
        raise UsageError(f"{place}: {error}") from None


def is_figure(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def label(name: Any) -> Any:
    """What a run or attempt is called: a number where it is one."""
    if isinstance(name, float) and name == int(name):
        return int(name)
    return int(name) if isinstance(name, str) and name.isdecimal() else name


def merged(found: Iterable[Point]) -> Iterator[Point]:
    """Rows of one step in a row become one report: trainers write training and validation figures apart."""
    held: Point | None = None
    for one in found:
        if held is None:
            held = one
        elif one.step is None or (one.run, one.attempt, one.step) != (held.run, held.attempt, held.step):
            yield held
            held = one
        else:
            merge(held, one)
    if held is not None:
        yield held


def merge(held: Point, one: Point) -> None:
    ours, theirs = held.report, one.report
    for name, found in theirs.metrics.items():
        before = ours.metrics.setdefault(name, found)
        if before != found and not (isnan(before) and isnan(found)):
            raise UsageError(
                f"{one.place}: step {one.step} again, with {name} {found!r} where it was {before!r} before; number the "
                "steps, or name the attempts in a column attempt"
            )
    for unit, amount in theirs.cost.items():
        ours.cost[unit] = ours.cost.get(unit, 0.0) + amount
    if theirs.value is not None:
        ours.value = theirs.value
    if theirs.status != "running":
        ours.status = theirs.status
    held.seconds += one.seconds
    held.place = one.place


# -- journals
# ---------------------------------------------------------------------------------------------------


def journaled(journal: Journal, only: str | None = None) -> Iterator[Item]:
    """The attempts of a journal's runs with the steps that count, in order; of some runs, by number or name."""
    runs = journal.rows("runs")
    wanted = {row["id"] for row in runs if only in (None, str(row["id"]))} or {
        row["id"] for row in runs if row["name"] == only and not row["generation"]
    }
    if only is not None and not wanted:
        known = ", ".join(f"{row['id']} ({row['name']})" for row in runs) or "none at all"
        raise UsageError(f"{journal.path} has no run {only!r}; it has {known}")
    steps: dict[int, list[dict[str, Any]]] = {}
    for row in journal.rows("steps"):
        steps.setdefault(row["attempt"], []).append(row)
    for attempt in [row for row in journal.rows("attempts") if row["run"] in wanted]:
        run, name = attempt["run"], attempt["number"]
        rows = steps.pop(attempt["id"], [])
        base = rows[0]["step"] - 1 if rows else 0
        yield Begun(run, name, base, attempt["reset_seconds"] or 0.0)
        for row in rows:
            place = f"{journal.path}, run {run}, attempt {name}, step {row['step']}"
            told = {key: cell for key, cell in row.items() if key not in NOT_METRICS and cell is not None}
            yield point(place, {**told, "attempt": name}, "seconds")
        if attempt["state"] != "open":
            failure = attempt["failure"]
            why = None if failure is None else Failure(tuple(failure["types"]), failure["message"])
            yield Ended(run, name, attempt["state"], why, attempt["returned"])
