"""Record: one run as a view needs it, read from its journal in one go and in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Any

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal
from dalsegno.core.journal.reading import columns, outcome
from dalsegno.report.envelope import Envelope

BINS = 400  # of a curve; a drawing has fewer pixels than twice this
MOST_BINS = 6_000  # of all curves of a metric together


@dataclass
class Piece:
    """A stretch of a branch that counts, or that was abandoned, with the curves of its metrics."""

    branch: int
    counts: bool
    first: int = 0
    last: int = 0
    curves: dict[str, Envelope] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return self.last - self.first + 1 if self.last else 0


@dataclass
class Record:
    """A run with everything that a view shows. Rows are those of the journal's tables."""

    path: str
    run: dict[str, Any]
    outcome: dict[str, Any]
    attempts: list[dict[str, Any]]
    branches: dict[int, dict[str, Any]]
    decisions: list[dict[str, Any]]
    snapshots: list[dict[str, Any]]
    owners: list[dict[str, Any]]
    calls: int = 0
    pieces: dict[int, list[Piece]] = field(default_factory=dict)  # by attempt, in the order of branches
    abandoned_seconds: float = 0.0
    abandoned_cost: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.run["name"])

    @property
    def title(self) -> str:
        seed = "" if self.run["seed"] is None else f", seed {self.run['seed']}"
        return f"{self.name}{seed}"

    @property
    def verdict(self) -> str:
        told = self.outcome.get("verdict") or self.run["verdict"]
        if told:
            return str(told)
        unlike = any(row["cause"] == "divergence" for row in self.branches.values())
        return "approximate" if unlike else "exact so far"

    @property
    def warnings(self) -> list[str]:
        return [str(text) for text in self.outcome.get("warnings", ())]

    @property
    def metrics(self) -> list[str]:
        """The metrics of the run in the order in which they were first reported."""
        names: dict[str, None] = {}
        for pieces in self.pieces.values():
            for piece in pieces:
                names.update(dict.fromkeys(piece.curves))
        return list(names)

    @cached_property
    def numbers(self) -> dict[int, int]:
        """The number of each attempt by its id."""
        return {row["id"]: int(row["number"]) for row in self.attempts}

    @property
    def abandoned_steps(self) -> int:
        return sum(piece.steps for pieces in self.pieces.values() for piece in pieces if not piece.counts)

    @cached_property
    def told_by(self) -> list[dict[str, Any]]:
        """The attempts whose figures are the run's: all in their order, or of parallel ones that which it ended by."""
        rows = self.attempts
        beside = any(later.get("started", inf) < (earlier.get("ended") or inf) for earlier, later in pairwise(rows))
        if not beside:
            return rows
        best = self.run["best"]["attempt"] if self.run["best"] else None
        won = [row for row in rows if row["state"] == "succeeded"] or [row for row in rows if row["number"] == best]
        return won[:1] or rows[-1:]

    def steps_of(self, attempt: int, *, counts: bool) -> int:
        """How many journaled steps of an attempt count, or were abandoned."""
        return sum(piece.steps for piece in self.pieces.get(attempt, ()) if piece.counts is counts)

    @property
    def logical(self) -> dict[str, float]:
        """The logical cost by unit; of a run that has not ended, what the journal has so far."""
        run = self.run
        return {"steps": run["steps"] or 0, "seconds": run["seconds"] or 0.0, **(run["cost"] or {})}

    @property
    def paid(self) -> dict[str, float]:
        """What was really done, work redone after a crash included."""
        run = self.run
        return {"steps": run["paid_steps"], "seconds": run["paid_seconds"], **(run["paid_cost"] or {})}


def open_journal(journal: str | os.PathLike[str] | Journal) -> Journal:
    return journal if isinstance(journal, Journal) else Journal(journal)


def read(journal: str | os.PathLike[str] | Journal, run: int) -> Record:
    """One run of a journal, for a view. Raises :class:`JournalError` where there is no such run."""
    file = open_journal(journal)
    found = file.rows("runs", run)
    if not found:
        raise JournalError(f"{file.path} has no run {run}: `dalsegno show {file.path}` lists its runs")
    record = Record(
        path=str(file.path),
        run=found[0],
        outcome=outcome(file, run),
        attempts=file.rows("attempts", run),
        branches={row["id"]: row for row in file.rows("branches", run)},
        decisions=file.rows("decisions", run),
        snapshots=file.rows("snapshots", run),
        owners=file.rows("owners", run),
        calls=len(file.rows("calls", run)),
    )
    read_steps(record, file)
    return record


def line_that_counts(branches: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """The last step of each branch that counts; a branch that is not named was abandoned whole."""
    known = {row["id"]: row for row in branches}
    newest: dict[int, int] = {}
    for row in known.values():
        newest[row["attempt"]] = max(newest.get(row["attempt"], 0), row["id"])
    line: dict[int, float] = {}
    for tip in newest.values():
        edge, here = inf, tip
        while here is not None and here in known:
            line[here] = edge
            edge, here = min(edge, known[here]["from_step"]), known[here]["parent"]
    return line


def read_steps(record: Record, file: Journal) -> None:
    line = line_that_counts(record.branches.values())
    bins = max(8, min(BINS, MOST_BINS // max(len(record.branches), 1)))
    pieces: dict[tuple[int, bool], Piece] = {}
    for block in columns(file, record.run["id"]):
        if block.branch not in record.branches:
            continue  # begun after the branches were read
        edge = line.get(block.branch, -1)
        cut = int((block.steps <= edge).sum())
        for counts, part in ((True, slice(0, cut)), (False, slice(cut, None))):
            steps = block.steps[part]
            if not len(steps):
                continue
            piece = pieces.get((block.branch, counts))
            if piece is None:
                piece = pieces[block.branch, counts] = Piece(block.branch, counts, int(steps[0]))
                record.pieces.setdefault(block.attempt, []).append(piece)
            piece.last = int(steps[-1])
            if not counts:
                record.abandoned_seconds += float(block.seconds[part].sum())
            for (kind, name), (values, mask) in block.figures.items():
                here, there = values[part], None if mask is None else mask[part]
                at = steps if there is None else steps[there]
                here = here if there is None else here[there]
                if kind == "metrics":
                    if name not in piece.curves:
                        piece.curves[name] = Envelope(bins)
                    piece.curves[name].add(at, here)
                elif not counts:
                    total = record.abandoned_cost.get(name, 0.0)
                    record.abandoned_cost[name] = total + float(here.sum())
