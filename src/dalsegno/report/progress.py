"""Progress: one live line in the terminal while a run goes on, and what happened in it above that line."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable
from math import inf, isfinite
from typing import Any

from dalsegno.core import events
from dalsegno.core.trace import Trace
from dalsegno.report import numbers
from dalsegno.report.tables import visible

RATE_SECONDS = 10.0  # the rate is that of the last so many seconds
MOST_METRICS = 3


def limits(rules: Iterable[Any]) -> list[tuple[str, str, float]]:
    """The limits that surely end a run or an attempt, as (scope, unit, limit): those that a rule names by themselves.

    >>> import dalsegno as ds
    >>> limits([ds.stop(ds.when.spent(steps=100) | ds.when.below("loss", 0.1))])
    [('run', 'steps', 100)]
    """
    from dalsegno.core.conditions.base import AnyOf
    from dalsegno.core.conditions.limits import Units, spent

    found: list[tuple[str, str, float]] = []
    for rule in rules:
        if getattr(getattr(rule, "action", None), "verb", None) != "stop":
            continue
        condition = rule.condition
        for part in condition.parts if isinstance(condition, AnyOf) else (condition,):
            if isinstance(part, Units):
                scope = "run" if isinstance(part, spent) else "attempt"
                found += [(scope, unit, limit) for unit, limit in part.units]
    return found


class Progress:
    """A listener that shows a run in the terminal: steps, rate, figures, best, time, and an estimate where a limit makes
    one possible.

    Give it to ``listeners``.  It writes to standard error, and only to a terminal: in a pipe or a file it prints nothing
    but warnings.  The step it shows is the position on the line that counts, so it goes back with a roll back.

    ``rules`` are those of the run, for the estimate; ``quiet`` shows nothing at all.

    >>> import dalsegno as ds
    >>> result = ds.run(
    ...     lambda attempt: [step.report(loss=1.0) for step, _ in attempt.over(range(3))],
    ...     listeners=[Progress()], name="shown", seed=0)
    """

    def __init__(self, rules: Iterable[Any] = (), *, quiet: bool = False, console: Any = None) -> None:
        self.limits = limits(rules)
        self.quiet = quiet
        self.given = console
        self.live: Any = None
        self.began = time.perf_counter()
        self.seen: deque[tuple[float, int, float]] = deque()  # (time, steps, share done)
        self.name = ""
        self.seed = 0
        self.trace: Trace | None = None
        self.counts = {"roll back": 0, "restart": 0, "adapt": 0}
        self.snapshots = 0
        self.last_step = 0
        self.how = ""

    # -- events -------------------------------------------------------------------------------------------------

    def __call__(self, event: events.Event) -> None:
        if self.quiet:
            return
        if isinstance(event, events.Progressed):
            self.progressed(event.trace)
        elif isinstance(event, events.RunStarted):
            self.started(event)
        elif isinstance(event, events.DecisionTaken):
            self.decided(event)
        elif isinstance(event, events.SnapshotSaved):
            self.snapshots += 1
        elif isinstance(event, events.Warned):
            self.say(f"warning: {event.message}", "yellow", anywhere=True)
        elif isinstance(event, events.AttemptEnded):
            self.last_step = event.step
            if event.state in ("failed", "hung"):
                self.say(f"attempt {event.attempt} {event.state} at step {event.step:,}", "red")
        elif isinstance(event, events.RunEnded):
            self.close()

    def started(self, event: events.RunStarted) -> None:
        self.name, self.seed, self.how = event.name, event.seed, event.how
        self.began = time.perf_counter()
        if event.how == "ended":
            return
        self.open()
        if event.how != "new":
            self.say(f"{event.name}, seed {event.seed}: {event.how}")

    def decided(self, event: events.DecisionTaken) -> None:
        if event.verb in self.counts:
            self.counts[event.verb] += 1
        if event.verb == "stop" or event.replayed:
            return
        where = "" if event.target_step is None else f" to step {event.target_step:,}"
        self.say(f"step {event.step:,}: {event.verb}{where} ({event.rule})", "cyan")

    def progressed(self, trace: Trace) -> None:
        self.trace = trace
        if self.live is None:
            return
        now = time.perf_counter()
        self.seen.append((now, trace.steps, self.share(trace)))
        while len(self.seen) > 2 and now - self.seen[0][0] > RATE_SECONDS:
            self.seen.popleft()
        self.live.update(self.line(), refresh=True)

    # -- the line -----------------------------------------------------------------------------------------------

    def share(self, trace: Trace) -> float:
        """How much of the nearest limit has been used, 0 to 1; 0 where there is none."""
        shares = [0.0]
        for scope, unit, limit in self.limits:
            used = trace.spent(unit) if scope == "run" else trace.elapsed(unit)
            if limit > 0:
                shares.append(min(used / limit, 1.0))
        return max(shares)

    @property
    def rate(self) -> float:
        """Steps taken a second, lately."""
        if len(self.seen) < 2 or self.seen[-1][0] <= self.seen[0][0]:
            return 0.0
        return (self.seen[-1][1] - self.seen[0][1]) / (self.seen[-1][0] - self.seen[0][0])

    @property
    def left(self) -> float | None:
        """Seconds until the nearest limit is reached, if it goes on as lately."""
        if len(self.seen) < 2 or self.trace is None:
            return None
        times = [inf]
        span = self.seen[-1][0] - self.seen[0][0]
        gained = self.seen[-1][2] - self.seen[0][2]
        if span > 0 and gained > 0:
            times.append((1.0 - self.seen[-1][2]) * span / gained)
        return min(times) if isfinite(min(times)) else None

    def words(self) -> list[str]:
        """The parts of the line."""
        trace = self.trace
        if trace is None:
            return [self.name, "starting"]
        attempt = trace.attempt
        told = [self.name, f"step {attempt.steps:,}"]
        if attempt.number > 1:
            told.append(f"attempt {attempt.number:,}")
        rate = self.rate
        if rate:
            told.append(f"{rate:,.0f} steps/s" if rate >= 10 else f"{numbers.duration(1 / rate)} a step")
        told += [f"{name} {numbers.number(value, 4)}" for name, value in list(trace.metrics.items())[:MOST_METRICS]]
        if attempt.best is not None:
            told.append(f"best {numbers.number(attempt.best.value, 4)} at step {attempt.best.step:,}")
        told += [f"{count} {verb}" + ("s" if count > 1 else "") for verb, count in self.counts.items() if count]
        told.append(numbers.clock(time.perf_counter() - self.began))
        if (left := self.left) is not None:
            told.append(f"about {numbers.clock(left)} left")
        return told

    def line(self) -> Any:
        from rich.text import Text

        name, *told = (visible(word) for word in self.words())
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(name, style="bold")
        for word in told:
            line.append("  " + word)
        if self.trace is not None and (share := self.share(self.trace)) > 0:
            done = round(share * 20)
            line = Text.assemble(("━" * done, "cyan"), ("─" * (20 - done), "dim"), " ", line)
            line.no_wrap, line.overflow = True, "ellipsis"
        return line

    # -- the terminal -------------------------------------------------------------------------------------------

    @property
    def console(self) -> Any:
        if self.given is None:
            from dalsegno.report.console import console

            self.given = console(sys.stderr)
        return self.given

    def open(self) -> None:
        if self.live is None and self.console.is_terminal:
            from rich.live import Live

            # Drawn when an event comes and by no thread of its own: workers are forked off this program.  What the
            # user prints goes above the line, unless it goes somewhere else than to the terminal.
            self.live = Live(
                self.line(),
                console=self.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=sys.stderr.isatty(),
            )
            self.live.start(refresh=True)

    def say(self, text: str, style: str = "", *, anywhere: bool = False) -> None:
        """A line above the live one; ``anywhere`` also where nobody is watching."""
        if self.live is not None or anywhere:
            from rich.text import Text

            self.console.print(Text(visible(text), style=style))

    def close(self) -> None:
        """Take the live line away; also to be called where a run leaves with an exception."""
        if self.live is not None:
            live, self.live = self.live, None
            live.stop()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *leaving: object) -> None:
        self.close()


def summary(result: Any) -> str:
    """How a run ended, in two or three lines.

    >>> import dalsegno as ds
    >>> result = ds.run(lambda attempt: 7, name="seven", seed=0)
    >>> print(summary(result).splitlines()[0])
    seven, seed 0: finished, succeeded
    """
    head = f"{result.name}, seed {result.seed}: {result.state}"
    if result.reason and result.reason != result.state:
        head += f", {result.reason}"
    if not result.succeeded and result.state == "finished":
        head += " (not succeeded)"
    attempts = numbers.plural(len(result.attempts), "attempt")
    spent = f"{attempts}, {numbers.plural(result.steps, 'step')}, {numbers.duration(result.seconds)}"
    if result.cost:
        spent += f", {numbers.costs(result.cost)}"
    if result.paid and result.paid.get("steps", result.steps) > result.steps:
        spent += f" ({numbers.number(result.paid['steps'])} steps paid)"
    lines = [head, spent]
    if result.best is not None:
        lines.append(f"best {result.best.metric} {numbers.number(result.best.value)} at step {result.best.step:,}"
                     f" of attempt {result.best.attempt}")  # fmt: skip
    if result.verdict != "exact":
        lines.append(f"verdict {result.verdict}")
    return "\n".join(lines)
