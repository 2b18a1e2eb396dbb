"""Reading a run as columns, block by block, so that a million steps cost no Python object each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dalsegno.core.journal.writer import loads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dalsegno.core.journal.journal import Journal


@dataclass(slots=True)
class Columns:
    """Consecutive steps of one branch. Arrays have shape (n,); where a step lacks a figure its mask is false.

    ``figures`` maps ("metrics" or "cost", name) to (values, mask or None where all are there).
    """

    attempt: int
    branch: int
    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    figures: dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.bool_] | None]] = field(default_factory=dict)


def columns(journal: Journal, run: int) -> Iterator[Columns]:
    """The journaled steps of a run as columns, abandoned ones too, in the order of branches and steps."""
    connection = journal.readable()
    try:
        sql = "SELECT id FROM blocks WHERE run = ? ORDER BY attempt, branch, first_step"
        for (block,) in connection.rows(sql, (run,)):
            sql = "SELECT attempt, branch, first_step, count, columns, data FROM blocks WHERE id = ?"
            for row in connection.rows(sql, (block,)):
                yield unpacked(*row)
    finally:
        connection.close()


def unpacked(attempt: int, branch: int, first_step: int, count: int, names: str, data: bytes) -> Columns:
    import numpy as np

    place = 0

    def take(kind: Any, size: int) -> Any:
        nonlocal place
        found = np.frombuffer(data, kind, count, place)
        place += size * count
        return found

    steps = np.arange(first_step, first_step + count, dtype=np.int64)
    block = Columns(attempt, branch, steps, take(np.float64, 8))
    for kind, name, gaps in json.loads(names):
        if kind == "status":
            take(np.uint8, 1)
            continue
        values = take(np.float64, 8)
        mask = take(np.bool_, 1) if gaps else None
        block.figures[("metrics", "value") if kind == "value" else (kind, name)] = (values, mask)
    return block


def outcome(journal: Journal, run: int) -> dict[str, Any]:
    """What a run's result said when it ended (its warnings and what it returned too); empty while it has not."""
    connection = journal.readable()
    try:
        found = connection.rows("SELECT outcome FROM runs WHERE id = ?", (run,))
    finally:
        connection.close()
    return dict(loads(found[0][0]) or {}) if found else {}
