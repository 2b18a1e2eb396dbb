"""The production loop of preemptive restarts: observe, fit, sweep, adopt, explore, judge again, notice drift."""

from __future__ import annotations

import warnings
from math import inf, nan, sqrt
from typing import Any

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.adoption import FEWEST, Verdict, assign_folds, crossfit, fit, judge
from dalsegno.policies.preemption.attempts import AttemptLog
from dalsegno.policies.preemption.observed import BranchStatistics
from dalsegno.policies.preemption.predictor import probabilities
from dalsegno.policies.preemption.running import RunningAttempt
from dalsegno.policies.preemption.settings import Settings
from dalsegno.policies.preemption.sweep import ThresholdRule

PLACES = 8  # checkpoints that are placed where none are given
DRIFT = 3.29  # standard errors: one false alarm in a thousand looks
DRIFT_ATTEMPTS = 30  # before which the normal law is not trusted


class Learner:
    """What a rule has learned: its log, the verdict on it, and the rule and predictors in force."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.width = -1  # features in a vector, unknown before the first
        self.begun = 0  # attempts begun
        self.unbooked = 0
        self.open: dict[int, RunningAttempt] = {}
        self.checkpoints: tuple[float, ...] = tuple(settings.checkpoints or ())
        self.pilots: list[float] = []
        self.log: AttemptLog | None = None
        self.verdict: Verdict | None = None
        self.rule = ThresholdRule.never(len(self.checkpoints))
        self.predictors: list[Any] = []
        self.fitted_until = 0  # the number of the first attempt in the log that the predictors have not seen
        self.since_evaluation = 0
        self.drifts: list[int] = []  # after how many attempts drift was noticed
        self.excess = [
            0.0,
            0.0,
            0.0,
            0.0,
        ]  # since adoption: attempts, and sums of what they cost beyond what was foreseen
        self.notes: list[str] = []

    # -- attempts ----------------------------------------------------------------------------------------------

    def begin(self) -> RunningAttempt:
        self.begun += 1
        attempt = self.open[self.begun] = RunningAttempt(self, self.begun)
        return attempt

    def explores(self, number: int) -> bool:
        """Whether the attempt is let go on where it is flagged: the same answer whenever it is asked."""
        sequence = np.random.SeedSequence(self.settings.seed, spawn_key=(number,))
        return float(sequence.generate_state(1, np.uint64)[0]) / 2.0**64 < self.settings.explore

    def check_width(self, width: int) -> None:
        if width != self.width:
            if self.width >= 0:
                raise UsageError(f"observe: {width} features, and {self.width} before: expected as many at every call")
            if self.log is not None:
                raise UsageError(f"observe: {width} features, and none before: expected them from the first attempt on")
            self.width = width

    def probability(self, k: int, signal: tuple[float, ...] | None) -> float:
        """P(success) by the predictor of checkpoint ``k``, of NaN where nothing was seen; ``inf`` where there is none."""
        predictor = self.predictors[k] if self.predictors else None
        if predictor is None or self.log is None:
            return inf
        return float(probabilities(predictor, [signal or (nan,) * self.log.features])[0])

    def drop(self, attempt: RunningAttempt) -> None:
        self.open.pop(attempt.number, None)
        self.unbooked += 1

    def book(self, attempt: RunningAttempt, duration: float, success: bool | None) -> None:
        """Take an attempt that has ended into the log, and judge anew where that is due."""
        self.open.pop(attempt.number, None)
        if not self.checkpoints:
            self.pilots.append(duration)
            if len(self.pilots) == self.settings.pilot:
                self.place_checkpoints()
            return
        if attempt.checkpoints != self.checkpoints:  # it began before they were placed
            self.unbooked += 1
            return
        if self.log is None:
            self.log = AttemptLog(len(self.checkpoints), max(self.width, 0) * self.settings.window)
        self.log.add(
            duration,
            success,
            flagged=attempt.flagged,
            probability=self.settings.explore if attempt.flagged >= 0 and success is not None else None,
            called=attempt.called,
            times=attempt.times,
            scores=attempt.scores,
            signals=attempt.rows(self.log.features),
        )
        self.since_evaluation += 1
        if self.due():
            self.evaluate()

    def due(self) -> bool:
        settings = self.settings
        if self.verdict is None:
            return self.log is not None and len(self.log) >= settings.observe_attempts
        if settings.reevaluate is not None:
            return self.since_evaluation >= settings.reevaluate
        return self.verdict.decision == "too few" and self.since_evaluation >= settings.observe_attempts

    def place_checkpoints(self) -> None:
        """At evenly spread quantiles of the first attempts' durations, or of the longest where those are too alike."""
        durations = np.array(self.pilots)
        shares = np.arange(1, PLACES + 1) / (PLACES + 1)
        places = np.unique(np.quantile(durations, shares))
        places = places[(places > 0) & (places < durations.max())]
        if len(places) < 2:
            places = shares * durations.max()
        if not (places > 0).all():
            raise UsageError(f"the first {len(durations)} attempts all took no time: expected durations above 0")
        self.checkpoints = tuple(float(place) for place in places)
        self.rule = ThresholdRule.never(len(self.checkpoints))

    # -- judging -----------------------------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Judge anew: notice drift, cross-fit, sweep, adopt or fall back."""
        assert self.log is not None
        settings, log = self.settings, self.log
        self.since_evaluation = 0
        if self.drifted():
            self.drifts.append(log.begun + len(log))
            log.forget()
            self.fall_back(None)
            return
        log.forget(settings.keep)
        outcomes = log.outcomes
        counts = int((outcomes == 1).sum()), int((outcomes == 0).sum())
        if min(counts) < FEWEST or (self.judged and log.unreached.any()):
            self.fall_back(Verdict("too few", ThresholdRule.never(len(self.checkpoints)), *counts, nan))
            return
        observed, signals = log.observed(settings.reset_cost)
        self.say_costs(float(observed.weights @ observed.durations / observed.weights.sum()))
        scores = None
        folds = np.array(
            [assign_folds(observed.succeeded, settings.folds, settings.seed + r) for r in range(settings.repeats)]
        )
        if log.features:
            scores = [crossfit(self.settings.estimator, observed, signals, part) for part in folds]
        verdict = judge(
            observed,
            scores,
            folds=folds if log.features else folds[0],
            kinds=settings.kinds,
            thresholds=settings.thresholds,
            alpha=settings.alpha,
            resamples=settings.resamples,
            explore=settings.explore,
            seed=settings.seed,
        )
        if verdict.decision not in ("preempt", "cutoff"):
            self.fall_back(verdict)
            return
        self.verdict, self.rule = verdict, verdict.rule
        self.fitted_until = log.begun + len(log)
        self.predictors = fit(self.settings.estimator, observed, signals) if verdict.decision == "preempt" else []

    @property
    def judged(self) -> bool:
        """Whether the checkpoints have passed once: later ones that are not reached are the attempts' doing."""
        return self.verdict is not None or bool(self.drifts)

    def fall_back(self, verdict: Verdict | None) -> None:
        """Let attempts run to their end again."""
        self.verdict, self.predictors = verdict, []
        self.rule = ThresholdRule.never(len(self.checkpoints))
        self.excess = [0.0, 0.0, 0.0, 0.0]

    def drifted(self) -> bool:
        """Whether attempts since adoption cost more, or less, than was foreseen, beyond what chance explains."""
        if self.verdict is None or self.verdict.decision not in ("preempt", "cutoff"):
            return False
        assert self.log is not None
        taken, success = self.log.paid(self.settings.reset_cost, since=self.fitted_until)
        excess = taken - self.verdict.foreseen * success
        error = self.verdict.foreseen_error * success.sum()
        period = [float(len(taken)), float(excess.sum()), float(excess @ excess), float(error)]
        self.excess = [old + new for old, new in zip(self.excess, period, strict=True)]
        return any(_surprising(*sums) for sums in (period, self.excess))

    def say_costs(self, mean: float) -> None:
        """Reset costs above the mean attempt are allowed, and said once."""
        for cost, after in zip(self.settings.reset_cost, ("a failure", "a preemption"), strict=True):
            note = f"the reset after {after} costs {cost:g}, more than the mean attempt"
            if cost > mean and not any(one.startswith(note) for one in self.notes):
                self.notes.append(f"{note} ({mean:.4g}); is it in the same unit?")
                warnings.warn(f"PreemptiveRestart: {self.notes[-1]}", stacklevel=2)

    def statistics(self) -> BranchStatistics | None:
        """The branches by the rules that were in force, of all attempts in the log."""
        return None if self.log is None or not (self.log.weights > 0).any() else self.log.statistics()

    # -- state -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Typed values and arrays; of a predictor without ``state_dict`` only on which attempts it was fitted."""
        own = hasattr(self.settings.estimator(), "state_dict")
        fitted = [None if one is None else one.state_dict() if own else True for one in self.predictors]
        names = ("width", "begun", "unbooked", "fitted_until", "since_evaluation")
        return {
            **{name: getattr(self, name) for name in names},
            "checkpoints": list(self.checkpoints),
            "pilots": list(self.pilots),
            "drifts": list(self.drifts),
            "excess": list(self.excess),
            "notes": list(self.notes),
            "thresholds": list(self.rule.thresholds),
            "predictors": fitted,
            "verdict": None if self.verdict is None else self.verdict.state_dict(),
            "log": None if self.log is None else self.log.state_dict(),
            "open": [attempt.state_dict() for attempt in self.open.values()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("width", "begun", "unbooked", "fitted_until", "since_evaluation"):
            setattr(self, name, int(state[name]))
        self.checkpoints = tuple(state["checkpoints"])
        for name in ("pilots", "drifts", "excess", "notes"):
            setattr(self, name, list(state[name]))
        self.rule = ThresholdRule(tuple(state["thresholds"]))
        self.verdict = None if state["verdict"] is None else Verdict.from_state(state["verdict"])
        self.log = None if state["log"] is None else AttemptLog.from_state(state["log"])
        self.predictors = self.restored(state["predictors"])
        self.open = {one["number"]: RunningAttempt.from_state(self, one) for one in state["open"]}

    def restored(self, fitted: list[Any]) -> list[Any]:
        """The predictors in force, from their own states, or fitted again on the attempts that they were fitted on."""
        if not fitted:
            return []
        if not hasattr(self.settings.estimator(), "load_state_dict"):
            assert self.log is not None
            return fit(self.settings.estimator, *self.log.observed(self.settings.reset_cost, until=self.fitted_until))
        predictors = [None if one is None else self.settings.estimator() for one in fitted]
        for predictor, one in zip(predictors, fitted, strict=True):
            if predictor is not None:
                predictor.load_state_dict(one)
        return predictors


def _surprising(n: float, excess: float, squares: float, error: float) -> bool:
    """Whether a sum of n excesses is further from 0 than chance and the error of what was foreseen explain."""
    if n < DRIFT_ATTEMPTS:
        return False
    spread = squares - excess**2 / n + error**2
    return abs(excess) > DRIFT * sqrt(spread) if spread > 0 else excess != 0.0
