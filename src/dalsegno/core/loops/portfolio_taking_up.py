"""Taking up a portfolio that was left: ended attempts stay ended, the others go on, each from its own snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dalsegno.core.loops.taking_up import attempts_of, decision_from
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.result import summary_from_dict
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.loops.portfolio import Driver


def take_up_attempts(driver: Driver) -> None:
    """After a kill: ended attempts stay ended, running ones go on from their own snapshots."""
    history = driver.writer.events()
    attempts = attempts_of(history)
    driver.trace.attempts = [summary_from_dict(row) for row in driver.writer.summaries()]
    driver.trace.ended = len(driver.trace.attempts)
    driver.trace.begun = max((row["number"] for row in attempts), default=0)
    for row in driver.writer.run_rows():
        driver.trace.steps += 1
        for unit, amount in row[4].items():
            driver.trace.cost[unit] = driver.trace.cost.get(unit, 0.0) + amount
    driver.trace.seconds = driver.writer.paid()["seconds"]
    stops = [
        row for row in history if row["kind"] == "decision" and row["action"].get("driver") and row["verb"] == "stop"
    ]
    restarted = {row["attempt"]: row for row in history if row["kind"] == "decision" and row["verb"] == "restart"}
    for row in attempts:
        if row["state"] == "open" and row["id"] in restarted:
            close_decided(driver, row, restarted[row["id"]])
        elif row["state"] == "open" and not stops:
            driver.starts.append((row["number"], Origin.from_dict(row["origin"]), row["started_from"]))
    if stops:
        for row in attempts:
            if row["state"] == "open":
                driver.writer.ensure_ended(row["id"], "cut")
        driver.finish(decision_from({**stops[-1]}, Machine(driver.plan.rules)))
        return
    begun = {row["number"] for row in attempts}
    owed = [row for row in history if row["kind"] == "decision" and row["verb"] == "restart"]
    for place in range(driver.trace.begun + 1, min(driver.parallel + len(owed), int(min(driver.most, 1e9))) + 1):
        if place not in begun:
            driver.trace.begun = place
            event = owed[place - driver.parallel - 1] if place > driver.parallel else None
            origin = Origin.from_dict(event["action"]["origin"]) if event is not None else Origin()
            driver.starts.append((place, origin, None))


def close_decided(driver: Driver, row: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """Close an attempt whose restart was decided; the program died before its row said so."""
    view, status = Attempt(row["number"], row["seed"]), event["action"]["status"]
    view.load(event["state"]["attempt"])
    known = {"state": "cut" if status == "running" else status, "censored": status == "running"}
    driver.close_row(row["id"], view, {**known, "failure": event["action"].get("failure")})
    driver.trace.ended += 1
