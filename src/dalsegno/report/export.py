"""Export: steps and tables of runs as CSV, and curves for TensorBoard."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from dalsegno.core.errors import UsageError
from dalsegno.core.journal import Journal
from dalsegno.core.journal.reading import Columns, columns
from dalsegno.report.record import line_that_counts, open_journal
from dalsegno.report.strict_json import plain

TABLES = ("steps", "runs", "attempts", "branches", "decisions", "snapshots", "calls")
EXTRA = "dalsegno[tensorboard]"


def parts(file: Journal, run: int, every: bool) -> Iterator[tuple[Columns, slice, bool]]:
    """The blocks of a run, each as the part that counts and, if wanted, the part that was abandoned."""
    line = line_that_counts(file.rows("branches", run))
    for block in columns(file, run):
        cut = int((block.steps <= line.get(block.branch, -1)).sum())
        if cut:
            yield block, slice(0, cut), True
        if every and cut < len(block.steps):
            yield block, slice(cut, None), False


def steps_to_csv(
    journal: str | os.PathLike[str] | Journal, runs: Sequence[int] | None, out: IO[str], *, every: bool = False
) -> int:
    """Write the steps of runs as CSV, a line a step; how many. ``every`` adds the abandoned steps and a column that says so.

    An absent figure is an empty cell; NaN and infinities are ``nan``, ``inf`` and ``-inf``.  ``dalsegno.replay`` reads it.
    """
    file = open_journal(journal)
    chosen = [row["id"] for row in file.rows("runs")] if runs is None else list(runs)
    names: dict[tuple[str, str], None] = {}
    for run in chosen:
        for block in columns(file, run):
            names.update(dict.fromkeys(block.figures))
    heads = [name if kind == "metrics" else f"cost.{name}" for kind, name in names]
    writer = csv.writer(out)
    writer.writerow(["run", "attempt", "step", "seconds", *(["abandoned"] if every else []), *heads])
    count = 0
    for run in chosen:
        numbers = {row["id"]: row["number"] for row in file.rows("attempts", run)}
        for block, part, counts in parts(file, run, every):
            steps = block.steps[part].tolist()
            count += len(steps)
            sides: list[Any] = [block.seconds[part].tolist()]
            if every:
                sides.append([int(not counts)] * len(steps))
            for key in names:
                sides.append(cells(block.figures.get(key), part, len(steps)))
            head = (run, numbers.get(block.attempt, block.attempt))
            writer.writerows((*head, *row) for row in zip(steps, *sides, strict=True))
    return count


def cells(figure: Any, part: slice, count: int) -> list[Any]:
    if figure is None:
        return [""] * count
    values, mask = figure[0][part].tolist(), figure[1]
    if mask is None:
        return list(values)
    return [value if there else "" for value, there in zip(values, mask[part].tolist(), strict=True)]


def table_to_csv(journal: str | os.PathLike[str] | Journal, name: str, runs: Sequence[int] | None, out: IO[str]) -> int:
    """Write one of the journal's tables as CSV; what is no plain value is JSON in its cell."""
    file = open_journal(journal)
    rows = file.rows(name) if runs is None else [row for run in runs for row in file.rows(name, run)]
    writer = csv.writer(out)
    heads = list(dict.fromkeys(key for row in rows for key in row))
    writer.writerow(heads)
    for row in rows:
        writer.writerow([cell(row.get(head)) for head in heads])
    return len(rows)


def cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(plain(value), ensure_ascii=False)


def to_tensorboard(
    journal: str | os.PathLike[str] | Journal, runs: Sequence[int] | None, out: str | os.PathLike[str]
) -> list[Path]:
    """Write the curves of runs for TensorBoard, a folder an attempt, decisions as text; the folders.

    Raises :class:`UsageError` where tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise UsageError(f"TensorBoard files need the package tensorboardX: pip install '{EXTRA}'") from None
    file = open_journal(journal)
    made: list[Path] = []
    for run in file.rows("runs"):
        if runs is not None and run["id"] not in runs:
            continue
        decisions = file.rows("decisions", run["id"])
        blocks = list(parts(file, run["id"], False))
        for attempt in file.rows("attempts", run["id"]):
            safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in run["name"])
            folder = Path(out) / f"{safe}-{run['id']}" / f"attempt-{attempt['number']}"
            with SummaryWriter(str(folder)) as writer:
                write_attempt(writer, attempt, [one for one in blocks if one[0].attempt == attempt["id"]])
                for decision in decisions:
                    if decision["attempt"] == attempt["id"] and not decision["superseded"]:
                        writer.add_text(decision["verb"], decision["rule"], decision["step"], decision["taken"])
            made.append(folder)
    return made


def write_attempt(writer: Any, attempt: dict[str, Any], blocks: list[tuple[Columns, slice, bool]]) -> None:
    moment = float(attempt["started"])
    for block, part, _ in blocks:
        times = (moment + block.seconds[part].cumsum()).tolist()
        moment = times[-1]
        for (kind, name), (values, mask) in block.figures.items():
            tag = name if kind == "metrics" else f"cost/{name}"
            there = [True] * len(times) if mask is None else mask[part].tolist()
            rows = zip(block.steps[part].tolist(), values[part].tolist(), times, there, strict=True)
            for step, value, time, is_there in rows:
                if is_there:
                    writer.add_scalar(tag, value, step, time)
