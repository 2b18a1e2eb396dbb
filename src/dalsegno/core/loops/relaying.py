"""Relaying: what workers ask of the journal and what they report, as messages to the driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import UsageError
from dalsegno.core.executors import Handle
from dalsegno.core.journal import blocks
from dalsegno.core.journal.writer import Call, dumps, loads
from dalsegno.core.loops.portfolio_endings import ended, lost
from dalsegno.core.loops.worker import REMOTE
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.loops.portfolio import Driver


class Runner:
    """One attempt under way, as the driver sees it."""

    def __init__(self, handle: Handle, row: int | None, seed: int) -> None:
        self.handle = handle
        self.row = row  # the attempt's id in the journal, once it has one
        self.branch = 0
        self.view = Attempt(handle.number, seed)
        self.last = time.perf_counter()


def hear(driver: Driver, runner: Runner) -> None:
    """One message of a worker: do what it asks, take in its rows, decide what is of the run, answer."""
    raw = runner.handle.receive()
    if raw is None:
        lost(driver, runner)
        return
    runner.last = time.perf_counter()
    message = loads(raw.decode())
    for attempt, branch, first, count, columns, data in message["rows"]:
        take_rows(driver, runner, attempt, branch, first, count, columns, data)
    method = message["method"]
    if method == "ended":
        runner.handle.send(dumps({"value": None, "sequence": driver.writer.sequence}).encode())
        ended(driver, runner, *message["args"])
        return
    value = serve(driver, runner, method, message["args"], message["options"])
    decision = driver.decide(runner) if message["rows"] or method == "progress" else None
    cut = decision is not None or driver.conductor.result is not None
    runner.handle.send(dumps({"value": value, "sequence": driver.writer.sequence, "cut": cut}).encode())
    if decision is not None:
        driver.carry_out(runner, decision)
    if driver.conductor.interruptions.received is not None:
        driver.interrupt()


def take_rows(
    driver: Driver,
    runner: Runner,
    attempt: int,
    branch: int,
    first: int,
    count: int,
    columns: str,
    data: bytes,
) -> None:
    view = runner.view
    rows = list(blocks.unpack(0, first, count, columns, data))
    add = driver.writer.lane(attempt, branch).add_row
    for row in rows:
        add(row)
        view.seconds += row[2]
        for unit, amount in row[4].items():
            view.cost[unit] = view.cost.get(unit, 0.0) + amount
            driver.trace.cost[unit] = driver.trace.cost.get(unit, 0.0) + amount
        if row[6] is not None and (view.value is None or row[6] > view.value):
            view.value = row[6]
        driver.names.update(dict.fromkeys(row[3]))
    view.steps = first + count - 1
    driver.trace.steps += count
    driver.writer.add_paid(steps=count, cost=total_of(rows))
    driver.writer.tick(time.perf_counter())


def total_of(rows: list[blocks.Row]) -> dict[str, float]:
    """What some steps have cost together, by unit."""
    total: dict[str, float] = {}
    for row in rows:
        for unit, amount in row[4].items():
            total[unit] = total.get(unit, 0.0) + amount
    return total


def serve(driver: Driver, runner: Runner, method: str, args: list[Any], options: dict[str, Any]) -> Any:
    if method == "progress":
        return None
    if method == "events":
        return events_of(driver, runner)
    if method == "snapshot_row":
        return next(row for row in driver.writer.events() if row["kind"] == "snapshot" and row["id"] == args[0])
    if method == "read_rows":
        return [list(row) for row in driver.writer.read_rows(*args)]
    if method == "call_begin":
        call = driver.writer.call_begin(*args)
        return [call.id, call.state, call.idempotency_key, call.inputs_hash, call.value, call.cost]
    if method == "call_end":
        driver.writer.call_end(Call(args[0], "in flight", "", ""), args[1], args[2])
        return None
    if method == "add_paid":
        return None  # the driver notes what its workers' rows say
    if method == "begin_attempt":
        runner.row = driver.writer.begin_attempt(*args, **options)
        return runner.row
    if method == "begin_branch":
        runner.branch = driver.writer.begin_branch(*args)
        return runner.branch
    if method in REMOTE:
        return getattr(driver.writer, method)(*args, **options)
    raise UsageError(f"a worker asked for {method!r}, which is not to be had")


def events_of(driver: Driver, runner: Runner) -> list[dict[str, Any]]:
    """The history of one attempt, for it to take itself up from."""
    if runner.row is None:
        return []
    history = []
    for row in driver.writer.events():
        if (row["kind"] == "attempt" and row["id"] == runner.row) or (
            row["kind"] != "attempt" and row["attempt"] == runner.row and not row.get("action", {}).get("driver")
        ):
            history.append(row)
    return history
