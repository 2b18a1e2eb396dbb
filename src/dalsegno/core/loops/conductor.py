"""The conductor: what every loop does between two steps. It feeds the machine, journals what it decides, carries it out.

A loop calls :meth:`begin` for each attempt, :meth:`ready` when the process has been reset, :meth:`boundary` after each
step, :meth:`failed` when one raised, :meth:`body_ended` when a body was left, and obeys what comes back: None (go on),
``ENDED`` (this attempt is over), ``AGAIN`` (the attempt has gone back while no step is running), or an
:class:`~dalsegno.core.decisions.Ask` to be answered with :meth:`reply`.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from math import inf
from time import perf_counter
from typing import Any

from dalsegno.core import events
from dalsegno.core.budget import Budget
from dalsegno.core.decisions import DUE, Ask, Change, Decision, Outcome
from dalsegno.core.durations import seconds as to_seconds
from dalsegno.core.errors import ReportError, SnapshotError
from dalsegno.core.ledger import Held
from dalsegno.core.loops.deciding import decide
from dalsegno.core.loops.ending import end_attempt_row, finish
from dalsegno.core.loops.instructions import ENDED, EngineWarning, Instruction, Landing
from dalsegno.core.loops.probing import SMALL, round_trip, step_again
from dalsegno.core.loops.redo import Redo, boundary_redone, settle_redone
from dalsegno.core.loops.saving import Saver
from dalsegno.core.loops.signals import Interruptions
from dalsegno.core.loops.watchdog import Watchdog
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report
from dalsegno.core.result import Result
from dalsegno.core.seeds import attempt_seed
from dalsegno.core.subject import Subject, apply_change
from dalsegno.core.trace import Attempt, AttemptSummary

PROGRESS_SECONDS = 0.1


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
        self.add: Any = None  # takes (step, seconds, report) into the journal
        self.redo: Redo | None = None
        self.landing: Landing | None = None
        self.next_attempt: tuple[Origin, Held | None] | None = (Origin(), None)
        self.result: Result | None = None
        self.last_decision: Decision | None = None
        self.attempt_id = 0
        self.branch_id = 0
        self.branch_number = 0
        self.writer_number = 0
        self.began_from: int | None = None
        self.promised_best: list[tuple[str, str]] = []
        self.reset_seconds = 0.0
        self.last = time.perf_counter()
        self.attention: float = inf
        self.interruptions = Interruptions(self.call_attention)
        self.verdict = "exact"
        self.warned: list[str] = []
        self.paid_steps = 0  # of the steps taken, how many are noted as paid
        self.paid_cost: dict[str, float] = {}
        self.call_costs: dict[str, float] = {}  # charged for calls since it was last noted what was paid
        self.paid_since = self.last
        self.prior_reports = self.stream.steps
        self.is_ready = False
        self.judged: dict[str, Any] = {}  # what judges have said at the place judged_at
        self.judged_at: tuple[int, int, int] | None = None
        self.calls_in_step: set[tuple[int, int, int, str]] = set()
        self.step_costs: dict[str, float] = {}
        self.at_end = False

    # -- attempts -----------------------------------------------------------------------------------------------

    def call_attention(self) -> None:
        self.attention = -inf

    def warn(self, message: str) -> None:
        """Say something once, to listeners and as a warning; it stays with the result."""
        if message in self.warned:
            return
        self.warned.append(message)
        self.stream.send(events.Warned(message))
        warnings.warn(message, EngineWarning, stacklevel=4)

    def begin(self) -> Attempt | None:
        """Begin or take up the next attempt; None when the run is over. The loop resets the process next."""
        if self.result is not None:
            return None
        self.last = time.perf_counter()
        self.is_ready = False
        if self.landing is not None:
            return self.machine.trace.attempt
        assert self.next_attempt is not None
        origin, held = self.next_attempt
        number = self.machine.trace.begun + 1
        seed = attempt_seed(self.root_seed, number)
        attempt = Attempt(number, seed, origin)
        if self.attempt_id == 0 or self.attempt_number_of_row != number:
            self.attempt_id = self.journal.begin_attempt(
                number,
                seed,
                origin.to_dict(),
                started_from=None if held is None else held.id,
                verified=held is not None,
            )
            self.branch_id = self.journal.begin_branch(
                self.attempt_id, 0, None, 0 if held is None else held.step, "start", None
            )
            self.branch_number = 0
            self.attempt_number_of_row = number
        self.began_from = None if held is None else held.id
        self.seed_generators(seed)
        return attempt

    attempt_number_of_row = 0
    winner: AttemptSummary | None = None  # of parallel attempts, the one that succeeded first
    first_state: Any = None
    first_generators: Any = None
    probing = False

    @staticmethod
    def seed_generators(seed: int) -> None:
        from dalsegno.core.store import generators

        generators.seed(seed)

    def ready(self) -> None:
        """The process has been reset: put back what there is to put back, or save this first state."""
        now = time.perf_counter()
        self.is_ready = True
        landing = self.landing
        if landing is None:
            assert self.next_attempt is not None
            origin, held = self.next_attempt
            seed = attempt_seed(self.root_seed, self.machine.trace.begun + 1)
            reader = None
            if held is not None and self.saver is not None:
                reader = self.saver.open(held)
                if reader is None:
                    raise SnapshotError(f"snapshot {held.name}, which this attempt was to begin from, is damaged")
                self.subject.load(reader.get("process"))
                self.restore_generators(reader)
            self.reset_seconds = now - self.last
            self.machine.start(seed, origin, seconds=self.reset_seconds, base=0 if held is None else held.step)
            self.next_attempt = None
            self.open_lane()
            self.stream.send(
                events.AttemptStarted(self.machine.trace.begun, self.machine.trace.attempt.steps, origin.kind)
            )
            if self.saver is not None and held is None and not self.has_reset_snapshot():
                self.saver.save("reset")
                self.probe(self.saver.bytes)
        else:
            self.land(landing)
            self.landing = None
            self.open_lane()
            trace = self.machine.trace
            self.stream.send(events.AttemptStarted(trace.attempt.number, trace.attempt.steps, "resumed", True))
        self.last = time.perf_counter()
        self.plan_attention(self.last)

    def has_reset_snapshot(self) -> bool:
        number = self.machine.trace.attempt.number
        return any(entry.attempt == number and entry.sound for entry in self.machine.ledger)

    def probe(self, size: int) -> None:
        """Try a save, load, save round trip at the first snapshot of a journaled run, if the state is small."""
        if self.journaled and self.machine.trace.begun == 1 and size <= SMALL:
            from dalsegno.core.store import generators

            self.first_generators = generators.capture()
            round_trip(self)
            self.probing = True

    def land(self, landing: Landing) -> None:
        """Put a saved state back into the process and make the changes that belong on top of it."""
        self.subject.load(landing.state)
        self.restore_generators(landing.reader)
        self.apply(landing.changes)

    def restore_generators(self, reader: Any) -> None:
        from dalsegno.core.store import generators

        for lost in generators.restore(reader.get("generators")):
            self.verdict = "approximate"
            self.warn(f"the state of {lost} could not be restored: the run goes on, approximately")

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.role == "skip":
                assert change.skip is not None
                self.subject.skip(*change.skip)
                continue
            bound = self.machine.bound[change.rule]
            apply_change(bound.change(change.role, change.escalated, change.named), self.subject.target)

    def open_branch(self) -> None:
        """Where the rows of this branch go; bound once, since it is called at every step."""
        self.add = self.journal.lane(self.attempt_id, self.branch_id).add if self.journaled else None

    def open_lane(self) -> None:
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
            report.cost = {**self.step_costs, **report.cost}
            self.step_costs = {}
        if self.redo is not None:
            return boundary_redone(self, report, seconds)
        machine = self.machine
        try:
            outcome = machine.advance(report, seconds)
        except ReportError as error:
            return self.refuse_report(error)
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
        self.note_paid(perf_counter())
        if self.probing and at == "report":
            self.probing = False
            step_again(self, self.machine.trace.report, self.machine.trace.attempt.seconds - self.reset_seconds)
        if isinstance(outcome, Ask):
            self.asking = at
            return outcome
        done: Instruction | None = None
        if isinstance(outcome, Decision):
            done = decide(self, outcome, at)
        elif self.saver is not None and (outcome is DUE or self.saver.label is not None):
            label, self.saver.label = self.saver.label, None
            self.saver.save("schedule" if label is None else "named", label)
        now = time.perf_counter()
        if self.journaled:
            self.journal.tick(now)
        if self.interruptions.received is not None:
            self.interrupt()
        self.stream.send(events.Progressed(self.machine.trace))
        self.plan_attention(now)
        return done

    asking = "report"

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
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        self.step_costs = {}
        self.error = error
        outcome = self.machine.fail(failure, seconds)
        if self.redo is not None and not isinstance(outcome, Ask):
            return settle_redone(self, outcome, "failure")
        return self.attend(outcome, "failure")

    error: BaseException | None = None

    def body_ended(self, returned: Any) -> Instruction | Ask | None:
        """A body ended or was left: a success."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        outcome = self.machine.finish_body(returned, seconds)
        if self.redo is not None and not isinstance(outcome, Ask):
            return settle_redone(self, outcome, "end")
        return self.attend(outcome, "end")

    def snapshot_sent(self, entry: Held, size: int, seconds: float) -> None:
        """A snapshot has been acknowledged: tell the listeners."""
        self.stream.send(
            events.SnapshotSaved(entry.id, entry.attempt, entry.step, entry.name, entry.kind, size, seconds)
        )

    # -- decisions ----------------------------------------------------------------------------------------------

    def restart(self, decision: Decision) -> Instruction:
        end_attempt_row(self)
        self.next_attempt = (decision.origin or Origin(), decision.target)
        self.wait = decision.wait
        return ENDED

    wait = 0.0

    def note_paid(self, now: float) -> None:
        """What was really done in this program since it was last noted."""
        trace = self.machine.trace
        cost = {}
        for (
            unit,
            total,
        ) in trace.cost.items():  # what calls cost was noted when they were made, and replayed ones are free
            new = total - self.paid_cost.get(unit, 0.0) - self.call_costs.get(unit, 0.0)
            if new > 0:
                cost[unit] = new
        self.journal.add_paid(seconds=now - self.paid_since, steps=max(trace.steps - self.paid_steps, 0), cost=cost)
        self.mark_paid(now)

    def mark_paid(self, now: float) -> None:
        """Everything up to here is noted as paid."""
        trace = self.machine.trace
        self.paid_steps, self.paid_cost, self.paid_since = trace.steps, dict(trace.cost), now
        self.call_costs.clear()

    def finish(self, decision: Decision) -> None:
        """The run is over."""
        finish(self, decision)

    # -- endings ------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """A signal has come: save the state of this boundary and leave as it asks."""
        going = self.result is None and self.is_ready and self.machine.trace.attempt.status == "running"
        if self.saver is not None and going and self.redo is None:
            self.saver.save("request")
        self.journal.flush()
        self.note_paid(time.perf_counter())
        raise self.interruptions.leave()

    def close(self) -> None:
        """Leave the journal whole; the run is interrupted if it has not ended."""
        if self.pid != os.getpid():
            return  # a child that a step forked leaves through here: the run is its parent's
        if not self.journal.closed:
            try:
                if self.result is None:
                    self.note_paid(time.perf_counter())
                self.journal.flush()
            finally:
                self.journal.close()

    # -- costly calls -------------------------------------------------------------------------------------------

    # -- around the attempts ------------------------------------------------------------------------------------

    def start_failed(self) -> None:
        """The process could not even be reset: the attempt counts as begun, so that it can fail."""
        self.is_ready = True
        if self.landing is not None:
            self.landing = None
            return
        assert self.next_attempt is not None
        origin = self.next_attempt[0]
        now = time.perf_counter()
        self.reset_seconds, self.last = now - self.last, now
        self.machine.start(
            attempt_seed(self.root_seed, self.machine.trace.begun + 1), origin, seconds=self.reset_seconds
        )
        self.next_attempt = None
        self.open_lane()

    def waited(self) -> None:
        """The wait before an attempt is running time of the run, not of the attempt."""
        now = time.perf_counter()
        if self.wait:
            self.machine.trace.seconds += now - self.last
        self.wait, self.last = 0.0, now

    def watched(self, plan: Any) -> Watchdog:
        """A watchdog over the steps, if the plan limits their time."""
        return Watchdog(self, None if plan.step_timeout is None else to_seconds(plan.step_timeout))

    def final_state(self) -> dict[str, Any] | None:
        """The state at the end of a run that is over, where it was saved."""
        if self.saver is None:
            return None
        sound = [entry for entry in self.machine.ledger if entry.sound and not entry.abandoned]
        for entry in sorted(sound, key=lambda held: -held.order):
            reader = self.saver.open(entry)
            if reader is not None:
                state: dict[str, Any] = reader.get("process")
                return state
        return None
