"""What a policy that learns cutoffs from ended attempts needs: their log, the fit, and its place in a run.

The log of a run's own attempts is not part of the saved state: the run's trace has them, after a kill too.
What is saved is which of them have been learned from, the fit and the cutoffs of attempts under way, so that
a run that was killed goes on with the same decisions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, overload

from dalsegno.core.actions import Action, Restart
from dalsegno.core.conditions.base import Scope
from dalsegno.core.conditions.leaf import as_written
from dalsegno.core.errors import JournalError, UsageError
from dalsegno.core.trace import AttemptSummary, Trace
from dalsegno.policies.laws.kaplan_meier import KaplanMeier
from dalsegno.policies.laws.law import check_overhead
from dalsegno.policies.luby import Luby
from dalsegno.policies.past import logs_of_ended_runs
from dalsegno.policies.run_log import RunLog, used

ENOUGH = 10  # solved attempts before anything is fitted
GROWTH = 0.05  # the fit is made anew when the log has grown by this part, and so costs next to nothing an attempt

Past = RunLog | str | os.PathLike[str]


@dataclass(eq=False)
class AttemptLearner:
    """Keeps a log of attempts, in the unit ``of``, and the best cutoff in it that passes the guard.

    ``unit`` is that of Luby's schedule, which is used until 10 attempts have been solved (of seconds also
    ``"10m"``); ``overhead`` is what each restart costs. ``past`` is a log of earlier attempts, or the path of
    a journal: then the attempts of those of its runs that are over when the policy is made.
    """

    scope: ClassVar[Scope] = "run"  # what has been learned never goes back
    unit: float = 1.0
    of: str = field(default="steps", kw_only=True)
    overhead: float = field(default=0.0, kw_only=True)
    past: Past | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._luby = Luby(self.unit, of=self.of)
        self.unit = self._luby.unit
        self.overhead = check_overhead(self.overhead)
        self._past = past_logs(self.past, self.of)
        self._past_runs = list(self._past)
        self.log = RunLog(self.of)
        for log in self._past.values():
            self.log.extend(log)
        self.successes, self.longest = self.log.successes, self.log.longest
        self._size = len(self.log)
        self._own: list[tuple[float, bool]] = []  # told by hand, not taken from a trace
        self._taken = 0  # summaries of the trace that are in the log
        self._through, self._beyond = 0, set[int]()  # numbers of the attempts that have been learned from
        self._cutoffs: dict[int, float] = {}  # of attempts under way, by number
        self._fitted_size = 0
        self._best: tuple[float, str] | None = None  # cutoff, edge
        self._fit()

    def __str__(self) -> str:
        return as_written(self)

    # -- the plain form ----

    def next_cutoff(self) -> float:
        """The cutoff of the attempt that begins next."""
        raise TypeError(f"{type(self).__name__} has no next_cutoff(self)")

    @overload
    def observe(self, time: Trace) -> None: ...
    @overload
    def observe(self, time: float, solved: bool) -> None: ...
    def observe(self, time: Trace | float, solved: bool | None = None) -> None:
        """An attempt has ended after ``time``, ``solved`` or cut; the engine hands over its trace instead, at every step."""
        if isinstance(time, Trace):
            if len(time.attempts) != self._taken:
                self._take(time.attempts)
            number = time.attempt.number
            if number not in self._cutoffs:
                self._cutoffs[number] = self.next_cutoff()
            return
        if solved is None:
            raise UsageError("observe(time, solved): expected whether the attempt was solved")
        self.log.add(time, solved)
        self._own.append((float(time), bool(solved)))
        self._learn(float(time), bool(solved))

    @property
    def learned(self) -> float | None:
        """The best cutoff that passes the guard, in the log so far; None while there is none."""
        return None if self._best is None else self._best[0]

    def _learn(self, time: float, solved: bool) -> None:
        """Take in an attempt that stands in the log already."""
        self._size += 1
        self.successes += solved
        self.longest = max(self.longest, time)
        if self._size >= self._fitted_size * (1.0 + GROWTH):
            self._fit()
        self._ended(time, solved)

    def _fit(self) -> None:
        if self.successes < ENOUGH:
            return
        found = KaplanMeier(self.log).guarded_cutoff(overhead=self.overhead)
        self._best = None if found is None else (found.t, found.edge)
        self._fitted_size = self._size

    def _ended(self, time: float, solved: bool) -> None:
        """An attempt has ended; what follows beside the log, a subclass says."""

    # -- in a run ----

    def decide(self, trace: Trace) -> Action | None:
        attempt = trace.attempt
        if attempt.status != "running":
            return None
        cutoff = self._cutoffs.get(attempt.number)
        if cutoff is None:
            self.observe(trace)
            cutoff = self._cutoffs[attempt.number]
        return None if trace.elapsed(self.of) < cutoff else Restart()

    def saw(self, trace: Trace) -> dict[str, Any]:
        number = trace.attempt.number
        return {
            "attempt": number,
            "elapsed": trace.elapsed(self.of),
            "cutoff": self._cutoffs.get(number),
            "of": self.of,
            "learned": self.learned,
            "solved": self.successes,
        }

    def _take(self, attempts: list[AttemptSummary]) -> None:
        """Learn from the attempts that have ended since; what was learned before a kill only joins the log again."""
        fresh = []
        for summary in attempts[self._taken :]:
            self._cutoffs.pop(summary.number, None)
            if summary.state == "interrupted":
                continue
            row = {"steps": summary.steps, "seconds": summary.seconds, "cost": summary.cost}
            time, solved = used(row, self.of), summary.state == "succeeded"
            if summary.number <= self._through or summary.number in self._beyond:
                self.log.add(time, solved)
            else:
                fresh.append((summary.number, time, solved))
        self._taken = len(attempts)
        for number, time, solved in fresh:
            self._beyond.add(number)
            while self._through + 1 in self._beyond:
                self._through += 1
                self._beyond.remove(self._through)
            self.log.add(time, solved)
            self._learn(time, solved)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the attempts of the run itself, which its trace keeps."""
        return {
            "past_runs": list(self._past_runs),
            "times": [time for time, _ in self._own],
            "solved": [solved for _, solved in self._own],
            "through": self._through,
            "beyond": sorted(self._beyond),
            "cutoffs": [[number, cutoff] for number, cutoff in self._cutoffs.items()],
            "size": self._size,
            "successes": self.successes,
            "longest": self.longest,
            "fitted_size": self._fitted_size,
            "best": None if self._best is None else list(self._best),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` gave; the policy must have been made with the same arguments.

        Raises :class:`JournalError` where the journal of the past lacks a run that was learned from.
        """
        gone = [run for run in state["past_runs"] if run not in self._past]
        if gone:
            raise JournalError(
                f"{self}: the runs {gone} that had been learned from are gone from {self.past}; begin this run again "
                "with fresh=True"
            )
        self._past_runs = list(state["past_runs"])
        self.log = RunLog(self.of)
        for run in self._past_runs:
            self.log.extend(self._past[run])
        self.log.extend(RunLog(self.of, state["times"], state["solved"]))
        self._own = list(zip(state["times"], state["solved"], strict=True))
        self._taken = 0
        self._through, self._beyond = int(state["through"]), {int(number) for number in state["beyond"]}
        self._cutoffs = {int(number): float(cutoff) for number, cutoff in state["cutoffs"]}
        self._size, self.successes = int(state["size"]), int(state["successes"])
        self.longest, self._fitted_size = float(state["longest"]), int(state["fitted_size"])
        self._best = None if state["best"] is None else (float(state["best"][0]), str(state["best"][1]))


def past_logs(past: Past | None, of: str) -> dict[int, RunLog]:
    """The past by run; a log that was handed over is run 0."""
    if past is None:
        return {}
    if not isinstance(past, RunLog):
        return logs_of_ended_runs(past, of=of)
    if past.unit != of:
        raise UsageError(f"past is in {past.unit} and cutoffs are of {of}: times of two units cannot be mixed")
    return {0: past}
