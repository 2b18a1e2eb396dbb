"""Replay: where would these rules have fired on past curves?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dalsegno.core.actions import Action, Adapt, Continue
from dalsegno.core.bound import Bound
from dalsegno.core.conditions.base import Pending
from dalsegno.core.conditions.modes import check_modes
from dalsegno.core.curves import Begun, Ended, Item, Point, read
from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.rules import Rule, check_rules

SHOWN = 40  # lines of the table; to_list has all


@dataclass(frozen=True)
class Firing:
    """Where a rule fired in an attempt: its first step and what it saw there, how often, and its last step.

    ``index`` is the rule's place in the list; ``asks`` names a judge that would have been asked first: a
    replay asks none.
    """

    run: Any
    attempt: Any
    step: int
    rule: str
    index: int
    action: str
    saw: dict[str, Any]
    count: int = 1
    last: int = 0
    asks: str | None = None


@dataclass(frozen=True)
class Replay:
    """What rules would have done on past curves, as if nobody had acted on any of them.

    ``firings`` has one entry for each rule in each attempt in which it fired, in the order of runs, attempts
    and first steps. ``decisions`` has for each run the first that would have changed or ended it: what the
    curve shows after that would not have been. ``str`` of it is a table.
    """

    rules: tuple[str, ...]
    firings: tuple[Firing, ...]
    decisions: tuple[Firing, ...]
    runs: int
    attempts: int
    reports: int
    notes: tuple[str, ...] = ()

    def to_list(self) -> list[dict[str, Any]]:
        """The firings as dicts of plain values."""
        return [asdict(firing) for firing in self.firings]

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("rule", "where", "first", "times", "what it saw there")]
        for index, rule in enumerate(self.rules):
            found = [self.line(firing) for firing in self.firings if firing.index == index]
            rows += found or [(rule, "", "never", "0", "")]
        lines = [f"{self.size()}, as if nobody had acted:", "", *columns(rows[: SHOWN + 1])]
        if len(rows) > SHOWN + 1:
            lines.append(f"... and {len(rows) - 1 - SHOWN} more lines: to_list() has them all")
        lines.append("")
        lines += [self.said(firing) for firing in self.decisions[:SHOWN]] or ["No rule would have acted."]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def size(self) -> str:
        parts = ((len(self.rules), "rule"), (self.reports, "report"), (self.attempts, "attempt"), (self.runs, "run"))
        rules, reports, attempts, runs = (f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts)
        return f"{rules} on {reports} of {attempts} in {runs}"

    def line(self, firing: Firing) -> tuple[str, ...]:
        saw = f"would ask {firing.asks}" if firing.asks else shown(firing.saw)
        return firing.rule, self.where(firing), f"step {firing.step}", str(firing.count), saw

    def where(self, firing: Firing) -> str:
        """The run and attempt, as far as there is more than one."""
        run = f"run {firing.run}" if self.runs > 1 else ""
        attempt = f"attempt {firing.attempt}" if self.attempts > self.runs else ""
        return ", ".join(part for part in (run, attempt) if part)

    def said(self, firing: Firing) -> str:
        where = self.where(firing)
        asks = f", if {firing.asks} agrees" if firing.asks else ""
        return f"First to act{f' in {where}' if where else ''}: {firing.rule}, at step {firing.step}{asks}."


def replay(rules: Any, source: Any, *, seconds_column: str | None = None) -> Replay:
    """Where ``rules`` would have fired on the curves in ``source``, as if nobody had acted.

    ``source`` is the path of a CSV file, a journal or its path (``"runs.db:3"`` or ``"runs.db:train"`` for some of its
    runs), a list of dicts (one a step), or a frame.
    Columns: ``step``, ``seconds``, ``status``, ``value``, ``cost.<unit>``, ``run`` and ``attempt``, all
    optional; every other column is a metric. An empty cell is an absent figure, ``nan`` and ``inf`` are
    figures. Rows of one step in a row count as one report. Steps may have gaps: rules see the rows that there
    are, and counts of steps include the steps that were not logged. ``seconds_column`` names another column
    for the seconds that each step took; in columns that loggers are known to write the time since the start to
    (``_runtime``, ``elapsed``, ...) the differences are taken. What had to be assumed is in ``notes``. No judge is asked: its rule is listed with the judge's name.

    >>> import dalsegno as ds
    >>> curve = [{"loss": loss} for loss in (2.0, 1.0, 1.0, 9.0, 1.0)]
    >>> found = ds.replay([ds.stop(ds.when.stalled("loss", patience=2)), ds.stop(ds.when.above("loss", 5.0))], curve)
    >>> [(firing.rule, firing.step, firing.count) for firing in found.firings]
    [("stop when stalled('loss', patience=2)", 4, 2), ("stop when above('loss', 5.0)", 4, 1)]

    Raises :class:`UsageError` for a cell that is no figure, with its line, for steps that do not increase
    within an attempt, and for what is none of these sources.
    """
    checked = check_rules(rules)
    check_modes(rule.condition for rule in checked if isinstance(rule, Rule))
    notes: list[str] = []
    watches: dict[Any, Watch] = {}
    for item in read(source, seconds_column, notes):
        if item.run not in watches:
            watches[item.run] = Watch(checked, item.run)
        watches[item.run].take(item)
    if not watches:
        raise UsageError("there is no step in what was given to replay")
    seen = list(watches.values())
    notes += missing(checked, seen)
    return Replay(
        tuple(bound.name for bound in seen[0].bound),
        tuple(firing for watch in seen for firing in watch.found()),
        tuple(watch.decision for watch in seen if watch.decision is not None),
        len(seen),
        sum(len(watch.attempts) for watch in seen),
        sum(watch.reports for watch in seen),
        tuple(notes),
    )


def missing(rules: Sequence[Any], watches: Iterable[Watch]) -> list[str]:
    """A note for each metric that a rule waits for and that no row has."""
    watches = list(watches)
    for watch in watches:
        watch.machine.note_names()
    there = dict.fromkeys(name for watch in watches for name in watch.machine.trace.names)
    awaited = dict.fromkeys(name for rule in rules if isinstance(rule, Rule) for name in rule.condition.metric_names())
    known = ", ".join(there) or "none"
    return [f"{name!r} was never reported; reported were: {known}" for name in awaited if name not in there]


class Watch:
    """One run: a machine without rules follows the curve, and beside it every rule looks on."""

    def __init__(self, rules: Sequence[Any], run: Any) -> None:
        self.run = run
        self.machine = Machine([])
        self.bound = [Bound(index, rule) for index, rule in enumerate(rules)]
        self.attempt: Any = None
        self.attempts: dict[Any, None] = {}
        self.open = False
        self.reports = 0
        self.first: dict[tuple[Any, int], Firing] = {}
        self.tally: dict[tuple[Any, int], list[int]] = {}  # how often, and the last step
        self.decision: Firing | None = None

    def take(self, item: Item) -> None:
        if isinstance(item, Begun):
            self.begin(item.attempt, item.base, item.seconds)
        elif isinstance(item, Ended):
            self.end(item)
        else:
            self.step(item)

    def begin(self, attempt: Any, base: int, seconds: float) -> None:
        if self.open:
            self.machine.close_attempt()
        self.attempt, self.open = attempt, True
        self.attempts[attempt] = None
        self.machine.start(0, Origin(), seconds=seconds, base=base)
        if isinstance(attempt, int) and attempt > 0:  # its own number, in whatever order the attempts stand
            self.machine.trace.attempt.number = attempt
        self.machine.trace.attempt.folded = base
        for bound in self.bound:
            bound.begin_attempt()

    def step(self, point: Point) -> None:
        if point.attempt != self.attempt or not self.attempts:
            if point.attempt in self.attempts:
                raise UsageError(
                    f"{point.place}: attempt {point.attempt!r} again, after attempt {self.attempt!r}: the rows of an "
                    "attempt must stand together"
                )
            self.begin(point.attempt, -1 if point.step == 0 else 0, 0.0)
        trace = self.machine.trace
        attempt = trace.attempt
        if attempt.status != "running":
            raise UsageError(
                f"{point.place}: a step after the attempt has {attempt.status} at step {attempt.steps}; name the "
                "attempts in a column attempt"
            )
        if point.step is not None:
            gap = point.step - attempt.steps - 1
            if gap < 0:
                raise UsageError(
                    f"{point.place}: step {point.step} after step {attempt.steps}: steps must increase within an "
                    "attempt; sort the rows, or name the attempts in a column attempt"
                )
            trace.steps += gap
            attempt.steps += gap
            attempt.folded += gap  # there are no reports of these steps to be taken into the summaries
        self.reports += 1
        self.machine.advance(point.report, point.seconds)
        self.ask()

    def end(self, ended: Ended) -> None:
        """An attempt of a journal that ended without a step of its own: by an exception, or the end of a body."""
        if self.machine.trace.attempt.status == "running":
            if ended.state == "failed" and ended.failure is not None:
                self.machine.fail(ended.failure, 0.0)
                self.ask()
            elif ended.state == "succeeded":
                self.machine.finish_body(ended.returned, 0.0)
                self.ask()
        closed_by_itself = ended.state in ("succeeded", "failed", "cut")
        self.machine.close_attempt(None if closed_by_itself else ended.state)
        self.open = False

    def ask(self) -> None:
        """Every rule and policy, in order; the first that would act is the run's decision."""
        trace = self.machine.trace
        running = trace.attempt.status == "running"
        open_to_decide = self.decision is None
        for bound in self.bound:
            if hasattr(bound.policy, "observe"):
                bound.policy.observe(trace)
        for bound in self.bound:
            if bound.rule is not None:
                truth: Any = bound.fold(bound.state, trace)
                action: Action | None = bound.rule.action if truth else None
            else:
                truth, action = None, bound.policy.decide(trace)
            if action is None:
                continue
            judge = str(truth.judge) if isinstance(truth, Pending) else None
            self.note(bound, action, judge)
            if open_to_decide and isinstance(action, Continue) and running:
                open_to_decide = False
            elif open_to_decide and not isinstance(action, Continue) and (running or not isinstance(action, Adapt)):
                self.decision = self.firing(bound, action, judge)
                open_to_decide = False

    def note(self, bound: Bound, action: Action, judge: str | None) -> None:
        key = (self.attempt, bound.index)
        if key not in self.first:
            self.first[key] = self.firing(bound, action, judge)
            self.tally[key] = [0, 0]
        tally = self.tally[key]
        tally[0] += 1
        tally[1] = self.machine.trace.attempt.steps

    def firing(self, bound: Bound, action: Action, judge: str | None) -> Firing:
        trace = self.machine.trace
        step = trace.attempt.steps
        saw = bound.saw(trace)
        return Firing(self.run, self.attempt, step, bound.name, bound.index, action.verb, saw, 1, step, judge)

    def found(self) -> list[Firing]:
        """The first firing of each rule in each attempt, with how often it fired there."""
        places = {attempt: place for place, attempt in enumerate(self.attempts)}
        order = sorted(self.first, key=lambda key: (places[key[0]], self.first[key].step, key[1]))
        return [replace(self.first[key], count=self.tally[key][0], last=self.tally[key][1]) for key in order]


# -- the table ---------------------------------------------------------------------------------------------


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in columns, without those that are empty below their head."""
    kept = [place for place in range(len(rows[0])) if any(row[place] for row in rows[1:])]
    widths = [max(len(row[place]) for row in rows) for place in kept]
    return [
        "  ".join(row[place].ljust(width) for place, width in zip(kept, widths, strict=True)).rstrip() for row in rows
    ]


def shown(saw: Any) -> str:
    """What a rule saw, on one line."""
    if isinstance(saw, dict):
        parts = (
            f"{name}: {shown(one)}" if isinstance(one, dict) else f"{name} {shown(one)}" for name, one in saw.items()
        )
        return ", ".join(parts)
    return f"{saw:g}" if isinstance(saw, float) else str(saw)
