"""Redoing: after a kill, the steps since the newest sound snapshot are taken again and held against the journal.

At each of them the journal's decision is applied, not taken again; equal reports leave the verdict at exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

from dalsegno.core.report import Report


class Redo:
    """What the journal says of the steps that are being done again on one branch after another."""

    def __init__(self, decisions: Sequence[Mapping[str, Any]]) -> None:
        self.decisions = list(decisions)  # those after the place resumed from, in journal order
        self.rows: Iterator[Any] = iter(())
        self.row: Any = None

    def follow(self, rows: Iterator[Any]) -> None:
        """Compare with the rows of this branch from here on."""
        self.rows = rows
        self.row = next(rows, None)

    @property
    def over(self) -> bool:
        """Whether everything the journal knows has been done again."""
        return self.row is None and not self.decisions

    def take_row(self, step: int) -> Any:
        """The journaled row of ``step``, if there is one."""
        while self.row is not None and self.row[1] < step:
            self.row = next(self.rows, None)
        if self.row is None or self.row[1] != step:
            return None
        row, self.row = self.row, next(self.rows, None)
        return row

    def next_decision(self, step: int, at: str) -> Mapping[str, Any] | None:
        """The journaled decision for this instant (``at`` report, failure or end), if there is one."""
        if not self.decisions:
            return None
        first = self.decisions[0]
        if first["step"] == step and first["action"]["at"] == at:
            return self.decisions.pop(0)
        return None


def same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (isnan(one) and isnan(other))


def difference(report: Report, row: Any) -> str | None:
    """The first metric in which a redone report differs from the journaled one, with both figures."""
    _, _, _, metrics, cost, status, value = row
    for kind, now, then in (("metric", report.metrics, metrics), ("cost", report.cost, cost)):
        for name in sorted({*now, *then}):
            if not same(now.get(name), then.get(name)):
                return f"{kind} {name!r} was {then.get(name)!r} and is {now.get(name)!r}"
    if report.status != status:
        return f"status was {status!r} and is {report.status!r}"
    if not same(report.value, value):
        return f"value was {value!r} and is {report.value!r}"
    return None
