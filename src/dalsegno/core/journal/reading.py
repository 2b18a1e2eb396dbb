"""Reading a run as columns, block by block, so that a million steps cost no Python object each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dalsegno.core.journal import blocks
from dalsegno.core.journal.values import loads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dalsegno.core.journal.journal import Journal

AT_A_TIME = 64  # blocks that are in memory together


@dataclass(slots=True)
class Columns:
    """Steps of one branch. Arrays have shape (n,); where a step lacks a figure its mask is false.

    ``figures`` maps ("metrics" or "cost", name) to (values, mask or None where all are there).
    """

    attempt: int
    branch: int
    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    figures: dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.bool_] | None]] = field(default_factory=dict)


def columns(journal: Journal, run: int) -> Iterator[Columns]:
    """The journaled steps of a run as columns, abandoned ones too, in the order of branches and steps.

    What is written while this goes on may be left out; what is there is the same in every reading, as blocks never change.
    """
    sql = "SELECT id FROM blocks WHERE run = ? ORDER BY attempt, branch, first_step, id"
    identifiers = [block for (block,) in journal.look(lambda connection: connection.rows(sql, (run,))) or []]
    for start in range(0, len(identifiers), AT_A_TIME):
        part = identifiers[start : start + AT_A_TIME]
        sql = (
            "SELECT id, attempt, branch, first_step, count, columns, data FROM blocks"
            f" WHERE id IN ({', '.join('?' * len(part))})"
        )
        found = journal.look(lambda connection, sql=sql, part=part: connection.rows(sql, part)) or []  # type: ignore[misc]
        place = {block: order for order, block in enumerate(part)}
        for row in sorted(found, key=lambda row: place[row[0]]):
            yield gathered(*row[1:])


def gathered(attempt: int, branch: int, first_step: int, count: int, names: str, data: bytes) -> Columns:
    block = blocks.columns_of(first_step, count, names, data)
    figures = {("metrics", name): column for name, column in block.metrics.items()}
    figures |= {("cost", unit): column for unit, column in block.cost.items()}
    if block.value is not None:
        figures["metrics", "value"] = block.value
    return Columns(attempt, branch, block.steps, block.seconds, figures)


def outcome(journal: Journal, run: int) -> dict[str, Any]:
    """What a run's result said when it ended (its warnings and what it returned too); empty while it has not."""
    found = journal.look(lambda connection: connection.rows("SELECT outcome FROM runs WHERE id = ?", (run,)))
    return dict(loads(found[0][0]) or {}) if found else {}
