"""The machine: reports and times in, actions out. It owns no clock, file, thread or program.

The loops in ``core/loops`` drive it: :meth:`Machine.start` an attempt, :meth:`Machine.advance` it by a report (or
:meth:`Machine.fail` it), journal the decision that comes back, :meth:`Machine.commit` it, and carry it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any, Protocol

from dalsegno.core.actions import Action, Adapt, Continue, Restart, RollBack, Stop
from dalsegno.core.answering import answer
from dalsegno.core.bound import ATTEMPT, BOTH, Bound
from dalsegno.core.conditions.base import Condition, Pending
from dalsegno.core.decisions import DUE, Ask, Change, Decision, Outcome
from dalsegno.core.ledger import Held
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report, check_cost, number
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
        self.attempts_limited = any(leaf.limits_attempts() for leaf in all_conditions(rules))
        self.skipped = 0  # items of data left out so far, told by the loop: steps and items differ by as many
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
        metrics = trace.metrics = report.metrics
        for figure in metrics.values():
            if type(figure) is not float:
                self.make_floats(metrics)
                break
        if report.cost:
            self.charge(report.cost)
        if report.value is not None:
            self.note_value(report)
        elif self.metric:
            seen = metrics.get(self.metric)
            if seen is not None:
                best = attempt.best
                if best is None or self.sign * (seen - best.value) > self.min_delta:
                    self.note_metric(seen, report)
        attempt.reports.append(report)
        if step - attempt.folded >= BLOCK:
            self.note_names()
        ended = report.status != "running"
        if ended:
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
        return self.settle(fired or [])

    def fail(self, failure: Failure, seconds: float) -> Outcome:
        """The attempt failed in the middle of a step: no step is counted, its time is."""
        trace = self.trace
        trace.report = Report(status="failed", failure=failure)
        trace.metrics = trace.report.metrics
        self.pass_time(seconds)
        self.note_end("failed", failure)
        self.observe()
        fired = []
        for bound in self.folds:
            truth = bound.fold(bound.state, trace)
            if truth:
                fired.append((bound, truth))
        return self.settle(fired)

    def finish_body(self, returned: Any, seconds: float) -> Outcome:
        """The body of a loop ended or was left: a success without a step of its own."""
        trace = self.trace
        trace.report = Report(status="succeeded")
        trace.metrics = trace.report.metrics
        trace.attempt.returned = returned
        self.pass_time(seconds)
        self.note_end("succeeded", None)
        self.observe()
        fired = []
        for bound in self.folds:
            truth = bound.fold(bound.state, trace)
            if truth:
                fired.append((bound, truth))
        return self.settle(fired)

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

    def note_value(self, report: Report) -> None:
        attempt = self.trace.attempt
        value = report.value = number("value", "value", report.value)
        if isfinite(value) and (attempt.value is None or value > attempt.value):
            attempt.value = value
            attempt.best = Best(value, attempt.number, attempt.steps, "value", dict(report.metrics))

    def note_metric(self, figure: float, report: Report) -> None:
        attempt = self.trace.attempt
        if attempt.value is not None or not isfinite(figure):
            return
        best = attempt.best
        if best is None or self.sign * (figure - best.value) > self.min_delta:
            attempt.best = Best(figure, attempt.number, attempt.steps, self.metric, dict(report.metrics))

    def note_end(self, status: str, failure: Failure | None) -> None:
        trace = self.trace
        attempt = trace.attempt
        self.note_names()
        attempt.status, attempt.failure = status, failure
        trace.ended += 1
        if status == "failed" and failure is not None:
            same = f"{failure.type}: {failure.message}"
            if self.failures[0] == same and self.failures[1] == attempt.steps:
                self.failures[2] += 1
            else:
                self.failures = [same, attempt.steps, 1]

    # -- deciding -----------------------------------------------------------------------------------------------

    def settle(self, fired: list[tuple[Bound, Any]]) -> Outcome:
        """Ask the policies in order; the first that answers wins."""
        self.true = {bound.index for bound, _ in fired}
        if self.has_policies:
            true = {bound.index: truth for bound, truth in fired}
            self.queue = [(b, true.get(b.index)) for b in self.bound if b.policy is not None or b.index in true]
        else:
            self.queue = fired
        self.stood_down = []
        return self.next_answer()

    def next_answer(self) -> Outcome:
        while self.queue:
            bound, truth = self.queue.pop(0)
            if isinstance(truth, Pending):
                return Ask(truth.judge, bound.index, truth)
            action = bound.rule.action if bound.rule is not None else bound.policy.decide(self.trace)
            if action is None:
                continue
            if isinstance(action, Continue):
                if self.trace.attempt.status == "running":
                    self.queue = []
                    return self.undisturbed()
                continue
            decision = answer(self, bound, action)
            if decision is not None:
                self.queue = []
                return decision
        return self.unanswered()

    def reply(self, ask: Ask, answer: bool | None) -> Outcome:
        """The judge has answered."""
        truth = ask.pending.then(answer)
        if truth:
            self.queue.insert(0, (self.bound[ask.rule], truth))
        return self.next_answer()

    def ask_again(self, saw: Sequence[dict[str, Any]], status: str, failure: Failure | None) -> Outcome:
        """Ask the rules anew where a run had stopped, now that limits have moved; conditions with state keep their truth."""
        trace = self.trace
        if status == "running":
            trace.ended -= 1
        trace.attempt.status, trace.attempt.failure = status, failure
        self.queue, self.stood_down = [], []
        for bound, seen in zip(self.bound, saw, strict=True):
            if bound.rule is None or not seen["true"]:
                continue
            leaves = list(bound.rule.condition.leaves())
            if all(leaf.limits for leaf in leaves) and not bound.fold(bound.state, trace):
                continue
            self.queue.append((bound, True))
        self.true = {bound.index for bound, _ in self.queue}
        return self.next_answer()

    def undisturbed(self) -> Outcome:
        attempt = self.trace.attempt
        return DUE if attempt.steps >= self.due_step or attempt.seconds >= self.due_seconds else None

    def unanswered(self) -> Outcome:
        attempt = self.trace.attempt
        if self.stood_down:
            bound, why = self.stood_down[0]
            return self.decision(bound, Stop(why), why, succeeded=False)
        if attempt.status == "running":
            return self.undisturbed()
        if attempt.status == "succeeded":
            return self.decision(None, Stop("succeeded"), "succeeded")
        failure = attempt.failure
        why = "failed" if failure is None else f"failed with {failure.type}: {failure.message}"
        return self.decision(None, Stop(why), why, succeeded=False, unanswered=failure is not None)

    def decision(self, bound: Bound | None, action: Action, reason: str, **more: Any) -> Decision:
        attempt = self.trace.attempt
        saw = [
            {"rule": b.name, "saw": b.saw(self.trace), "fired": b is bound, "true": b.index in self.true}
            for b in self.bound
        ]
        return Decision(
            action,
            bound.name if bound is not None else f"the engine: {reason}",
            bound.index if bound is not None else -1,
            attempt.steps,
            attempt.number,
            reason,
            saw,
            **more,
        )

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
        self.trace.attempt.load(engine["attempt"])
        for bound, saved in zip(self.bound, engine["rules"], strict=True):
            bound.load(saved, ATTEMPT)

    def close_attempt(self, state: str | None = None) -> AttemptSummary:
        """The current attempt has ended; its summary joins the trace."""
        self.note_names()
        trace = self.trace
        attempt = trace.attempt
        own = attempt.status != "running" and state is None
        if attempt.status == "running":
            trace.ended += 1
        summary = AttemptSummary(
            attempt.number,
            state or (attempt.status if own else "cut"),
            not own,
            attempt.steps - attempt.base,
            attempt.seconds,
            dict(attempt.cost),
            attempt.value,
            attempt.best,
            {name: figures.last for name, figures in attempt.metrics.items()},
            attempt.failure,
            attempt.returned,
            seed=attempt.seed,
            origin=attempt.origin,
        )
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
        bests = [summary.best for summary in self.trace.attempts]
        if not self.trace.attempts or self.trace.attempts[-1].number != self.trace.attempt.number:
            bests.append(self.trace.attempt.best)
        found: Best | None = None
        for best in bests:
            if best is None:
                continue
            if found is None or (found.metric != "value" and best.metric == "value"):
                found = best
            elif best.metric == found.metric:
                sign = 1.0 if best.metric == "value" else self.sign
                if sign * (best.value - found.value) > 0:
                    found = best
        return found

    # -- state --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything but the ledger and the summaries of ended attempts, which the journal keeps as rows."""
        self.note_names()
        trace = self.trace
        return {
            "run": trace.state(),
            "attempt": trace.attempt.state(),
            "number": trace.attempt.number,
            "rules": [bound.saved() for bound in self.bound],
            "changes": [change.to_list() for change in self.changes],
            "counters": {str(index): list(counter) for index, counter in self.counters.items()},
            "failures": list(self.failures),
            "save_seconds": self.save_seconds,
        }

    def load(self, state: dict[str, Any], *, seed: int, origin: Origin) -> None:
        """Put back everything that :meth:`state` gave, of both scopes."""
        trace = self.trace
        trace.load(state["run"])
        trace.attempt = Attempt(int(state["number"]), seed, origin)
        trace.attempt.load(state["attempt"])
        for bound, saved in zip(self.bound, state["rules"], strict=True):
            bound.load(saved, BOTH)
        self.changes = [Change.from_list(change) for change in state["changes"]]
        self.counters = {int(index): list(counter) for index, counter in state["counters"].items()}
        self.failures = list(state["failures"])
        self.save_seconds = state["save_seconds"]
        self.plan_snapshot()


def all_conditions(rules: Sequence[Any]) -> list[Condition]:
    """Every leaf condition of the rules, in order."""
    return [leaf for rule in rules if isinstance(rule, Rule) for leaf in rule.condition.leaves()]
