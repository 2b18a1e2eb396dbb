"""The machine: reports and times in, actions out. It owns no clock, file, thread or program.

The loops in ``core/loops`` drive it: :meth:`Machine.start` an attempt, :meth:`Machine.advance` it by a report (or
:meth:`Machine.fail` it), journal the decision that comes back, :meth:`Machine.commit` it, and carry it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Protocol

from dalsegno.core.actions import Adapt, Restart, RollBack, Stop
from dalsegno.core.asking import ask_where_it_stopped, next_answer, settle
from dalsegno.core.bound import Bound
from dalsegno.core.conditions.base import Condition
from dalsegno.core.decisions import DUE, Ask, Change, Decision, Outcome
from dalsegno.core.errors import ReportError
from dalsegno.core.ledger import Held
from dalsegno.core.machine_state import load_attempt_state, load_state, state_of
from dalsegno.core.objective import best_report, note_metric, note_value
from dalsegno.core.process import Origin
from dalsegno.core.report import STATUSES, Failure, Report, check_cost, number
from dalsegno.core.rules import Rule
from dalsegno.core.trace import BLOCK, Attempt, AttemptSummary, Best, Trace


class Schedule(Protocol):
    """When the next snapshot is due: (step of the attempt, seconds of the attempt), ``inf`` for never."""

    def due(self, trace: Trace, saved: float | None) -> tuple[float, float]: ...


class Machine:
    """Decides what an attempt does next. Pure: the same inputs give the same answers.

    ``objective`` is (metric, mode, min_delta) of what counts as best where reports carry no value.
    """

    def __init__(
        self,
        rules: Sequence[Any],
        *,
        schedule: Schedule | None = None,
        objective: tuple[str, str, float] | None = None,
    ) -> None:
        self.trace = Trace()
        self.bound = [Bound(index, rule) for index, rule in enumerate(rules)]
        self.folds = [bound for bound in self.bound if bound.rule is not None]
        self.observers = [bound.policy.observe for bound in self.bound if hasattr(bound.policy, "observe")]
        self.has_policies = len(self.folds) < len(self.bound)
        self.schedule = schedule
        self.objective = objective
        self.metric, self.sign, self.min_delta = "", 1.0, 0.0
        if objective is not None:
            self.metric, self.sign, self.min_delta = objective[0], -1.0 if objective[1] == "min" else 1.0, objective[2]
        self.ledger: list[Held] = []
        self.changes: list[Change] = []
        self.counters: dict[int, list[int]] = {}  # rule -> [roll backs since beyond the fault, fault step, in all]
        self.failures: list[Any] = ["", 0, 0]  # type and message, step, how often in a row
        self.due_step: float = inf
        self.due_seconds: float = inf
        self.save_seconds: float | None = None
        self.reset_seconds = 0.0  # of the attempt
        self.saves_best = (
            ""  # whether an improvement calls for a snapshot: "", "always", or "cheap" (a 20th of the time)
        )
        self.improvements = 0  # snapshots that improvements called for, in this program
        self.attempts_limited = any(leaf.limits_attempts() for leaf in all_conditions(rules))
        self.skipped: int | None = None  # items of data left out so far, where the loop counts them
        self.defers_origins = (
            False  # one attempt of several side by side: where the next begins, their driver finds out
        )
        self.stood_down: list[tuple[Bound, str]] = []
        self.queue: list[tuple[Bound, Any]] = []
        self.true: set[int] = set()

    # -- attempts -----------------------------------------------------------------------------------------------

    def start(self, seed: int, origin: Origin, *, seconds: float = 0.0, base: int = 0) -> None:
        """Begin the next attempt; ``seconds`` is what its reset took, ``base`` the step of what it began from."""
        trace = self.trace
        trace.begun += 1
        trace.attempt = Attempt(trace.begun, seed, origin)
        trace.attempt.steps = trace.attempt.base = base
        self.changes = []
        for bound in self.bound:
            bound.begin_attempt()
        for counter in self.counters.values():
            counter[0] = counter[1] = 0
        self.reset_seconds = seconds
        self.pass_time(seconds)
        self.plan_snapshot()

    def pass_time(self, seconds: float) -> None:
        """Running time outside a step: a reset, a wait."""
        self.trace.seconds += seconds
        self.trace.attempt.seconds += seconds

    def plan_snapshot(self) -> None:
        if self.schedule is not None:
            self.due_step, self.due_seconds = self.schedule.due(self.trace, self.save_seconds)

    # -- steps --------------------------------------------------------------------------------------------------

    def advance(self, report: Report, seconds: float) -> Outcome:
        """Take in the report of one step that took ``seconds``; None means go on."""
        trace = self.trace
        attempt = trace.attempt
        trace.report = report
        trace.steps += 1
        step = attempt.steps = attempt.steps + 1
        trace.seconds += seconds
        attempt.seconds += seconds
        metrics = trace.metrics = report.metrics = dict(report.metrics)  # a process may use its dict again
        for name, figure in metrics.items():
            if type(figure) is not float or type(name) is not str:
                self.make_floats(metrics)
                break
        if report.cost:
            self.charge(report.cost)
        if report.value is not None:
            note_value(self, report)
        elif self.metric:
            seen = metrics.get(self.metric)
            if seen is not None:
                best = attempt.best
                if best is None or self.sign * (seen - best.value) > self.min_delta:
                    note_metric(self, seen, report)
        attempt.reports.append(report)
        if step - attempt.folded >= BLOCK:
            self.note_names()
        ended = report.status != "running"
        if ended:
            if report.status not in STATUSES:
                raise ReportError(f"status {report.status!r}: expected one of {', '.join(STATUSES)}")
            self.note_end(report.status, report.failure)
        if self.observers:
            self.observe()
        fired = None
        for bound in self.folds:
            truth = bound.fold(bound.state, trace)
            if truth:
                if fired is None:
                    fired = [(bound, truth)]
                else:
                    fired.append((bound, truth))
        if fired is None and not ended and not self.has_policies:
            if step >= self.due_step or attempt.seconds >= self.due_seconds:
                return DUE
            return None
        return settle(self, fired or [])

    def fail(self, failure: Failure, seconds: float) -> Outcome:
        """The attempt failed in the middle of a step: no step is counted, its time is."""
        return self.end(Report(status="failed", failure=failure), seconds)

    def finish_body(self, returned: Any, seconds: float) -> Outcome:
        """The body of a loop ended or was left: a success without a step of its own."""
        self.trace.attempt.returned = returned
        return self.end(Report(status="succeeded"), seconds)

    def end(self, report: Report, seconds: float) -> Outcome:
        """The attempt ended between two steps, or in the middle of one, after ``seconds`` that are charged to it."""
        trace = self.trace
        trace.report, trace.metrics = report, report.metrics
        self.pass_time(seconds)
        self.note_end(report.status, report.failure)
        self.observe()
        return settle(self, [(bound, truth) for bound in self.folds if (truth := bound.fold(bound.state, trace))])

    def observe(self) -> None:
        """Let the policies that look at every step do so."""
        for observe in self.observers:
            observe(self.trace)

    @staticmethod
    def make_floats(metrics: dict[str, float]) -> None:
        for name, figure in metrics.items():
            if type(figure) is not float:
                metrics[name] = number("metric", name, figure)

    def note_names(self) -> None:
        """Bring the summaries up to date, and with them the names of all metrics ever reported."""
        for name in self.trace.attempt.metrics:
            self.trace.names[name] = None

    def charge(self, cost: dict[str, float]) -> None:
        """Add to what the run and the attempt have used."""
        check_cost(cost)
        for totals in (self.trace.cost, self.trace.attempt.cost):
            for unit, amount in cost.items():
                totals[unit] = totals.get(unit, 0.0) + amount

    def note_end(self, status: str, failure: Failure | None) -> None:
        trace = self.trace
        attempt = trace.attempt
        self.note_names()
        attempt.status, attempt.failure = status, failure
        trace.ended += 1
        if failure is None or not failure.types:  # an attempt that was told to fail, or a success, breaks the row
            self.failures = ["", 0, 0]
        elif status == "failed":
            same = f"{failure.type}: {failure.message}"
            if self.failures[0] == same and self.failures[1] == attempt.steps:
                self.failures[2] += 1
            else:
                self.failures = [same, attempt.steps, 1]

    # -- deciding -----------------------------------------------------------------------------------------------

    def reply(self, ask: Ask, answer: bool | None) -> Outcome:
        """The judge has answered."""
        truth = ask.pending.then(answer)
        if truth:
            self.queue.insert(0, (self.bound[ask.rule], truth))
        return next_answer(self)

    def ask_again(self, saw: Sequence[dict[str, Any]], status: str, failure: Failure | None) -> Outcome:
        """Ask the rules anew where a run had stopped, now that limits have moved; conditions with state keep their truth."""
        return ask_where_it_stopped(self, saw, status, failure)

    # -- carrying out -------------------------------------------------------------------------------------------

    def commit(self, decision: Decision, engine: dict[str, Any] | None = None) -> None:
        """Make the decision's effects part of the state; ``engine`` is the machine's state in the target snapshot."""
        action = decision.action
        if isinstance(action, Adapt):
            self.changes.extend(decision.changes)
            rule = self.bound[decision.index].rule
            if rule is not None:
                rule.condition.acted(self.bound[decision.index].state)
        elif isinstance(action, RollBack):
            assert decision.target is not None and engine is not None
            self.go_back(decision, engine)
        elif isinstance(action, (Restart, Stop)):
            self.close_attempt()

    def go_back(self, decision: Decision, engine: dict[str, Any]) -> None:
        held = decision.target
        assert held is not None
        if self.trace.attempt.status != "running":
            self.trace.ended -= 1
        counter = self.counters.setdefault(decision.index, [0, 0, 0])
        counter[0] += 1
        counter[1] = max(counter[1], decision.step)
        counter[2] += 1
        self.changes.extend(decision.changes[len(decision.changes) - decision.own :])
        self.load_attempt(engine)
        for entry in self.ledger:
            if entry.attempt == held.attempt and entry.step > held.step:
                entry.abandoned = True
        self.plan_snapshot()

    def load_attempt(self, engine: dict[str, Any]) -> None:
        """Put the attempt's own state back to what a snapshot has; what is of the run stays."""
        load_attempt_state(self, engine)

    def close_attempt(self, state: str | None = None) -> AttemptSummary:
        """The current attempt has ended; its summary joins the trace."""
        self.note_names()
        trace = self.trace
        attempt = trace.attempt
        if attempt.status == "running":
            trace.ended += 1
        summary = AttemptSummary.of(attempt, state)
        trace.attempts.append(summary)
        return summary

    # -- snapshots ----------------------------------------------------------------------------------------------

    def snapshot_saved(self, entry: Held, seconds: float) -> None:
        """A snapshot was acknowledged; saving it took ``seconds``."""
        self.ledger.append(entry)
        old = self.save_seconds
        self.save_seconds = seconds if old is None else 0.7 * old + 0.3 * seconds
        for counter in self.counters.values():
            if counter[0] and entry.step > counter[1]:
                counter[0] = counter[1] = 0
        self.plan_snapshot()

    def best(self) -> Best | None:
        """The best report of the run so far, on the line that counts."""
        return best_report(self)

    # -- state --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything but the ledger and the summaries of ended attempts, which the journal keeps as rows."""
        return state_of(self)

    def load(self, state: dict[str, Any], *, seed: int, origin: Origin) -> None:
        """Put back everything that :meth:`state` gave, of both scopes."""
        load_state(self, state, seed, origin)


def all_conditions(rules: Sequence[Any]) -> list[Condition]:
    """Every leaf condition of the rules, in order."""
    return [leaf for rule in rules if isinstance(rule, Rule) for leaf in rule.condition.leaves()]
