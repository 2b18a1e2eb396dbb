"""Parallel attempts: a portfolio in which the first success wins and the others are stopped.

The driver alone writes the journal and decides what is of the run (spent, agreement, first success); the rules of
attempt scope run in the workers, beside the state.  Who is cut when is a decision like any other: journaled, and so the
same after a kill.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dalsegno.core import events
from dalsegno.core.actions import Restart, Stop
from dalsegno.core.answering import origin_snapshot
from dalsegno.core.bound import Bound
from dalsegno.core.decisions import Decision
from dalsegno.core.errors import UsageError
from dalsegno.core.executors import Task, executor_of
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.loops.deciding import to_json
from dalsegno.core.loops.opening import open_run
from dalsegno.core.loops.overseeing import Runner, Start
from dalsegno.core.loops.portfolio_endings import as_text, failed, hung
from dalsegno.core.loops.portfolio_taking_up import take_up_attempts
from dalsegno.core.loops.relaying import hear
from dalsegno.core.loops.taking_up import stored_result
from dalsegno.core.loops.taking_up.history import decisions_of, fill_ledger, numbers_of, set_abandoned
from dalsegno.core.loops.worker import is_of_run
from dalsegno.core.machine import Machine, all_conditions
from dalsegno.core.plan import Plan, is_async
from dalsegno.core.process import Origin
from dalsegno.core.result import Result, summary_from_dict
from dalsegno.core.seeds import attempt_seed
from dalsegno.core.trace import Attempt

POLL_SECONDS = 0.2
SLICE = 0.1  # seconds between two looks at the clocks while no attempt runs
PROGRESS_SECONDS = 0.1
GRACE = 2.0  # seconds beyond the step's own limit before a worker that sends nothing is killed


class Driver:
    """Drives the attempts of one run over an executor."""

    def __init__(self, plan: Plan, conductor: Conductor, executor: Any, parallel: int) -> None:
        self.plan, self.conductor, self.executor, self.parallel = plan, conductor, executor, parallel
        self.writer = conductor.journal
        self.machine = conductor.machine
        self.trace = self.machine.trace
        self.runners: list[Runner] = []
        self.starts: list[Start] = []  # yet to be begun
        self.views: dict[int, Attempt] = {}  # of attempts that were under way when the run was taken up
        self.failed: list[str] = []
        self.clock = time.perf_counter()
        limiting: list[Any] = [leaf for leaf in all_conditions(plan.rules) if leaf.limits_attempts()]
        limits = [dict(leaf.units)["attempts"] for leaf in limiting]
        self.most = min(limits, default=float("inf"))
        self.told = self.clock
        # Conditions that look at the run and keep a state of the attempt: each attempt has that part for itself.
        self.mixed = {
            bound.index: bound.saved()
            for bound in self.machine.folds
            if bound.rule is not None
            and any(leaf.scope == "attempt" and leaf.initial() is not None for leaf in bound.rule.condition.leaves())
        }

    # -- the loop -----------------------------------------------------------------------------------------------

    def drive(self) -> None:
        while self.conductor.result is None:
            self.fill()
            if not self.runners and not self.starts:
                self.all_ended()
                return
            if not self.runners:
                time.sleep(min(SLICE, max(min(one.not_before for one in self.starts) - time.perf_counter(), 0.0)))
            for handle in self.executor.wait([runner.handle for runner in self.runners], POLL_SECONDS):
                runner = next((one for one in self.runners if one.handle is handle), None)
                if runner is not None and self.conductor.result is None:
                    hear(self, runner)
            self.look_at_clocks()

    def fill(self) -> None:
        """Begin attempts while there are places; a start reserves its place in a budget of attempts."""
        now = time.perf_counter()
        for start in [one for one in self.starts if one.not_before <= now][: self.parallel - len(self.runners)]:
            self.starts.remove(start)
            self.begin(start.number, start.origin, start.snapshot)
        while len(self.runners) < self.parallel and self.trace.begun < min(self.most, self.wanted):
            self.trace.begun += 1
            self.begin(self.trace.begun, Origin(), None)

    @property
    def wanted(self) -> int:
        """How many attempts are begun unasked: as many as run at a time; more only where a rule restarts."""
        return self.parallel

    def begin(self, number: int, origin: Origin, snapshot: int | None) -> None:
        path = self.writer.snapshots_path
        task = Task(
            self.plan,
            number,
            self.conductor.root_seed,
            self.conductor.name,
            self.writer.run_id,
            self.writer.uid,
            int(self.writer.owner),
            None if path is None else str(path.resolve()),
            origin.to_dict(),
            snapshot,
        )
        view = self.views.pop(number, None) or Attempt(number, attempt_seed(self.conductor.root_seed, number), origin)
        self.runners.append(Runner(self.executor.start(task), self.writer.attempt_row(number), view))
        self.conductor.stream.send(events.AttemptStarted(number, 0, origin.kind))

    # -- deciding what is of the run ----------------------------------------------------------------------------

    def pass_time(self) -> None:
        """Running time of the run is that of this program, however many attempts run beside each other in it."""
        now = time.perf_counter()
        self.trace.seconds += now - self.clock
        self.clock = now

    def tell_progress(self) -> None:
        now = time.perf_counter()
        if self.conductor.stream.listeners and now >= self.told + PROGRESS_SECONDS:
            self.told = now
            self.conductor.stream.send(events.Progressed(self.trace))

    def carry_out(self, runner: Runner, decision: Decision) -> None:
        """A decision of the driver about a running attempt: to restart it, or to stop the run."""
        self.journal_decision(runner, decision)
        self.cut(runner, "cut")
        if isinstance(decision.action, Restart):
            self.start_next(decision)
        else:
            self.stop(decision)

    def place(self, runner: Runner) -> tuple[int, int]:
        """The rows of an attempt and of its newest branch, made here where its worker did not come so far."""
        if runner.row is None:
            number, seed = runner.view.number, runner.view.seed
            runner.row = self.writer.begin_attempt(number, seed, {"kind": "scratch"}, started_from=None, verified=None)
        if not runner.branch:
            branches = self.writer.branches_of(runner.row)
            runner.branch = (
                branches[-1]["id"]
                if branches
                else self.writer.begin_branch(runner.row, 0, None, runner.view.base, "start", None)
            )
        return runner.row, runner.branch

    def journal_decision(self, runner: Runner, decision: Decision) -> None:
        action = {**to_json(decision, "report", runner.view.status), "driver": True}
        if runner.view.failure is not None:
            action["failure"] = as_text(runner.view.failure)
        attempt, branch = self.place(runner)
        self.writer.decision(
            attempt=attempt,
            branch=branch,
            step=runner.view.steps,
            rule=decision.rule,
            action=action,
            saw=decision.saw,
            state=self.machine.state(),
            seconds=self.trace.seconds,
        )
        self.conductor.last_decision = decision
        self.conductor.stream.send(
            events.DecisionTaken(runner.view.number, runner.view.steps, decision.verb, decision.rule, decision.reason)
        )

    def start_next(self, decision: Decision) -> None:
        """Owe the attempt that a restart called for; the snapshot that it begins from may be any attempt's."""
        if self.trace.begun >= self.most:
            return
        origin, held = decision.origin or Origin(), decision.target
        if held is None and origin.kind in ("snapshot", "prefix"):
            held = None if self.writer.snapshots_path is None else origin_snapshot(self.with_ledger(), origin)
            if held is None:
                self.failed.append(f"{decision.rule}: there is no sound snapshot for {origin}")
                return
        self.trace.begun += 1
        wait = time.perf_counter() + decision.wait if decision.wait else 0.0
        self.starts.append(Start(self.trace.begun, origin, None if held is None else held.id, wait))

    def with_ledger(self) -> Machine:
        """The driver's machine, with every snapshot that any of its attempts has."""
        history = self.writer.events()
        self.machine.ledger.clear()
        fill_ledger(self.conductor, history)
        set_abandoned(self.machine, decisions_of(history), numbers_of(history))
        return self.machine

    def cut(self, runner: Runner, state: str) -> None:
        """End an attempt that is under way; its duration is censored."""
        runner.handle.kill()
        self.runners.remove(runner)
        if runner.row is None:
            return
        view = runner.view
        self.close_row(runner.row, view, {"state": state, "censored": True})
        self.trace.ended += 1

    def close_row(self, row: int, view: Attempt, known: Mapping[str, Any]) -> None:
        summary = {
            "steps": view.steps,
            "seconds": view.seconds,
            "number": view.number,
            "cost": dict(view.cost),
            "value": view.value,
            "best": None if view.best is None else view.best.to_dict(),
            "metrics": {name: figures.last for name, figures in view.metrics.items()},
            "failure": None,
            "returned": None,
            "reset_seconds": 0.0,
            "propensity": 1.0,
            "seed": view.seed,
            "origin": view.origin.to_dict(),
            **known,
        }
        self.writer.end_attempt(
            row,
            state=summary["state"],
            censored=summary["censored"],
            steps=summary["steps"],
            seconds=summary["seconds"],
            cost=summary["cost"],
            value=summary["value"],
            best_step=None if view.best is None else view.best.step,
            failure=summary["failure"],
            summary=summary,
        )
        self.trace.attempts.append(summary_from_dict(summary))
        self.conductor.stream.send(events.AttemptEnded(view.number, summary["state"], view.steps))

    # -- the end ------------------------------------------------------------------------------------------------

    def stop(self, decision: Decision) -> None:
        """The run is over: whoever is still under way is cut."""
        for runner in list(self.runners):
            self.cut(runner, "cut")
        self.finish(decision)

    def all_ended(self) -> None:
        """Every attempt has ended and none succeeded."""
        last = self.failed[-1] if self.failed else "no attempt was begun"
        why = f"none of {self.trace.begun} attempts succeeded; the last one {last}"
        self.finish(Decision(Stop(why), "the engine: " + why, -1, 0, self.trace.begun, why, succeeded=False))

    def finish(self, decision: Decision) -> None:
        self.pass_time()
        now = time.perf_counter()
        self.trace.attempts.sort(key=lambda summary: summary.number)
        winners = [summary for summary in self.trace.attempts if summary.state == "succeeded"]
        self.writer.add_paid(seconds=now - self.conductor.paid_since)  # steps and costs are noted with their rows
        self.conductor.mark_paid(now)
        self.conductor.winner = winners[0] if winners else None
        self.conductor.finish(decision)

    def interrupt(self) -> None:
        for runner in list(self.runners):
            runner.handle.kill()
        self.writer.flush()
        raise self.conductor.interruptions.leave()

    def look_at_clocks(self) -> None:
        """Kill workers whose step does not return; note the time; heed a signal."""
        now = time.perf_counter()
        limit = self.plan.step_timeout
        if limit is not None:
            from dalsegno.core.durations import seconds

            for runner in [one for one in self.runners if now - one.last > seconds(limit) + GRACE]:
                self.runners.remove(runner)
                runner.handle.kill()
                failed(self, runner, hung(limit))
        if now - self.conductor.paid_since > 0.5:
            self.writer.add_paid(seconds=now - self.conductor.paid_since)
            self.conductor.paid_since = now
            self.writer.flush()
        if self.conductor.interruptions.received is not None:
            self.interrupt()


def refuse_what_needs_the_state(plan: Plan, journaled: bool) -> None:
    """A rule of the run that changes or rolls back an attempt would need its state, which lies in another program."""
    for rule in plan.rules:
        action = getattr(rule, "action", None)
        if is_of_run(rule) and action is not None and not isinstance(action, (Restart, Stop)):
            raise UsageError(
                f"{Bound(0, rule).name}: its condition looks at the whole run and its action needs the attempt's state; "
                "with parallel attempts give it a condition of the attempt (elapsed instead of spent)"
            )
        origin = getattr(action, "origin", None)
        if not journaled and getattr(origin, "kind", "") in ("snapshot", "prefix"):
            raise UsageError(
                f"{Bound(0, rule).name}: without a journal each of parallel attempts keeps its snapshots to itself: give "
                "the run a journal, and a restart can begin from one of any attempt"
            )


def run_portfolio(plan: Plan, *, executor: Any, parallel: int, **options: Any) -> Result:
    """Run ``parallel`` attempts of a plan at a time; the first success wins, the others are stopped."""
    if isinstance(parallel, bool) or not isinstance(parallel, int) or parallel < 1:
        raise UsageError(f"parallel={parallel!r}: expected a whole number of at least 1")
    if plan.process is None or is_async(plan.process):
        raise UsageError("an executor runs processes and functions, and these must not be asynchronous")
    if plan.budget is not None:
        raise UsageError("budget= with an executor: a hard budget is held by one program; use when.spent(...) instead")
    refuse_what_needs_the_state(plan, options.get("journal") is not None)
    chosen = executor_of(executor)
    conductor = open_run(plan, portfolio=True, **options)
    try:
        if conductor.result is None:
            driver = Driver(plan, conductor, chosen, parallel)
            with conductor.interruptions:
                if not conductor.journal.created:
                    take_up_attempts(driver)
                try:
                    driver.drive()
                finally:
                    for runner in driver.runners:
                        runner.handle.kill()
    finally:
        conductor.close()
    if conductor.result is None:
        return stored_result(conductor)
    return conductor.result
