"""Steps on their way into the journal: a lane a branch, a buffer that is written in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dalsegno.core.journal.blocks import LARGEST, Row, Taken

if TYPE_CHECKING:
    from dalsegno.core.report import Report

NOTHING: dict[str, float] = {}  # never changed


class Lane:
    """The steps of one branch that are not written yet.

    ``add((step, seconds, report))`` is called at every step, and costs about 0.3 microseconds: it copies what the report
    says, for its owner may use it again.  ``full`` is called when a block's worth has gathered.  Where nothing is kept
    (a run without a journal file), adding does nothing.
    """

    __slots__ = ("add", "attempt", "branch", "full", "keeps", "rows")

    def __init__(
        self, attempt: int, branch: int, full: Callable[[], object] | None = None, *, keeps: bool = True
    ) -> None:
        self.attempt, self.branch, self.full, self.keeps = attempt, branch, full, keeps
        self.rows: list[Taken] = []
        self.add = self.adder() if keeps else forget

    def adder(self) -> Callable[[tuple[int, float, Report]], None]:
        rows, append, full = self.rows, self.rows.append, self.full

        def add(row: tuple[int, float, Report]) -> None:
            step, seconds, report = row
            cost = report.cost
            append(
                (step, seconds, report.metrics.copy(), cost.copy() if cost else NOTHING, report.status, report.value)
            )
            if len(rows) >= LARGEST and full is not None:
                full()

        return add

    def add_row(self, row: Row) -> None:
        """Add a row that was unpacked elsewhere (a worker's)."""
        if self.keeps:
            self.rows.append(row[1:])
            if len(self.rows) >= LARGEST and self.full is not None:
                self.full()


def forget(row: object) -> None:
    """What takes the steps of a run that has no journal file."""
