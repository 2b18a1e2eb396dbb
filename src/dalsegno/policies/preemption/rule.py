"""Preemptive restarts: give an attempt up as soon as a predictor says that it will fail, if that saves time.

After Watson and Correll, "Optimal decision making in robotic assembly and other trial-and-error tasks" (2023). In
production the rule lets attempts run, fits its predictor to what it saw, and stops attempts only once the log shows,
on data that chose nothing, that this takes less time to a success than letting them run or a fixed cutoff does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Any, ClassVar

from dalsegno.core.actions import Action, Restart
from dalsegno.core.conditions.base import Scope
from dalsegno.core.conditions.leaf import as_written
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace
from dalsegno.policies.preemption.learner import Learner
from dalsegno.policies.preemption.report import PreemptionReport, report_of
from dalsegno.policies.preemption.running import RunningAttempt
from dalsegno.policies.preemption.settings import Settings


@dataclass(eq=False)
class PreemptiveRestart(Settings):
    """Watches attempts, learns which will fail, and stops those early if that pays; alone, or as a policy of a run.

    ``checkpoints`` are times since the attempt's start at which it may be stopped; left out, they are placed at
    quantiles of the first ``pilot`` durations. ``alpha`` is the level of the test for adoption, ``explore`` the share of
    flagged attempts that are let go on all the same (without them nothing can be judged again), ``reset_cost`` what a
    reset takes after a failure and after a preemption, ``latency`` what a call takes until it has stopped an attempt,
    all in the attempts' unit of time. The log is first judged after ``observe_attempts``, again after every
    ``reevaluate`` (None: never); the newest ``keep`` attempts count. ``predictor`` is a classifier in scikit-learn's
    form, one copy for each checkpoint; its input is the last ``window`` vectors of features, oldest first, flattened.
    ``kinds`` of rules to sweep, with ``thresholds`` values each; ``folds``, ``repeats`` of the cross-fitting;
    ``resamples`` of the bootstrap. The same ``seed`` and the same attempts give the same decisions.

    As a policy of a run it reads ``metrics`` from the reports (each through ``transform``, ``math.log`` say; NaN where
    that has no value) and counts an attempt's time in ``of``: steps, seconds or a unit of cost. It ends an attempt by a
    restart; what is done about failures is left to other rules.

    >>> rule = PreemptiveRestart([4.0], alpha=0.05, explore=0.1, reset_cost=(5.0, 3.0))
    >>> for number in range(50):
    ...     with rule.attempt() as attempt:
    ...         fails = number % 2
    ...         if attempt.observe(4.0, [0.1 if fails else 0.9]):  # time since the start, and what is seen then
    ...             continue
    ...         attempt.finish(success=not fails, t=60.0 if fails else 20.0)
    >>> rule.report().decision, rule.report().ems_reactive
    ('observe', 85.0)
    """

    scope: ClassVar[Scope] = "run"  # what it has learned never goes back

    def __post_init__(self) -> None:
        super().__post_init__()
        self.learner = Learner(self)
        self.followed = 0  # the number of the run's attempt that was seen last
        self.current: RunningAttempt | None = None
        self.seen: dict[str, Any] = {}

    # -- by hand -----------------------------------------------------------------------------------------------

    def attempt(self, number: int | None = None) -> RunningAttempt:
        """A new attempt, for a ``with`` statement; several may be open at once.

        ``number`` goes on with one that was open when a state was saved that has been loaded since.
        """
        if number is None:
            return self.learner.begin()
        if number not in self.learner.open:
            raise UsageError(
                f"attempt({number!r}): open are {sorted(self.learner.open)}; leave the number out to begin one"
            )
        return self.learner.open[number]

    def report(self) -> PreemptionReport:
        """Estimates, expected times and the decision, as of now."""
        return report_of(self.learner)

    # -- in a run ----------------------------------------------------------------------------------------------

    def observe(self, trace: Trace) -> None:
        """Follow the run's current attempt: called at every step, before any policy is asked."""
        attempt, current = trace.attempt, self.current
        if attempt.number != self.followed:
            if current is not None:
                current.leave()  # something else has cut it
            self.followed = attempt.number
            current = self.current = self.learner.begin()
        if current is None:
            return
        elapsed = trace.elapsed(self.of)
        if elapsed < current.last:
            current.rewind(elapsed)
        if attempt.status == "running":
            current.observe(elapsed, self.features(trace.metrics))
            return
        self.current = None
        if current.should_stop:
            current.leave()  # flagged, and another rule let it go on: not by our chance, so it has no weight
        else:
            current.finish(attempt.status == "succeeded", elapsed)

    def decide(self, trace: Trace) -> Action | None:
        current = self.current
        if current is None or not current.should_stop or trace.attempt.status != "running":
            return None
        k = current.flagged
        threshold, score = self.learner.rule.thresholds[k], current.scores[k]
        self.seen = {"checkpoint": current.checkpoints[k], "elapsed": current.last}
        if threshold < inf:
            self.seen |= {"score": score, "threshold": threshold}
        self.current = None
        current.stop()
        return Restart()

    def saw(self, trace: Trace) -> dict[str, Any]:
        report = self.report()
        names = ("decision", "attempts", "p", "ems_reactive", "ems_baseline", "ems_preemptive")
        figures = {name: getattr(report, name) for name in names}
        return {name: value for name, value in {**figures, **self.seen}.items() if value == value}

    def features(self, metrics: dict[str, float]) -> tuple[float, ...]:
        """The chosen metrics of one report; none where it lacks one of them."""
        try:
            values = tuple(metrics[name] for name in self.metrics)
        except KeyError:
            return ()
        if self.transform is None:
            return values
        return tuple(_value(self.transform, value) for value in values)

    # -- state -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that was learned, the attempts that are open included: typed values and arrays."""
        return {
            "learner": self.learner.state_dict(),
            "followed": self.followed,
            "current": None if self.current is None else self.current.number,
            "seen": dict(self.seen),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner = Learner(self)
        self.learner.load_state_dict(state["learner"])
        self.followed = int(state["followed"])
        self.current = None if state["current"] is None else self.learner.open[state["current"]]
        self.seen = dict(state["seen"])

    def __str__(self) -> str:
        return as_written(self)


def _value(transform: Any, value: float) -> float:
    try:
        return float(transform(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        return nan
