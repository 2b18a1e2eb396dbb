"""The objective: which report is the best so far, of an attempt and of the run.

A report's value counts, the greater the better; where an attempt reports none, the metric of the run's objective does.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dalsegno.core.report import Report, number
from dalsegno.core.trace import Best

if TYPE_CHECKING:
    from dalsegno.core.machine import Machine

# What snapshots of improvements may take that no schedule asked for: some seconds, and a share of the running time.
ALLOWANCE = 1.0
SHARE = 0.05


def note_value(machine: Machine, report: Report) -> None:
    """Take in a report that carries a value."""
    attempt = machine.trace.attempt
    value = report.value = number("value", "value", report.value)
    if isfinite(value) and (attempt.value is None or value > attempt.value):
        attempt.value = value
        attempt.best = Best(value, attempt.number, attempt.steps, "value", dict(report.metrics))
        if machine.saves_best:
            improved(machine)


def note_metric(machine: Machine, figure: float, report: Report) -> None:
    """Take in the objective's metric of a report without a value."""
    attempt = machine.trace.attempt
    if attempt.value is not None or not isfinite(figure):
        return
    best = attempt.best
    if best is None or machine.sign * (figure - best.value) > machine.min_delta:
        attempt.best = Best(figure, attempt.number, attempt.steps, machine.metric, dict(report.metrics))
        if machine.saves_best:
            improved(machine)


def improved(machine: Machine) -> None:
    """The best so far: a snapshot of it is due at this boundary, where it is wanted and not too dear."""
    trace = machine.trace
    taken = machine.improvements * (machine.save_seconds or 0.0)
    if machine.saves_best == "always" or taken <= ALLOWANCE + SHARE * trace.seconds:
        machine.improvements += 1
        machine.due_step = trace.attempt.steps


def best_report(machine: Machine) -> Best | None:
    """The best report of the run so far, on the line that counts."""
    trace = machine.trace
    bests = [summary.best for summary in trace.attempts]
    if not trace.attempts or trace.attempts[-1].number != trace.attempt.number:
        bests.append(trace.attempt.best)
    found: Best | None = None
    for best in bests:
        if best is None:
            continue
        if found is None or (found.metric != "value" and best.metric == "value"):
            found = best
        elif best.metric == found.metric:
            sign = 1.0 if best.metric == "value" else machine.sign
            if sign * (best.value - found.value) > 0:
                found = best
    return found
