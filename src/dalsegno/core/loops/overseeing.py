"""Overseeing: what the driver of parallel attempts knows of one of them, and what the run's own rules say of it.

Rows come in bundles. They are gone through one by one, as if the driver had been there at each step: a rule of the run
that is true at one of them cuts the attempt there, and what its program did beyond is paid for but does not count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dalsegno.core import events
from dalsegno.core.asking import settle
from dalsegno.core.bound import ATTEMPT
from dalsegno.core.decisions import Decision
from dalsegno.core.journal import blocks
from dalsegno.core.loops.deciding import refuse_without_state
from dalsegno.core.objective import note_metric, note_value
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.core.trace import BLOCK, Attempt

if TYPE_CHECKING:
    from dalsegno.core.executors import Handle
    from dalsegno.core.loops.portfolio import Driver
    from dalsegno.core.machine import Machine


@dataclass(frozen=True)
class Start:
    """An attempt that is owed: its number, where it begins, and the time (of this program's clock) before which not."""

    number: int
    origin: Origin
    snapshot: int | None = None
    not_before: float = 0.0


class Runner:
    """One attempt under way, as the driver sees it."""

    def __init__(self, handle: Handle, row: int | None, view: Attempt) -> None:
        self.handle = handle
        self.row = row  # the attempt's id in the journal, once it has one
        self.branch = 0
        self.view = view
        self.states: dict[int, Any] = {}  # of conditions that look at the run and at the attempt: the attempt's part
        self.last = time.perf_counter()


def begin_at(view: Attempt, step: int) -> None:
    """The attempt begins at ``step``: that of the snapshot it comes from."""
    view.base = view.steps = view.folded = step


def go_back_to(view: Attempt, step: int) -> None:
    """The attempt has gone back: what it reported after ``step`` is no longer on the line that counts."""
    for _ in range(min(view.steps - step, len(view.reports))):
        view.reports.pop()
    view.steps = view.folded = step
    if view.best is not None and view.best.step > step:
        view.best = view.value = None


def take_in(machine: Machine, view: Attempt, row: blocks.Row) -> Report:
    """One step of an attempt: its figures join those of the attempt and of the run."""
    trace = machine.trace
    _, step, seconds, metrics, cost, status, value = row
    report = Report(metrics, cost, status, value)
    trace.attempt, trace.report, trace.metrics = view, report, metrics
    trace.steps += 1
    view.steps = step
    view.seconds += seconds
    if cost:
        machine.charge(cost)
    view.reports.append(report)
    if value is not None:
        note_value(machine, report)
    elif machine.metric and (seen := metrics.get(machine.metric)) is not None:
        note_metric(machine, seen, report)
    if step - view.folded >= BLOCK:
        machine.note_names()
    return report


def fold(driver: Driver, states: dict[int, Any]) -> list[Any]:
    """The rules of the run over the newest report of ``trace.attempt``, and the policies that look at every step."""
    machine, fired = driver.machine, []
    for bound in machine.folds:
        index = bound.index
        if index in driver.mixed:
            bound.load(states.get(index, driver.mixed[index]), ATTEMPT)
        truth = bound.fold(bound.state, machine.trace)
        if index in driver.mixed:
            states[index] = bound.saved()
        if truth is True:
            fired.append((bound, truth))
    machine.observe()
    return fired


def oversee(driver: Driver, runner: Runner, row: blocks.Row) -> Decision | None:
    """Take in one step of a worker; a decision of the run where a rule calls for one at it."""
    driver.pass_time()
    report = take_in(driver.machine, runner.view, row)
    if driver.conductor.prior_reports:
        event = events.StepTaken(runner.view.number, runner.view.steps, report)
        for listener in driver.conductor.prior_reports:
            listener(event)
    return decide(driver, runner) if report.status == "running" else None  # else once it is known how it ended


def decide(driver: Driver, runner: Runner) -> Decision | None:
    """What the run's own rules and policies say at this step of an attempt; None where they say nothing."""
    fired = fold(driver, runner.states)
    if not fired and not driver.machine.has_policies:
        return None
    outcome = settle(driver.machine, fired)
    if not isinstance(outcome, Decision) or outcome.index < 0:
        return None
    refuse_without_state(outcome)
    return outcome


def tell_end(machine: Machine, view: Attempt) -> None:
    """The newest report is the one with which the attempt ended, or one without figures that says how it did."""
    last = view.reports[-1] if view.reports else None
    if last is None or last.status == "running":
        last = Report(status=view.status, failure=view.failure)
    machine.trace.attempt, machine.trace.report, machine.trace.metrics = view, last, last.metrics


def decide_at_end(driver: Driver, runner: Runner) -> Decision | None:
    """The same once the attempt has ended."""
    driver.pass_time()
    tell_end(driver.machine, runner.view)
    return decide(driver, runner)
