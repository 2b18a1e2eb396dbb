"""What gathers between two writes: the steps of every branch, and what was really paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dalsegno.core.journal import blocks
from dalsegno.core.journal.lane import Lane
from dalsegno.core.journal.values import dumps, loads

BLOCK = (
    "INSERT INTO blocks (run, attempt, branch, first_step, last_step, count, seconds, cost, columns, data)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Telemetry:
    """A run's unwritten steps and payments. ``full`` is called when a block's worth of steps has gathered."""

    def __init__(self, run: int, full: Callable[[], object], *, keeps: bool) -> None:
        self.run, self.full, self.keeps = run, full, keeps
        self.lanes: list[Lane] = []
        self.seconds, self.steps = 0.0, 0
        self.cost: dict[str, float] = {}

    def lane(self, attempt: int, branch: int) -> Lane:
        """The lane of a branch. Others of the same attempt are done with once they are written."""
        for lane in self.lanes:
            if lane.branch == branch:
                return lane
        lane = Lane(attempt, branch, self.full, keeps=self.keeps)
        self.lanes = [other for other in self.lanes if other.rows or other.attempt != attempt] + [lane]
        return lane

    def add_paid(self, seconds: float, steps: int, cost: Mapping[str, float]) -> None:
        self.seconds += seconds
        self.steps += steps
        for unit, amount in cost.items():
            self.cost[unit] = self.cost.get(unit, 0.0) + amount

    @property
    def waiting(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.seconds or self.steps or self.cost) or any(lane.rows for lane in self.lanes)

    def write(self, raw: Any) -> None:
        """Write everything in the transaction that is open; :meth:`written` is to be called once it is committed."""
        for lane in self.lanes:
            for start in range(0, len(lane.rows), blocks.LARGEST):
                rows = lane.rows[start : start + blocks.LARGEST]
                columns, data = blocks.pack(rows)
                steps = [row[0] for row in rows]
                seconds = sum(row[1] for row in rows)
                raw.execute(
                    BLOCK,
                    (
                        *(self.run, lane.attempt, lane.branch, steps[0], max(steps), len(rows), seconds),
                        *(dumps(total_cost(rows)), columns, data),
                    ),
                )
        if self.seconds or self.steps or self.cost:
            (text,) = raw.execute("SELECT paid_cost FROM runs WHERE id = ?", (self.run,)).fetchone()
            total = loads(text)
            for unit, amount in self.cost.items():
                total[unit] = total.get(unit, 0.0) + amount
            raw.execute(
                "UPDATE runs SET paid_seconds = paid_seconds + ?, paid_steps = paid_steps + ?, paid_cost = ? WHERE id = ?",
                (self.seconds, self.steps, dumps(total), self.run),
            )

    def written(self) -> None:
        """What :meth:`write` wrote is committed."""
        for lane in self.lanes:
            lane.rows.clear()
        self.seconds, self.steps = 0.0, 0
        self.cost.clear()


def total_cost(rows: list[blocks.Taken]) -> dict[str, float]:
    total: dict[str, float] = {}
    for row in rows:
        if row[3]:
            for unit, amount in row[3].items():
                total[unit] = total.get(unit, 0.0) + amount
    return total
