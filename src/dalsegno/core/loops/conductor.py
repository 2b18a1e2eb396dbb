"""The conductor: what every loop does between two steps. It feeds the machine, journals what it decides, carries it out.

A loop calls :meth:`begin` for each attempt, :meth:`ready` when the process has been reset, :meth:`boundary` after each
step, :meth:`failed` when one raised, :meth:`body_ended` when a body was left, and obeys what comes back: None (go on),
``ENDED`` (this attempt is over), ``AGAIN`` (the attempt has gone back while no step is running), or an
:class:`~dalsegno.core.decisions.Ask` to be answered with :meth:`reply`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from math import inf
from time import perf_counter
from typing import Any

from dalsegno.core import events
from dalsegno.core.actions import Adapt, Restart, RollBack, Stop
from dalsegno.core.budget import Budget
from dalsegno.core.decisions import DUE, Ask, Change, Decision, Outcome
from dalsegno.core.durations import seconds as to_seconds
from dalsegno.core.errors import ReportError, SnapshotError, UnsavableError
from dalsegno.core.ledger import Held, choose
from dalsegno.core.loops.redo import Redo, difference
from dalsegno.core.loops.saving import Saver
from dalsegno.core.loops.signals import Interruptions
from dalsegno.core.loops.watchdog import Watchdog
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report
from dalsegno.core.result import Result, summary_to_dict
from dalsegno.core.seeds import attempt_seed
from dalsegno.core.subject import Subject, apply_change
from dalsegno.core.trace import Attempt

PROGRESS_SECONDS = 0.1


class Instruction:
    """What a loop is told."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return self.word


ENDED = Instruction("ENDED")
AGAIN = Instruction("AGAIN")


class EngineWarning(UserWarning):
    """Something that the engine noticed and went on in spite of."""


class Landing:
    """Where an attempt goes on from when it is ready: a state to put back, and the changes to make to it."""

    def __init__(self, reader: Any, engine: dict[str, Any], changes: Sequence[Change], step: int) -> None:
        self.reader, self.engine, self.changes, self.step = reader, engine, list(changes), step
        self.state: dict[str, Any] = reader.get("process")


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
        self.paid_since = self.last
        self.prior_reports = self.stream.steps
        self.is_ready = False
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
                number, seed, origin.to_dict(), started_from=None if held is None else held.id, verified=held is not None
            )
            self.branch_id = self.journal.begin_branch(self.attempt_id, 0, None, 0 if held is None else held.step, "start", None)
            self.branch_number = 0
            self.attempt_number_of_row = number
        self.began_from = None if held is None else held.id
        self.seed_generators(seed)
        return attempt

    attempt_number_of_row = 0

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
            self.stream.send(events.AttemptStarted(self.machine.trace.begun, self.machine.trace.attempt.steps, origin.kind))
            if self.saver is not None and held is None and not self.has_reset_snapshot():
                self.saver.save("reset")
                self.probe()
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

    def probe(self) -> None:
        """Set by the opening where a save, load, save round trip is to be tried."""

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
            return self.boundary_redone(report, seconds)
        machine = self.machine
        try:
            outcome = machine.advance(report, seconds)
        except ReportError as error:
            return self.refuse_report(error)
        if self.add is not None:
            self.add((machine.trace.attempt.steps, seconds, report))
        if outcome is None and now < self.attention:
            return None
        return self.attend(outcome, "report")

    def refuse_report(self, error: ReportError) -> Any:
        """What cannot be a report is a failure of the attempt; the step is not counted."""
        trace = self.machine.trace
        trace.steps -= 1
        trace.attempt.steps -= 1
        return self.failed(error)

    def attend(self, outcome: Outcome, at: str) -> Instruction | Ask | None:
        """Something other than the next step is due: a decision, a snapshot, a flush, a signal."""
        if self.prior_reports:
            trace = self.machine.trace
            event = events.StepTaken(trace.attempt.number, trace.attempt.steps, trace.report)
            for listener in self.prior_reports:
                listener(event)
        if isinstance(outcome, Ask):
            self.asking = at
            return outcome
        done: Instruction | None = None
        if isinstance(outcome, Decision):
            done = self.decide(outcome, at)
        elif self.saver is not None and (outcome is DUE or self.saver.label is not None):
            label, self.saver.label = self.saver.label, None
            self.saver.save("schedule" if label is None else "named", label)
        now = time.perf_counter()
        if self.journaled:
            self.journal.tick(now)
        if now - self.paid_since > 0.5:
            self.note_paid(now)
        if self.interruptions.received is not None:
            self.interrupt()
        self.stream.send(events.Progressed(self.machine.trace))
        self.plan_attention(now)
        return done

    asking = "report"

    def plan_attention(self, now: float) -> None:
        if self.prior_reports or self.interruptions.received is not None:
            self.attention = -inf
        elif self.journaled or self.stream.listeners:
            self.attention = now + PROGRESS_SECONDS
        else:
            self.attention = inf
        if self.saver is not None and self.saver.label is not None:
            self.attention = -inf

    def reply(self, ask: Ask, answer: bool | None) -> Instruction | Ask | None:
        """The judge that an Ask named has answered."""
        outcome = self.machine.reply(ask, answer)
        if self.redo is not None and not isinstance(outcome, Ask):
            return self.settle_redone(outcome, self.asking)
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
            return self.settle_redone(outcome, "failure")
        return self.attend(outcome, "failure")

    error: BaseException | None = None

    def body_ended(self, returned: Any) -> Instruction | Ask | None:
        """A body ended or was left: a success."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        outcome = self.machine.finish_body(returned, seconds)
        if self.redo is not None and not isinstance(outcome, Ask):
            return self.settle_redone(outcome, "end")
        return self.attend(outcome, "end")

    # -- after a kill -------------------------------------------------------------------------------------------

    def boundary_redone(self, report: Report, seconds: float) -> Instruction | Ask | None:
        redo = self.redo
        assert redo is not None
        step = self.machine.trace.attempt.steps + 1
        row = redo.take_row(step)
        if row is not None:
            seconds = row[2]
        outcome = self.machine.advance(report, seconds)
        if row is not None:
            unlike = difference(report, row)
            if unlike is not None:
                self.diverge(step, unlike)
                row = None
        if row is None and self.add is not None:
            self.add((step, seconds, report))
        if isinstance(outcome, Ask):
            self.asking = "report"
            return outcome
        return self.settle_redone(outcome, "report")

    def settle_redone(self, outcome: Outcome, at: str) -> Instruction | Ask | None:
        """Apply what the journal says of this instant, and nothing that it does not say."""
        redo = self.redo
        assert redo is not None
        event = redo.next_decision(self.machine.trace.attempt.steps, at)
        ended = self.machine.trace.attempt.status != "running"
        if event is not None:
            instruction = self.apply_journaled(event, at)
        elif ended or redo.over:
            self.end_redo()
            return self.attend(outcome, at)
        else:
            instruction = self.attend(None if isinstance(outcome, Decision) else outcome, at)
        if self.redo is not None and self.redo.over:
            self.end_redo()
        return instruction

    def end_redo(self) -> None:
        """All that the journal knew is behind; what it knew and was never reached is marked."""
        redo, self.redo = self.redo, None
        if redo is not None and redo.decisions:
            self.journal.supersede([event["id"] for event in redo.decisions])
            self.warn("decisions in the journal were not reached again and are marked superseded")

    def apply_journaled(self, event: Any, at: str) -> Instruction | Ask | None:
        from dalsegno.core.loops.opening import decision_from

        decision = decision_from(event, self.machine)
        return self.decide(decision, at, journaled=event)

    def diverge(self, step: int, unlike: str) -> None:
        """A redone step differs from what the journal has: said once, and a branch of its own from here on."""
        if self.verdict == "exact":
            self.warn(
                f"step {step} was taken again and is not the same: {unlike}. The run goes on, approximately; "
                "`dalsegno check` finds out why"
            )
        self.verdict = "approximate"
        self.branch_number += 1
        self.branch_id = self.journal.begin_branch(
            self.attempt_id, self.branch_number, self.branch_id, step - 1, "divergence", None
        )
        self.open_branch()
        assert self.redo is not None
        self.redo.follow(iter(()))

    def snapshot_sent(self, entry: Held, size: int, seconds: float) -> None:
        """A snapshot has been acknowledged: tell the listeners."""
        self.stream.send(
            events.SnapshotSaved(entry.id, entry.attempt, entry.step, entry.name, entry.kind, size, seconds)
        )

    # -- decisions ----------------------------------------------------------------------------------------------

    def decide(self, decision: Decision, at: str, journaled: Any = None) -> Instruction | None:
        """Make a decision durable, then carry it out."""
        reader = engine = None
        if isinstance(decision.action, RollBack):
            reader = self.open_target(decision)
            if reader is None:
                return self.give_up(decision, at)
            engine = reader.get("engine")
        self.last_decision = decision
        if journaled is None:
            status = self.machine.trace.attempt.status
            self.machine.commit(decision, engine)
            decision_id = self.journal.decision(
                attempt=self.attempt_id,
                branch=self.branch_id,
                step=decision.step,
                rule=decision.rule,
                action=to_json(decision, at, status),
                saw=decision.saw,
                state=self.machine.state(),
                seconds=self.machine.trace.seconds,
            )
        else:
            decision_id = journaled["id"]
            attempt = self.machine.trace.attempt
            if isinstance(decision.action, (Restart, Stop)):
                self.machine.close_attempt()
            elif isinstance(decision.action, RollBack):
                self.machine.go_back(decision, engine or {})
            self.machine.load(journaled["state"], seed=attempt.seed, origin=attempt.origin)
        self.stream.send(
            events.DecisionTaken(
                decision.attempt,
                decision.step,
                decision.verb,
                decision.rule,
                decision.reason,
                None if decision.target is None else decision.target.step,
                journaled is not None,
            )
        )
        if isinstance(decision.action, Adapt):
            self.apply(decision.changes)
            return None
        if isinstance(decision.action, RollBack):
            return self.go_back(decision, decision_id, reader, engine or {}, at)
        if isinstance(decision.action, Restart):
            return self.restart(decision)
        return self.stop(decision)

    def open_target(self, decision: Decision) -> Any:
        """A sound reader of the snapshot to go back to, choosing again where the first choice is damaged."""
        assert self.saver is not None
        action: Any = decision.action
        attempt = self.machine.trace.attempt
        while decision.target is not None:
            held = decision.target
            if held.sound:
                reader = self.saver.open(held)
                if reader is not None:
                    return reader
            objective = self.machine.snapshot_objective()
            decision.target = choose(self.machine.ledger, attempt.number, attempt.steps, action.to, objective)
            if decision.target is not None:
                own = decision.changes[len(decision.changes) - decision.own :]
                decision.changes = [*self.machine.changes[decision.target.changes :], *own]
        return None

    def give_up(self, decision: Decision, at: str) -> Instruction | None:
        why = f"{decision.rule}: every snapshot to go back to is damaged"
        return self.decide(
            Decision(Stop(why), decision.rule, decision.index, decision.step, decision.attempt, why, succeeded=False), at
        )

    def go_back(
        self, decision: Decision, decision_id: int, reader: Any, engine: dict[str, Any], at: str
    ) -> Instruction | None:
        assert decision.target is not None
        counter = self.machine.counters.get(decision.index, [0, 0, 0])
        if counter[0] == 2 and not decision.own:
            self.warn(
                f"{decision.rule} has gone back twice to step {decision.target.step} without a change: the same steps "
                "are taken again and will end the same way; give roll_back a change (then=) or skip="
            )
        self.begin_branch(decision.target.step, "roll back", decision_id)
        landing = Landing(reader, engine, decision.changes, decision.target.step)
        if at == "report":
            self.land(landing)
            self.open_lane()
            self.last = time.perf_counter()
            return AGAIN
        self.landing = landing
        return AGAIN

    def begin_branch(self, step: int, cause: str, decision_id: int) -> None:
        """The branch that a decision began: the journal's, where it is there already."""
        for row in self.journal.branches_of(self.attempt_id):
            if row["decision"] == decision_id:
                self.branch_id, self.branch_number = row["id"], row["number"]
                return
        self.branch_number += 1
        self.branch_id = self.journal.begin_branch(
            self.attempt_id, self.branch_number, self.branch_id, step, cause, decision_id
        )

    def restart(self, decision: Decision) -> Instruction:
        self.end_attempt_row()
        self.next_attempt = (decision.origin or Origin(), decision.target)
        self.wait = decision.wait
        return ENDED

    wait = 0.0

    def stop(self, decision: Decision) -> Instruction:
        action: Any = decision.action
        restored = False
        if action.restore is not None and decision.target is not None and self.saver is not None:
            reader = self.saver.open(decision.target) if decision.target.sound else None
            if reader is not None:
                self.subject.load(reader.get("process"))
                restored = True
        if self.saver is not None and self.is_ready and not decision.unanswered:
            self.save_end(restored)
        self.end_attempt_row()
        self.finish(decision)
        if decision.unanswered and self.error is not None:
            raise self.error
        return ENDED

    def save_end(self, restored: bool) -> None:
        """A run's end is a snapshot too, unless this very state has been saved already."""
        assert self.saver is not None
        attempt = self.machine.trace.attempt
        held = [entry for entry in self.machine.ledger if entry.attempt == attempt.number and entry.sound]
        newest = max(held, key=lambda entry: entry.order, default=None)
        if restored or newest is None or newest.step != attempt.steps or newest.branch != self.branch_id:
            self.saver.save("end")

    def end_attempt_row(self) -> None:
        summary = self.machine.trace.attempts[-1]
        summary.reset_seconds = self.reset_seconds
        row = summary_to_dict(summary)
        row["returned"] = self.savable(summary.returned)
        now = time.perf_counter()
        self.note_paid(now)
        failure = summary.failure
        self.journal.end_attempt(
            self.attempt_id,
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
            reset_seconds=self.reset_seconds,
            summary=row,
        )
        self.stream.send(events.AttemptEnded(summary.number, summary.state, self.machine.trace.attempt.steps))

    def savable(self, returned: Any) -> Any:
        """What a function returned, if the journal can hold it."""
        if returned is None or not self.journaled:
            return None
        from dalsegno.core.store.codec import dumps

        try:
            dumps(returned)
        except UnsavableError:
            self.warn(
                f"the function returned a {type(returned).__name__}, which a journal cannot hold: result.returned is "
                "there in this program, and None where the run is looked up later"
            )
            return None
        return returned

    def note_paid(self, now: float) -> None:
        """What was really done in this program since it was last noted."""
        taken = self.machine.trace.steps
        self.journal.add_paid(seconds=now - self.paid_since, steps=max(taken - self.paid_steps, 0))
        self.paid_steps, self.paid_since = taken, now

    # -- endings ------------------------------------------------------------------------------------------------

    def finish(self, decision: Decision) -> None:
        """The run is over: its result is stored, and is what every later call returns."""
        self.check_names()
        trace = self.machine.trace
        state = "failed" if decision.unanswered else "finished"
        by_rule = decision.rule if decision.index >= 0 else None
        paid = self.journal.paid()
        self.result = Result(
            state,
            decision.succeeded,
            decision.reason,
            by_rule,
            trace.steps,
            trace.seconds,
            dict(trace.cost),
            list(trace.attempts),
            self.machine.best(),
            trace.attempts[-1].returned if trace.attempts else None,
            trace.attempt.steps,
            paid,
            self.verdict,
            list(self.warned),
            self.journal.run_id,
            self.name,
            self.root_seed,
            self.journal.shown_path,
        )
        outcome = self.result.to_dict()
        outcome.pop("attempts")
        outcome["returned"] = self.savable(outcome["returned"])
        self.journal.end_run(state=state, outcome=outcome)
        self.stream.send(events.RunEnded(state, decision.reason, by_rule))

    def check_names(self) -> None:
        """Warn once of a metric that a rule waited for and no report ever carried."""
        seen = self.machine.trace.names
        for bound in self.machine.bound:
            if bound.rule is None:
                continue
            for name in bound.rule.condition.metric_names():
                if name not in seen and self.machine.trace.steps:
                    known = ", ".join(seen) or "none at all"
                    self.warn(f"{name!r}, which {bound.name} waits for, was never reported; reported were: {known}")

    def interrupt(self) -> None:
        """A signal has come: save the state of this boundary and leave as it asks."""
        if self.saver is not None and self.result is None and self.is_ready and self.redo is None:
            if self.machine.trace.attempt.status == "running":
                self.saver.save("request")
        self.journal.flush()
        self.note_paid(time.perf_counter())
        raise self.interruptions.leave()

    def close(self) -> None:
        """Leave the journal whole; the run is interrupted if it has not ended."""
        if not self.journal.closed:
            try:
                if self.result is None:
                    self.note_paid(time.perf_counter())
                self.journal.flush()
            finally:
                self.journal.close()

    # -- costly calls -------------------------------------------------------------------------------------------

    def instant(self) -> tuple[int, int, int]:
        """The place that a call belongs to: attempt, branch, and the step being taken."""
        step = self.machine.trace.attempt.steps + (0 if self.at_end else 1) if self.is_ready else 0
        return self.attempt_id, self.branch_id, step

    def charge_call(self, cost: dict[str, float]) -> None:
        """What a call cost belongs to the step it was made in."""
        for unit, amount in cost.items():
            self.step_costs[unit] = self.step_costs.get(unit, 0.0) + amount

    def charge_judge(self) -> None:
        """What a judge cost is charged to the run at once: its step has been reported already."""
        costs, self.step_costs = self.step_costs, {}
        self.machine.charge(costs)

    def called_twice(self, place: tuple[int, int, int], key: str) -> bool:
        """Whether this key has been used before in the step being taken."""
        if self.calls_in_step and next(iter(self.calls_in_step))[:3] != place:
            self.calls_in_step.clear()
        whole = (*place, key)
        if whole in self.calls_in_step:
            return True
        self.calls_in_step.add(whole)
        return False

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
        self.machine.start(attempt_seed(self.root_seed, self.machine.trace.begun + 1), origin, seconds=self.reset_seconds)
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


def to_json(decision: Decision, at: str, status: str) -> dict[str, Any]:
    """A decision as plain values: enough to carry it out again."""
    return {
        "verb": decision.verb,
        "index": decision.index,
        "escalated": decision.escalated,
        "at": at,
        "status": status,
        "reason": decision.reason,
        "succeeded": decision.succeeded,
        "unanswered": decision.unanswered,
        "target": None if decision.target is None else decision.target.id,
        "target_step": None if decision.target is None else decision.target.step,
        "target_name": None if decision.target is None else decision.target.name,
        "changes": [change.to_list() for change in decision.changes],
        "own": decision.own,
        "origin": None if decision.origin is None else decision.origin.to_dict(),
        "wait": decision.wait,
        "attempt": decision.attempt,
    }
