"""Relaying: what workers ask of the journal and what they report, as messages to the driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dalsegno.core import events
from dalsegno.core.decisions import Decision
from dalsegno.core.errors import UsageError
from dalsegno.core.journal import blocks
from dalsegno.core.journal.calls import Call
from dalsegno.core.journal.writer import dumps, loads
from dalsegno.core.loops.overseeing import Runner, begin_at, go_back_to, oversee
from dalsegno.core.loops.portfolio_endings import ended, lost
from dalsegno.core.loops.worker import REMOTE

if TYPE_CHECKING:
    from dalsegno.core.loops.portfolio import Driver


def hear(driver: Driver, runner: Runner) -> None:
    """One message of a worker: take in its rows, do what it asks, answer; or cut it where the run's rules say so."""
    raw = runner.handle.receive()
    if raw is None:
        lost(driver, runner)
        return
    runner.last = time.perf_counter()
    message = loads(raw.decode())
    decision = None
    for packed in message["rows"]:
        decision = take_rows(driver, runner, *packed)
        if decision is not None:
            break
    if decision is not None:
        answer(driver, runner, None, cut=True)
        driver.carry_out(runner, decision)
    elif message["method"] == "ended":
        answer(driver, runner, None)
        ended(driver, runner, *message["args"])
    else:
        answer(driver, runner, serve(driver, runner, message["method"], message["args"], message["options"]))
    driver.tell_progress()
    if driver.conductor.interruptions.received is not None:
        driver.interrupt()


def answer(driver: Driver, runner: Runner, value: Any, *, cut: bool = False) -> None:
    runner.handle.send(dumps({"value": value, "sequence": driver.writer.sequence, "cut": cut}).encode())


def take_rows(
    driver: Driver,
    runner: Runner,
    attempt: int,
    branch: int,
    first: int,
    count: int,
    columns: str,
    data: bytes,
) -> Decision | None:
    """The steps of a bundle, up to that at which a rule of the run cuts the attempt."""
    decision = None
    rows = list(blocks.unpack(0, first, count, columns, data))
    add = driver.writer.lane(attempt, branch).add_row
    for row in rows:
        add(row)
        decision = oversee(driver, runner, row)
        if decision is not None:
            break
    driver.writer.add_paid(steps=count, cost=total_of(rows))
    driver.writer.tick(time.perf_counter())
    return decision


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
    if method == "call_lost":
        driver.writer.call_lost(Call(args[0], "in flight", "", ""), args[1], args[2])
        return None
    if method == "add_paid":
        return None  # the driver notes what its workers' rows say
    if method == "begin_attempt":
        runner.row = driver.writer.begin_attempt(*args, **options)
        return runner.row
    if method == "begin_branch":
        runner.branch = driver.writer.begin_branch(*args)
        _, number, _, step, *_ = args
        (begin_at if number == 0 else go_back_to)(runner.view, step)
        return runner.branch
    if method == "snapshot":
        row = driver.writer.snapshot(*args, **options)
        told = (options[name] for name in ("step", "name", "kind", "bytes", "seconds"))
        driver.conductor.stream.send(events.SnapshotSaved(row, runner.view.number, *told))
        return row
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
