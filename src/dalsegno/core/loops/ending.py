"""Ending: what is written when an attempt or a run is over, and the state that it left."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dalsegno.core import events
from dalsegno.core.decisions import Decision
from dalsegno.core.errors import UnsavableError
from dalsegno.core.result import Result, summary_to_dict

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def end_attempt_row(conductor: Conductor) -> None:
    summary = conductor.machine.trace.attempts[-1]
    summary.reset_seconds = conductor.reset_seconds
    row = summary_to_dict(summary)
    row["returned"] = savable(conductor, summary.returned)
    now = time.perf_counter()
    conductor.paid.note(now)
    failure = summary.failure
    conductor.journal.end_attempt(
        conductor.attempt_id,
        state=summary.state,
        censored=summary.censored,
        steps=summary.steps,
        seconds=summary.seconds,
        cost=summary.cost,
        value=summary.value,
        best_step=None if summary.best is None else summary.best.step,
        failure=None
        if failure is None
        else {"types": list(failure.types), "message": failure.message, "traceback": failure.traceback},
        returned=row["returned"],
        reset_seconds=conductor.reset_seconds,
        summary=row,
    )
    conductor.stream.send(events.AttemptEnded(summary.number, summary.state, conductor.machine.trace.attempt.steps))


def savable(conductor: Conductor, returned: Any) -> Any:
    """What a function returned, if the journal can hold it."""
    if returned is None or not conductor.journaled:
        return None
    from dalsegno.core.store.codec import dumps

    try:
        dumps(returned)
    except UnsavableError:
        conductor.warn(
            f"the function returned a {type(returned).__name__}, which a journal cannot hold: result.returned is "
            "there in this program, and None where the run is looked up later"
        )
        return None
    return returned


def check_names(conductor: Conductor) -> None:
    """Warn once of a metric that a rule waited for and no report ever carried."""
    seen = conductor.machine.trace.names
    for bound in conductor.machine.bound:
        if bound.rule is None:
            continue
        for name in bound.rule.condition.metric_names():
            if name not in seen and conductor.machine.trace.steps:
                known = ", ".join(seen) or "none at all"
                conductor.warn(f"{name!r}, which {bound.name} waits for, was never reported; reported were: {known}")


def check_units(conductor: Conductor) -> None:
    """Warn once of a unit of cost that a rule limits and no report ever charged."""
    charged = conductor.machine.trace.cost
    for bound in conductor.machine.bound:
        for leaf in [] if bound.rule is None else bound.rule.condition.leaves():
            for unit, _ in getattr(leaf, "units", ()):
                if (
                    unit not in ("steps", "seconds", "attempts")
                    and unit not in charged
                    and conductor.machine.trace.steps
                ):
                    known = ", ".join(charged) or "none at all"
                    conductor.warn(f"{unit!r}, which {bound.name} limits, was never charged; charged were: {known}")


def finish(conductor: Conductor, decision: Decision) -> None:
    """The run is over: its result is stored, and is what every later call returns."""
    check_names(conductor)
    check_units(conductor)
    trace = conductor.machine.trace
    last = conductor.winner or (trace.attempts[-1] if trace.attempts else None)
    state = "failed" if decision.unanswered else "finished"
    by_rule = decision.rule if decision.index >= 0 else None
    paid = conductor.journal.paid()
    conductor.result = Result(
        state,
        decision.succeeded,
        decision.reason,
        by_rule,
        trace.steps,
        trace.seconds,
        dict(trace.cost),
        list(trace.attempts),
        conductor.machine.best(),
        None if last is None else last.returned,
        trace.attempt.steps if conductor.winner is None else conductor.winner.steps,
        paid,
        conductor.verdict,
        conductor.compared,
        list(conductor.warned),
        conductor.journal.run_id,
        conductor.name,
        conductor.root_seed,
        conductor.journal.shown_path,
    )
    outcome = conductor.result.to_dict()
    outcome.pop("attempts")
    outcome["returned"] = savable(conductor, outcome["returned"])
    conductor.journal.end_run(state=state, outcome=outcome)
    conductor.stream.send(events.RunEnded(state, decision.reason, by_rule))


def keep_returned(conductor: Conductor, attempt: Any, returned: Any) -> None:
    """A rule had stopped the run, and then the body returned something: it is the run's result, too.

    A program that is killed between the two leaves None in the journal.
    """
    result = conductor.result
    if result is None or returned is None or result.returned is not None or not attempt.ended_by_stop():
        return
    conductor.result = replace(result, returned=returned)
    outcome = conductor.journal.run.get("outcome")
    if outcome is not None:
        outcome = {**outcome, "returned": savable(conductor, returned)}
        conductor.journal.end_run(state=conductor.journal.run["state"], outcome=outcome)


def final_state(conductor: Conductor) -> dict[str, Any] | None:
    """The state at the end of a run that is over, where it was saved."""
    if conductor.saver is None:
        return None
    sound = [entry for entry in conductor.machine.ledger if entry.sound and not entry.abandoned]
    for entry in sorted(sound, key=lambda held: -held.order):
        reader = conductor.saver.open(entry)
        if reader is not None:
            state: dict[str, Any] = reader.get("process")
            return state
    return None
