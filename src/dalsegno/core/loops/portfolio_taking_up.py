"""Taking up a portfolio that was left: ended attempts stay ended, the others go on, each from its own snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.bound import BOTH
from dalsegno.core.loops.deciding import decision_from
from dalsegno.core.loops.overseeing import Start, begin_at, fold, go_back_to, take_in, tell_end
from dalsegno.core.loops.portfolio_endings import said_of
from dalsegno.core.loops.taking_up import attempts_of
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
    trace = driver.trace
    trace.begun = max((row["number"] for row in attempts), default=0)
    for row in attempts:
        learn_again(driver, row)
    trace.seconds = driver.writer.paid()["seconds"]
    stops = [
        row for row in history if row["kind"] == "decision" and row["action"].get("driver") and row["verb"] == "stop"
    ]
    restarted = {row["attempt"]: row for row in history if row["kind"] == "decision" and row["verb"] == "restart"}
    put_back_policies(driver, [row for row in history if row["kind"] == "decision" and row["action"].get("driver")])
    for row in attempts:
        if row["state"] == "open" and row["id"] in restarted:
            close_decided(driver, row, restarted[row["id"]])
        elif row["state"] == "open" and not stops:
            driver.starts.append(Start(row["number"], Origin.from_dict(row["origin"]), row["started_from"]))
    if stops:
        for row in attempts:
            if row["state"] == "open":
                driver.writer.ensure_ended(row["id"], "cut")
        driver.finish(decision_from({**stops[-1]}, Machine(driver.plan.rules)))
        return
    begin_what_is_owed(driver, attempts, list(restarted.values()))


def learn_again(driver: Driver, row: Mapping[str, Any]) -> None:
    """What the run's rules and figures made of an attempt's steps, from the journal's rows of them."""
    trace = driver.trace
    view = Attempt(row["number"], row["seed"], Origin.from_dict(row["origin"]))
    states: dict[int, Any] = {}
    for taken in driver.writer.block_rows("attempt = ?", (row["id"],), "id"):
        if taken[1] <= view.steps:  # a branch: the attempt had gone back
            go_back_to(view, taken[1] - 1)
        elif not view.steps:
            begin_at(view, taken[1] - 1)
        report = take_in(driver.machine, view, taken)
        if report.status == "running":
            fold(driver, states)
    summary = driver.writer.summary(row["id"])
    if summary is None:
        driver.views[row["number"]] = view
        return
    ended = summary_from_dict(summary)
    view.status = "running" if ended.censored else ended.state
    view.failure, view.value, view.returned = ended.failure, ended.value, ended.returned
    trace.ended += 1
    if not ended.censored:
        tell_end(driver.machine, view)
        fold(driver, states)
    trace.attempts.append(ended)
    if ended.failure is not None:
        driver.failed.append(said_of(ended.failure))


def put_back_policies(driver: Driver, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Policies that learn when they are asked, and not at every step, stand where they stood at the newest decision."""
    if not decisions:
        return
    for bound, saved in zip(driver.machine.bound, decisions[-1]["state"]["rules"], strict=True):
        if bound.policy is not None and not hasattr(bound.policy, "observe"):
            bound.load(saved, BOTH)


def begin_what_is_owed(
    driver: Driver, attempts: Sequence[Mapping[str, Any]], restarts: Sequence[Mapping[str, Any]]
) -> None:
    """Attempts that were to run and had no row yet when the program died: the first ones, and those restarts called for."""
    begun = {row["number"] for row in attempts}
    most = int(min(driver.most, 1e9))
    for place in range(1, min(driver.parallel + len(restarts), most) + 1):
        if place in begun:
            continue
        driver.trace.begun = max(driver.trace.begun, place)
        if place <= driver.parallel:
            driver.starts.append(Start(place, Origin()))
            continue
        called = restarts[place - driver.parallel - 1]["action"]
        driver.starts.append(Start(place, Origin.from_dict(called["origin"]), called["target"]))


def close_decided(driver: Driver, row: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """Close an attempt whose restart was decided; the program died before its row said so."""
    view, status = Attempt(row["number"], row["seed"]), event["action"]["status"]
    view.load(event["state"]["attempt"])
    known = {"state": "cut" if status == "running" else status, "censored": status == "running"}
    driver.close_row(row["id"], view, {**known, "failure": event["action"].get("failure")})
    driver.trace.ended += 1
