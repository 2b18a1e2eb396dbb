"""The conductor: what every loop does between two steps. It feeds the machine, journals what it decides, carries it out.

A loop calls ``begin`` for each attempt and ``make_ready`` when the process has been reset (``core/loops/beginning.py``),
:meth:`Conductor.boundary` after each step, :meth:`Conductor.failed` when one raised, :meth:`Conductor.body_ended` when a
body was left, and obeys what comes back: None (go on), ``ENDED`` (this attempt is over), ``AGAIN`` (the attempt has gone
back while no step is running), or an :class:`~dalsegno.core.decisions.Ask` to be answered with :meth:`Conductor.reply`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from dalsegno.core import events
from dalsegno.core.actions import Adapt
from dalsegno.core.asking import undisturbed
from dalsegno.core.budget import Budget
from dalsegno.core.decisions import DUE, Ask, Decision, Outcome
from dalsegno.core.durations import seconds as to_seconds
from dalsegno.core.errors import ReportError, UsageError
from dalsegno.core.ledger import Held
from dalsegno.core.loops.deciding import decide
from dalsegno.core.loops.ending import end_attempt_row, finish
from dalsegno.core.loops.instructions import ENDED, EngineWarning, Instruction, Landing
from dalsegno.core.loops.paid import Paid
from dalsegno.core.loops.probing import step_again
from dalsegno.core.loops.redo import Redo, boundary_redone, settle_redone
from dalsegno.core.loops.saving import Saver
from dalsegno.core.loops.signals import Interruptions
from dalsegno.core.loops.watchdog import Watchdog
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report
from dalsegno.core.result import Result
from dalsegno.core.subject import Subject
from dalsegno.core.trace import AttemptSummary

PROGRESS_SECONDS = 0.1
PACKAGE = str(Path(__file__).resolve().parents[2])  # files of the library itself


def with_calls(reported: dict[str, float], calls: dict[str, float]) -> dict[str, float]:
    """What a step has cost: what it reported, and what its calls came to."""
    cost = dict(reported)
    for unit, amount in calls.items():
        given = cost.get(unit, 0.0)
        cost[unit] = given + amount if isinstance(given, (int, float)) else given  # a wrong one is refused as it stands
    return cost


def callers_level() -> int:
    """How far up the user's own line is, so that a warning points at it and not into the library."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


class Conductor:
    """One run in this program. Made by ``core/loops/opening.py``."""

    def __init__(
        self,
        *,
        rules: Sequence[Any],
        machine: Machine,
        journal: Any,
        root_seed: int,
        name: str,
        stream: events.Stream,
        budget: Budget | None,
        journaled: bool,
    ) -> None:
        self.pid = os.getpid()
        self.rules = rules
        self.machine = machine
        self.journal = journal
        self.root_seed = root_seed
        self.name = name
        self.stream = stream
        self.budget = budget
        self.journaled = journaled
        self.subject: Subject = None  # type: ignore[assignment]  # set by the loop
        self.saver: Saver | None = None
        self.promised_best: list[tuple[str, str]] = []
        self.prior_reports = self.stream.steps
        # the clock
        self.last = perf_counter()
        self.attention: float = inf  # when to look at more than the next step
        self.wait = 0.0  # seconds before the next attempt
        self.reset_seconds = 0.0
        self.interruptions = Interruptions(self.call_attention)
        self.paid = Paid(journal, machine.trace, self.last)
        # the attempt: where it begins, goes on or is, and its rows in the journal
        self.next_attempt: tuple[Origin, Held | None] | None = (Origin(), None)
        self.landing: Landing | None = None
        self.redo: Redo | None = None
        self.is_ready = False
        self.at_end = False
        self.attempt_id = 0
        self.attempt_number_of_row = 0
        self.branch_id = 0
        self.branch_number = 0
        self.writer_number = 0
        self.began_from: int | None = None
        self.add: Any = None  # takes (step, seconds, report) into the journal
        # the step being taken: its costly calls and its judges
        self.calls_in_step: set[tuple[int, int, int, str]] = set()
        self.step_costs: dict[str, float] = {}
        self.asking = "report"  # what a judge is asked after: a report, a failure, an end
        self.judged: dict[str, Any] = {}  # what judges have said at the place judged_at
        self.judged_at: tuple[int, int, int] | None = None
        # the probe of the first snapshot
        self.probing = False
        self.counts_skipped = False  # whether the process says how many items it has left out
        self.first_state: Any = None
        self.first_generators: Any = None
        self.origin_reader: Any = None  # of the snapshot that the attempt begins from
        self.compared = 0  # steps done again that were held against the journal
        self.is_whole = True  # False where the process could not be reset: it has no state to save
        # how it ends
        self.last_decision: Decision | None = None
        self.error: BaseException | None = None  # what the newest failure raised
        self.winner: AttemptSummary | None = None  # of parallel attempts, the one that succeeded first
        self.result: Result | None = None
        self.verdict = "exact"
        self.warned: list[str] = []

    def call_attention(self) -> None:
        self.attention = -inf

    def warn(self, message: str) -> None:
        """Say something once, to listeners and as a warning; it stays with the result."""
        if message in self.warned:
            return
        self.warned.append(message)
        self.stream.send(events.Warned(message))
        warnings.warn(message, EngineWarning, stacklevel=callers_level())

    def open_branch(self) -> None:
        """Where the rows of this branch go; bound once, since it is called at every step."""
        self.add = self.journal.lane(self.attempt_id, self.branch_id).add if self.journaled else None

    def open_lane(self) -> None:
        """The same where steps may have to be done again: what the journal has of this branch is followed."""
        self.open_branch()
        if self.redo is not None:
            self.redo.follow(self.journal.read_rows(self.attempt_id, self.branch_id, self.machine.trace.attempt.steps))
            if self.redo.over:
                self.redo = None

    # -- between two steps --------------------------------------------------------------------------------------

    def boundary(self, report: Report) -> Any:
        """A step has been reported: decide, save if nothing fired, carry out."""
        if type(report) is not Report and not isinstance(report, Report):
            return self.failed(
                ReportError(f"the step returned a {type(report).__name__}: expected ds.Report(metrics={{...}})")
            )
        now = perf_counter()
        seconds = now - self.last
        self.last = now
        if self.step_costs:
            report.cost = with_calls(report.cost, self.step_costs)
            self.step_costs = {}
        machine = self.machine
        if self.counts_skipped:
            machine.skipped = self.subject.process.skipped  # type: ignore[attr-defined]
        if self.redo is not None:
            return boundary_redone(self, report, seconds)
        try:
            outcome = machine.advance(report, seconds)
        except ReportError as error:
            return self.refuse_report(error)
        except AttributeError:
            if isinstance(report.metrics, dict) and isinstance(report.cost, dict):
                raise
            kinds = f"metrics={type(report.metrics).__name__}, cost={type(report.cost).__name__}"
            return self.refuse_report(ReportError(f"a report with {kinds}: expected dicts from names to numbers"))
        if self.add is not None:
            self.add((machine.trace.attempt.steps, seconds, report))
        if outcome is None and now < self.attention:
            return None
        if self.prior_reports:
            self.tell_step()
        return self.attend(outcome, "report")

    def tell_step(self) -> None:
        """A step has been taken: tell those listeners that asked for every one."""
        trace = self.machine.trace
        event = events.StepTaken(trace.attempt.number, trace.attempt.steps, trace.report)
        for listener in self.prior_reports:
            listener(event)

    def refuse_report(self, error: ReportError) -> Any:
        """What cannot be a report is a failure of the attempt; the step is not counted."""
        trace = self.machine.trace
        trace.steps -= 1
        trace.attempt.steps -= 1
        return self.failed(error)

    def attend(self, outcome: Outcome, at: str) -> Instruction | Ask | None:
        """Something other than the next step is due: a decision, a snapshot, a flush, a signal."""
        if self.pid != os.getpid():
            raise UsageError(
                "a program that a step forked has come back from that step: the run is its parent's; let it leave with "
                "os._exit(), or start programs with multiprocessing or subprocess"
            )
        self.paid.note(perf_counter())
        if self.probing and at == "report":
            self.probing = False
            step_again(self, self.machine.trace.report, self.machine.trace.attempt.seconds - self.reset_seconds)
        if isinstance(outcome, Ask):
            self.asking = at
            return outcome
        done: Instruction | None = None
        if isinstance(outcome, Decision):
            done = decide(self, outcome, at)
            if self.saver is not None and type(outcome.action) is Adapt and undisturbed(self.machine) is DUE:
                self.saver.save(
                    "schedule"
                )  # of the changed process: a rule that adapts at every step must not keep it off
        elif self.saver is not None and (outcome is DUE or self.saver.label is not None):
            label, self.saver.label = self.saver.label, None
            self.saver.save("schedule" if label is None else "named", label)
        now = perf_counter()
        if self.journaled:
            self.journal.tick(now)
            if self.machine.has_policies:
                self.check_policies()
        if self.interruptions.received is not None:
            self.interrupt()
        self.stream.send(events.Progressed(self.machine.trace))
        self.plan_attention(now)
        return done

    def check_policies(self) -> None:
        """Warn of a policy that learns and does not say what."""
        for bound in self.machine.bound:
            if names := bound.unsaved():
                self.warn(
                    f"{bound.name} has changed its {', '.join(names)} and has no state_dict and load_state_dict: after a "
                    "kill it would begin as it was first made, and decide otherwise"
                )

    def plan_attention(self, now: float) -> None:
        if self.prior_reports or self.probing or self.interruptions.received is not None:
            self.attention = -inf
        elif self.journaled or self.stream.listeners:
            self.attention = now + PROGRESS_SECONDS
        else:
            self.attention = inf
        if self.saver is not None and self.saver.label is not None:
            self.attention = -inf

    def reply(self, ask: Ask, answer: bool | None, reason: str = "") -> Instruction | Ask | None:
        """The judge that an Ask named has answered."""
        outcome = self.machine.reply(ask, answer)
        if isinstance(outcome, Decision) and outcome.index == ask.rule and outcome.index < len(outcome.saw):
            outcome.saw[outcome.index]["judge"] = {"accept": answer, "reason": reason}
        if self.redo is not None and not isinstance(outcome, Ask):
            return settle_redone(self, outcome, self.asking)
        return self.attend(outcome, self.asking)

    def failed(self, error: BaseException) -> Instruction | Ask | None:
        """A step raised. ENDED or AGAIN if a rule answered; otherwise the same exception is raised again."""
        return self.end_by(Failure.of(error), error)

    def end_by(self, failure: Failure, error: BaseException | None) -> Instruction | Ask | None:
        now = perf_counter()
        seconds, self.last = now - self.last, now
        self.step_costs = {}
        self.error = error
        outcome = self.machine.fail(failure, seconds)
        if self.redo is not None and not isinstance(outcome, Ask):
            return settle_redone(self, outcome, "failure")
        return self.attend(outcome, "failure")

    def body_ended(self, returned: Any) -> Instruction | Ask | None:
        """A body ended or was left: a success."""
        now = perf_counter()
        seconds, self.last = now - self.last, now
        outcome = self.machine.finish_body(returned, seconds)
        if self.redo is not None and not isinstance(outcome, Ask):
            return settle_redone(self, outcome, "end")
        return self.attend(outcome, "end")

    # -- decisions that a worker carries out otherwise ----------------------------------------------------------

    def restart(self, decision: Decision) -> Instruction:
        end_attempt_row(self)
        self.next_attempt = (decision.origin or Origin(), decision.target)
        self.wait = decision.wait
        return ENDED

    def finish(self, decision: Decision) -> None:
        """The run is over."""
        finish(self, decision)

    # -- around the attempts ------------------------------------------------------------------------------------

    def waited(self) -> None:
        """The wait before an attempt is running time of the run, not of the attempt."""
        now = perf_counter()
        if self.wait:
            self.machine.trace.seconds += now - self.last
        self.wait, self.last = 0.0, now

    def watched(self, plan: Any) -> Watchdog:
        """A watchdog over the steps, if the plan limits their time."""
        return Watchdog(self, None if plan.step_timeout is None else to_seconds(plan.step_timeout))

    # -- the ways out -------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """A signal has come: save the state of this boundary and leave as it asks."""
        going = self.result is None and self.is_ready and self.machine.trace.attempt.status == "running"
        if self.saver is not None and going and self.redo is None:
            self.saver.save("request")
        self.journal.flush()
        self.paid.note(perf_counter())
        raise self.interruptions.leave()

    def close(self) -> None:
        """Leave the journal whole; the run is interrupted if it has not ended."""
        if self.pid != os.getpid():
            return  # a child that a step forked leaves through here: the run is its parent's
        if not self.journal.closed:
            try:
                if self.result is None:
                    self.paid.note(perf_counter())
                self.journal.flush()
            finally:
                self.journal.close()

    # -- what was paid, for those that note it themselves: a portfolio's driver and costly calls ----------------

    @property
    def paid_since(self) -> float:
        return self.paid.since

    @paid_since.setter
    def paid_since(self, now: float) -> None:
        self.paid.since = now

    def mark_paid(self, now: float) -> None:
        self.paid.mark(now)

    @property
    def call_costs(self) -> dict[str, float]:
        return self.paid.call_costs
