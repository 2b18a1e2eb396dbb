"""How an attempt of a portfolio ends: by its worker's word, with the loss of its program, in a step that never returns.

The rules of the run and those that the worker had are then one list again: the first that speaks decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dalsegno.core import events
from dalsegno.core.actions import Restart, Stop
from dalsegno.core.decisions import Decision
from dalsegno.core.errors import BOOKKEEPING, HungError, UnsavableError
from dalsegno.core.loops.deciding import decision_from
from dalsegno.core.loops.overseeing import decide_at_end
from dalsegno.core.loops.worker import Silent, is_of_run
from dalsegno.core.machine import Machine
from dalsegno.core.report import Failure
from dalsegno.core.result import summary_from_dict
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.loops.overseeing import Runner
    from dalsegno.core.loops.portfolio import Driver

BOOKKEEPING_BY_NAME = (*BOOKKEEPING, UnsavableError)


def ended(driver: Driver, runner: Runner, outcome: dict[str, Any] | None, error: list[str] | None) -> None:
    """A worker's attempt is over: the run's rules come first where they stand first in the list."""
    driver.runners.remove(runner)
    runner.handle.kill()
    if outcome is None:
        kind, message, text = error or ["failure", "the worker gave no outcome", ""]
        trouble = next((known for known in BOOKKEEPING_BY_NAME if known.__name__ == kind), None)
        if trouble is not None:  # the worker's snapshots: no failure of its attempt, which goes on another time
            raise trouble(message)
        failed(driver, runner, Failure((kind,), message, text))
        return
    summary = summary_from_dict(driver.writer.summary(runner.row))
    for name in outcome["names"]:
        driver.trace.names[name] = None
    for message in outcome["warnings"]:
        driver.conductor.warn(f"attempt {runner.view.number}: {message}")
    if outcome["verdict"] != "exact":
        driver.conductor.verdict = outcome["verdict"]
    view = runner.view
    view.status = summary.state if summary.state in ("succeeded", "failed") else "running"
    view.value, view.returned, view.failure = summary.value, summary.returned, summary.failure
    driver.trace.ended += 1
    own = decide_at_end(driver, runner)
    driver.trace.attempts.append(summary)
    driver.conductor.stream.send(events.AttemptEnded(view.number, summary.state, view.steps))
    event = {"action": outcome["decision"], "rule": outcome["rule"], "step": view.steps, "saw": []}
    theirs = decision_from(event, Machine(driver.plan.rules))
    if own is not None and (theirs.index < 0 or own.index < theirs.index or no_place_left(driver, theirs)):
        driver.journal_decision(runner, own)
        theirs = own
    if isinstance(theirs.action, Restart):
        driver.start_next(theirs)
    elif theirs.unanswered or (theirs.index < 0 and not theirs.succeeded):
        driver.failed.append(theirs.reason)
    else:
        driver.stop(theirs)


def no_place_left(driver: Driver, theirs: Decision) -> bool:
    """Whether an attempt's own rule calls for another one for which the budget of attempts has no place left."""
    return isinstance(theirs.action, Restart) and driver.trace.begun >= driver.most


def lost(driver: Driver, runner: Runner) -> None:
    """A worker's program is gone without a word: killed, or out of memory."""
    driver.runners.remove(runner)
    code = getattr(runner.handle, "exit_code", None)
    how = f"killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    runner.handle.kill()
    if code == HungError.exit_code and driver.plan.step_timeout is not None:  # its own watchdog was the first
        failed(driver, runner, hung(driver.plan.step_timeout))
        return
    failed(driver, runner, Failure(("dalsegno.WorkerLost",), f"the program of the attempt was {how}"))


def failed(driver: Driver, runner: Runner, failure: Failure) -> None:
    """An attempt whose own program can no longer ask the rules has failed: the driver asks them all."""
    row, _ = driver.place(runner)
    view = runner.view
    driver.trace.ended += 1
    view.status, view.failure = "failed", failure
    own = decide_at_end(driver, runner)
    asked = Machine([Silent(rule) if is_of_run(rule) else rule for rule in driver.plan.rules])
    asked.trace.attempt = Attempt(view.number)
    theirs = asked.fail(failure, 0.0)
    if own is not None and (
        not isinstance(theirs, Decision)
        or theirs.index < 0
        or own.index < theirs.index
        or no_place_left(driver, theirs)
    ):
        theirs = own
    if isinstance(theirs, Decision) and theirs.index >= 0:
        driver.journal_decision(runner, theirs)
    driver.close_row(row, view, {"state": "failed", "censored": False, "failure": as_text(failure)})
    if isinstance(theirs, Decision) and isinstance(theirs.action, Restart):
        driver.start_next(theirs)
    elif isinstance(theirs, Decision) and theirs.index >= 0 and isinstance(theirs.action, Stop):
        driver.stop(theirs)
    else:
        driver.failed.append(said_of(failure))


def said_of(failure: Failure) -> str:
    return f"failed with {failure.type}: {failure.message}" if failure.types else f"failed: {failure.message}"


def as_text(failure: Failure) -> dict[str, Any]:
    return {"types": list(failure.types), "message": failure.message, "traceback": failure.traceback}


def hung(limit: float | str) -> Failure:
    """The failure of an attempt whose step took longer than ``limit``."""
    return Failure(("TimeoutError",), f"a step did not return within {limit} s: its program was ended")
