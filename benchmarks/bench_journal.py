"""python benchmarks/bench_journal.py [--quick] [--folder DIRECTORY]

What the journal costs: a step (three metrics, amortised), a decision made durable, a costly call journaled. Each beside a
peer in the same run: the same statements through the standard library's sqlite3, a row of JSON a step, DBOS on SQLite.
Microseconds; *cpu* is processor time of this program, *wall* what a clock on the wall says, waiting for the disk included.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalsegno.core.journal import Journal, Lane, RunWriter, blocks
from dalsegno.core.report import Report

Cost = tuple[float, float]  # cpu and wall microseconds

POOL = 1_000  # reports that go round

SIMPLE = (
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, owner INTEGER)",
    "INSERT INTO runs VALUES (1, 1)",
    "CREATE TABLE decisions (id INTEGER PRIMARY KEY, run INTEGER, action TEXT, saw TEXT, state TEXT)",
    "CREATE TABLE blocks (id INTEGER PRIMARY KEY, run INTEGER, columns TEXT, data BLOB)",
    "CREATE TABLE rows (id INTEGER PRIMARY KEY, run INTEGER, step INTEGER, metrics TEXT)",
)
DECISION = "INSERT INTO decisions (run, action, saw, state) VALUES (1, ?, ?, ?)"
STATE = {"run": {"steps": 1000, "seconds": 12.5}, "rules": [{"best": 0.5, "since": 3}] * 3, "counters": [0, 0, 0]}
ACTION = {"verb": "adapt", "reason": "loss above 3", "at": "report"}
SAW = [{"rule": "adapt", "answer": True, "metric": "loss", "value": 3.5}]


def timed(work: Callable[[], object], count: int) -> Cost:
    """The cost of each of ``count`` things that ``work`` does."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return (time.process_time() - cpu) / count * 1e6, (time.perf_counter() - wall) / count * 1e6


def best(times: int, measure: Callable[[], Cost]) -> Cost:
    """The best of several measurements, of each clock by itself."""
    found = [measure() for _ in range(times)]
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


def begin(folder: Path) -> tuple[RunWriter, int, int]:
    """A run in a new journal, with an attempt and its branch."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "runs.db"
    writer = Journal(path).open_run("bench", 0, identity={})
    attempt = writer.begin_attempt(1, 7, {"kind": "scratch"}, started_from=None, verified=None)
    return writer, attempt, writer.begin_branch(attempt, 0, None, 0, "start", None)


# -- steps ----------------------------------------------------------------------------------------------------------


def reports() -> list[Report]:
    """A few reports to go round: a loop makes one at a time and keeps none."""
    return [Report({"loss": 1.0 / (i + 1), "accuracy": 0.5, "norm": 2.0}) for i in range(POOL)]


def steps_of_ours(folder: Path, taken: list[Report], count: int) -> Cost:
    writer, attempt, branch = begin(folder)
    add, tick, clock = writer.lane(attempt, branch).add, writer.tick, time.perf_counter

    def work() -> None:
        step = 0
        for _ in range(count // POOL):
            for report in taken:
                step += 1
                add((step, 0.25, report))
                tick(clock())
        writer.flush()

    cost = timed(work, count)
    writer.close()
    return cost


def adding(add: Callable[[Any], object], rows: list[Any], taken: list[Report], count: int) -> Cost:
    """What the loop feels at every step: a report goes into the buffer, which is emptied now and then."""

    def work() -> None:
        for _ in range(count // POOL):
            for report in taken:
                add((1, 0.25, report))
            rows.clear()

    return timed(work, count)


def adding_of_ours(taken: list[Report], count: int) -> Cost:
    lane = Lane(1, 1)
    return adding(lane.add, lane.rows, taken, count)


def appending(taken: list[Report], count: int) -> Cost:
    rows: list[Any] = []
    return adding(rows.append, rows, taken, count)


def steps_in_sqlite3(folder: Path, taken: list[Report], count: int, pack: bool) -> Cost:
    """The same batches of 4,096 by the standard library: in blocks of columns, or as a row of JSON a step."""
    connection = plain(folder)

    def work() -> None:
        rows: list[Any] = []
        step = 0
        for _ in range(count // POOL):
            for report in taken:
                step += 1
                if pack:
                    rows.append((step, 0.25, report.metrics.copy(), {}, report.status, report.value))
                else:
                    rows.append((1, step, json.dumps(report.metrics)))
                if len(rows) >= blocks.LARGEST:
                    write_batch(connection, rows, pack)
        write_batch(connection, rows, pack)

    cost = timed(work, count)
    connection.close()
    return cost


def write_batch(connection: sqlite3.Connection, rows: list[Any], pack: bool) -> None:
    if not rows:
        return
    connection.execute("BEGIN IMMEDIATE")
    if pack:
        connection.execute("INSERT INTO blocks (run, columns, data) VALUES (1, ?, ?)", blocks.pack(rows))
    else:
        connection.executemany("INSERT INTO rows (run, step, metrics) VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")
    rows.clear()


# -- events ---------------------------------------------------------------------------------------------------------


def plain(folder: Path) -> sqlite3.Connection:
    path = Path(tempfile.mkdtemp(dir=folder)) / "plain.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *SIMPLE):
        connection.execute(statement)
    return connection


def decisions_of_ours(folder: Path, count: int) -> Cost:
    writer, attempt, branch = begin(folder)

    def work() -> None:
        for step in range(count):
            writer.decision(
                attempt=attempt,
                branch=branch,
                step=step,
                rule="adapt",
                action=ACTION,
                saw=SAW,
                state=STATE,
                seconds=1.0,
            )

    cost = timed(work, count)
    writer.close()
    return cost


def commits(connection: Any, count: int) -> Cost:
    """One row of the same size, checked for its owner and committed, without anything of ours around it."""
    values = [json.dumps(part) for part in (ACTION, SAW, STATE)]

    def work() -> None:
        for _ in range(count):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT owner FROM runs WHERE id = 1").fetchone()
            connection.execute(DECISION, values)
            connection.execute("COMMIT")

    return timed(work, count)


def by_sqlite3(folder: Path, count: int) -> Cost:
    connection = plain(folder)
    cost = commits(connection, count)
    connection.close()
    return cost


def by_apsw(folder: Path, count: int) -> Cost:
    import apsw

    connection = apsw.Connection(str(Path(tempfile.mkdtemp(dir=folder)) / "plain.db"))
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *SIMPLE):
        connection.execute(statement)
    cost = commits(connection, count)
    connection.close()
    return cost


def bare_fsync(folder: Path, count: int) -> Cost:
    """The bound: 4 kB appended to a file and fsynced."""
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    page = bytes(4096)

    def work() -> None:
        for _ in range(count):
            os.write(descriptor, page)
            os.fsync(descriptor)

    cost = timed(work, count)
    os.close(descriptor)
    return cost


# -- calls ----------------------------------------------------------------------------------------------------------


def calls_of_ours(folder: Path, count: int) -> Cost:
    writer, attempt, branch = begin(folder)

    def work() -> None:
        for step in range(count):
            call = writer.call_begin(attempt, branch, step, "answer", "")
            writer.call_end(call, {"answer": step}, {"tokens": 12.0})

    cost = timed(work, count)
    writer.close()
    return cost


def calls_of_dbos(folder: Path, count: int) -> Cost | None:
    try:
        from dbos import DBOS
    except ImportError:
        return None
    database = f"sqlite:///{tempfile.mkdtemp(dir=folder)}/dbos.db"
    DBOS(config={"name": "bench", "system_database_url": database, "log_level": "ERROR", "run_admin_server": False})

    @DBOS.step()
    def call(i: int) -> dict[str, int]:
        return {"answer": i}

    @DBOS.workflow()
    def flow(steps: int) -> list[float]:
        def work() -> None:
            for i in range(steps):
                call(i)

        return list(timed(work, steps))

    DBOS.launch()
    try:
        flow(5)
        cpu, wall = flow(count)
    finally:
        DBOS.destroy()
    return cpu, wall


# -- the table ------------------------------------------------------------------------------------------------------


def row(what: str, ours: Cost, target: str, peer: str, theirs: Cost | None) -> tuple[str, ...]:
    mine = (f"{ours[0]:.2f}", f"{ours[1]:.2f}", target)
    if theirs is None:
        return what, *mine, f"{peer} is not installed", "", "", ""
    return what, *mine, peer, f"{theirs[0]:.2f}", f"{theirs[1]:.2f}", f"{ours[1] / theirs[1]:.2f}"


def table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    print()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--folder", default=None, help="where the journals are made: the disk that is measured")
    options = parser.parse_args()
    import apsw

    scale = 1 if options.quick else 10
    assert __doc__ is not None
    print(__doc__.splitlines()[0])
    print(f"Python {platform.python_version()}, apsw with SQLite {apsw.sqlite_lib_version()},", end=" ")
    print(f"sqlite3 with SQLite {sqlite3.sqlite_version}, {platform.machine()}\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        taken, steps = reports(), 20_000 * scale
        few, calls = 100 * scale, 10 * scale
        ours = best(3, lambda: steps_of_ours(folder, taken, steps))
        felt = best(3, lambda: adding_of_ours(taken, steps))
        events = best(3, lambda: decisions_of_ours(folder, few))
        once = best(3, lambda: calls_of_ours(folder, few))
        in_blocks = best(3, lambda: steps_in_sqlite3(folder, taken, steps, True))
        in_rows = best(3, lambda: steps_in_sqlite3(folder, taken, steps, False))
        print("A step as a run grows: constant time and memory\n")
        rows: list[tuple[str, ...]] = [("steps", "cpu", "wall", "peak memory MB")]
        for count in (20_000, 200_000) if options.quick else (10_000, 100_000, 1_000_000, 10_000_000):
            cost = steps_of_ours(folder, taken, count)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rows.append((f"{count:,}", f"{cost[0]:.2f}", f"{cost[1]:.2f}", f"{peak:.0f}"))
        table(rows)
        # DBOS comes last: its threads stay, and would be counted with everything after it.
        columns = ("what", "cpu", "wall", "target", "peer", "cpu", "wall", "ours / peer, wall")
        table(
            [
                columns,
                row("a step", ours, "< 2", "the same blocks, sqlite3", in_blocks),
                row("a step", ours, "< 2", "a row of JSON, sqlite3", in_rows),
                row("of it, the loop's part", felt, "< 0.4", "list.append", best(3, lambda: appending(taken, steps))),
                row(
                    "a decision, durable", events, "", "bare commit, sqlite3", best(3, lambda: by_sqlite3(folder, few))
                ),
                row("a decision, durable", events, "", "bare commit, apsw", best(3, lambda: by_apsw(folder, few))),
                row(
                    "a decision, durable", events, "", "bound: write + fsync", best(3, lambda: bare_fsync(folder, few))
                ),
                row("a call, journaled", once, "", f"DBOS {dbos_version()}, SQLite", calls_of_dbos(folder, calls)),
            ]
        )
    return 0


def dbos_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dbos")
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
