"""Tables as pandas frames, where pandas is installed; steps are put together column by column."""

from __future__ import annotations

from typing import Any

import numpy as np

from dalsegno.core.journal.blocks import LARGEST, STATUSES, Columns
from dalsegno.core.journal.connection import Connection
from dalsegno.core.journal.tables import COST, column_of, step_blocks

EMPTY = {
    "runs": ("id", "name", "seed", "state", "pid", "host"),
    "attempts": ("id", "run", "number", "seed", "state"),
    "branches": ("id", "run", "attempt", "number", "parent", "from_step", "cause"),
    "steps": ("id", "run", "attempt", "branch", "step", "seconds", "status", "value"),
    "decisions": ("id", "run", "attempt", "branch", "step", "rule", "action"),
    "snapshots": ("id", "run", "attempt", "branch", "step", "name", "state"),
    "calls": ("id", "run", "attempt", "branch", "step", "key", "state"),
}


def find_pandas() -> Any:
    try:
        import pandas
    except ImportError:
        return None
    return pandas


def of_rows(pandas: Any, table: str, rows: list[dict[str, Any]]) -> Any:
    """A frame of dicts; one without rows has its first columns all the same."""
    return pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=list(EMPTY[table]))


def of_steps(pandas: Any, connection: Connection, run: int | None, every: bool) -> Any:
    """The frame of steps. A column with gaps is of pandas' ``Float64``, in which absent is not NaN."""
    gathered = Gathered()
    for block, of, attempt, branch, edge, columns in step_blocks(connection, run, every):
        gathered.add(block, of, attempt, branch, edge, columns, every)
    return gathered.frame(pandas, every)


class Gathered:
    """Columns of many blocks, one after the other; ``length`` rows so far."""

    def __init__(self) -> None:
        self.length = 0
        self.whole: dict[str, list[Any]] = {name: [] for name in ("id", "run", "attempt", "branch", "step", "seconds")}
        self.status: list[Any] = []
        self.abandoned: list[Any] = []
        self.parts: dict[str, list[tuple[int, Any, Any]]] = {"value": []}  # name: start, numbers, present

    def add(self, block: int, run: int, attempt: int, branch: int, edge: float, columns: Columns, every: bool) -> None:
        counts = columns.steps <= edge
        kept = slice(None) if every or counts.all() else counts
        steps = columns.steps[kept]
        count = len(steps)
        self.whole["id"].append((block * LARGEST + np.arange(len(columns.steps)))[kept])
        for name, number in (("run", run), ("attempt", attempt), ("branch", branch)):
            self.whole[name].append(np.full(count, number))
        self.whole["step"].append(steps)
        self.whole["seconds"].append(columns.seconds[kept])
        self.status.append(np.zeros(count, np.uint8) if columns.status is None else columns.status[kept])
        self.abandoned.append(~counts[kept])
        named = {column_of(name): column for name, column in columns.metrics.items()}
        named |= {COST + unit: column for unit, column in columns.cost.items()}
        if columns.value is not None:
            named["value"] = columns.value
        for name, (numbers, there) in named.items():
            part = (self.length, numbers[kept], None if there is None else there[kept])
            self.parts.setdefault(name, []).append(part)
        self.length += count

    def frame(self, pandas: Any, every: bool) -> Any:
        joined = {name: np.concatenate(parts) if parts else np.empty(0, int) for name, parts in self.whole.items()}
        status = np.concatenate(self.status) if self.status else np.empty(0, np.uint8)
        data: dict[str, Any] = {**joined, "status": pandas.Categorical.from_codes(status, list(STATUSES))}
        if every:
            data["abandoned"] = np.concatenate(self.abandoned) if self.abandoned else np.empty(0, bool)
        for name, parts in self.parts.items():
            numbers, absent = np.zeros(self.length), np.ones(self.length, bool)
            for start, values, there in parts:
                place = slice(start, start + len(values))
                numbers[place] = values
                absent[place] = False if there is None else ~there
            data[name] = pandas.arrays.FloatingArray(numbers, absent) if absent.any() else numbers
        return pandas.DataFrame(data)
