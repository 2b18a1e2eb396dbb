"""Comparison: runs grouped by name, each figure with its median over seeds and, from three seeds on, an interval."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.journal import Journal
from dalsegno.report.bootstrap import median_interval, ratio_interval
from dalsegno.report.record import Record, open_journal, read

Place = tuple[str | os.PathLike[str] | Journal, Sequence[int] | None]


@dataclass
class Spread:
    """A figure over the seeds of a group. ``interval`` is None with fewer than three; ``ratio`` is to the first group."""

    values: list[float]
    median: float
    interval: tuple[float, float] | None
    ratio: float | None = None
    ratio_interval: tuple[float, float] | None = None


@dataclass
class Group:
    """The runs of one name in one journal. ``left_out`` counts those that have not ended: they are in no median."""

    label: str
    records: list[Record]
    spreads: dict[str, Spread] = field(default_factory=dict)

    @property
    def ended(self) -> list[Record]:
        return [record for record in self.records if record.run["state"] in ("finished", "failed")]

    @property
    def left_out(self) -> int:
        return len(self.records) - len(self.ended)

    @property
    def succeeded(self) -> int:
        return sum(1 for record in self.ended if record.run["succeeded"])


@dataclass
class Comparison:
    """Groups of runs, and the figures that they are compared by."""

    groups: list[Group]
    figures: list[str]

    @property
    def records(self) -> list[Record]:
        return [record for group in self.groups for record in group.records]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "figures": list(self.figures),
            "groups": [
                {
                    "label": group.label,
                    "runs": [
                        {"journal": record.path, "run": record.run["id"], "seed": record.run["seed"],
                         "state": record.run["state"], "figures": figures_of(record)}
                        for record in group.records
                    ],
                    "succeeded": group.succeeded,
                    "left_out": group.left_out,
                    "spreads": {
                        name: {"median": spread.median, "interval": spread.interval, "seeds": len(spread.values),
                               "ratio": spread.ratio, "ratio_interval": spread.ratio_interval}
                        for name, spread in group.spreads.items()
                    },
                }
                for group in self.groups
            ],
        }  # fmt: skip


def figures_of(record: Record) -> dict[str, float]:
    """What a run is compared by: its best, its value, steps, seconds and cost, and the last figure of each metric."""
    run = record.run
    found: dict[str, float] = {}
    if run["best"]:
        found[f"best {run['best']['metric']}"] = float(run["best"]["value"])
    for unit, amount in record.logical.items():
        found[unit] = float(amount)
    found["attempts"] = float(run["attempts"])
    for name, end in last_figures(record).items():
        found[f"last {name}"] = end
    return found


def last_figures(record: Record) -> dict[str, float]:
    """The last finite figure of each metric on the line that counts, in the last attempt that has one.

    Of parallel attempts only that which the run ended by is looked at.
    """
    found: dict[str, float] = {}
    for attempt in record.told_by:
        for piece in record.pieces.get(attempt["id"], ()):
            if not piece.counts:
                continue
            for name, curve in piece.curves.items():
                if curve.end is not None:
                    found[name] = curve.end[1]
    return found


def compare(places: Iterable[Place], *, metrics: Sequence[str] | None = None) -> Comparison:
    """Compare runs: ``places`` are (journal, run ids), with None for all runs of a journal but those put aside.

    ``metrics`` limits the metrics compared. Raises :class:`UsageError` where there is nothing to compare.
    """
    records: list[Record] = []
    for journal, ids in places:
        file = open_journal(journal)
        chosen = list(ids) if ids is not None else [row["id"] for row in file.rows("runs") if not row["generation"]]
        records += [read(file, run) for run in chosen]
    if not records:
        raise UsageError("there is no run to compare: the journals are empty")
    return group(records, metrics)


def group(records: Sequence[Record], metrics: Sequence[str] | None = None) -> Comparison:
    """The same of records that have been read already."""
    journals = {record.path for record in records}
    groups: dict[tuple[str, str], Group] = {}
    for record in records:
        key = (record.path if len(journals) > 1 else "", record.name)
        label = record.name if len(journals) == 1 else f"{record.name} in {Path(record.path).name}"
        groups.setdefault(key, Group(label, [])).records.append(record)
    names = dict.fromkeys(name for record in records for name in figures_of(record))
    if metrics is not None:
        known = dict.fromkeys(name for record in records for name in record.metrics)
        for metric in metrics:
            if metric not in known:
                raise UsageError(f"no run reported {metric!r}; reported were: {', '.join(known) or 'none'}")
        names = {
            name: None
            for name in names
            if name.split(" ", 1)[-1] in metrics or name in ("steps", "seconds", "attempts")
        }
    found = Comparison(list(groups.values()), list(names))
    for one in found.groups:
        measure(one, found.figures)
    for one in found.groups[1:]:
        against(one, found.groups[0])
    return found


def measure(one: Group, names: Sequence[str]) -> None:
    rows = [figures_of(record) for record in one.ended]
    for name in names:
        values = [row[name] for row in rows if name in row and math.isfinite(row[name])]
        if values:
            one.spreads[name] = Spread(values, float(median(values)), median_interval(values))


def against(one: Group, base: Group) -> None:
    for name, spread in one.spreads.items():
        other = base.spreads.get(name)
        if other is not None and other.median > 0:
            spread.ratio = spread.median / other.median
            spread.ratio_interval = ratio_interval(spread.values, other.values)
