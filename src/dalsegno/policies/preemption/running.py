"""One attempt under a preemptive rule: what it saw, whether it is to stop, how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf, nan
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.makespan import duration as check_time
from dalsegno.policies.preemption.observed import NEVER

if TYPE_CHECKING:
    from dalsegno.policies.preemption.learner import Learner

FIELDS = ("number", "explored", "last", "next", "flagged", "called", "should_stop")


class RunningAttempt:
    """An attempt that is going on; made by :meth:`PreemptiveRestart.attempt`, used in a ``with`` statement.

    ``should_stop`` says whether it is to be given up. Left without :meth:`finish`, an attempt that was to stop is
    booked as stopped; any other is not booked at all: how it ended, and when, is not known.
    """

    def __init__(self, learner: Learner, number: int) -> None:
        self.learner, self.number = learner, number
        self.checkpoints = learner.checkpoints
        self.explored = learner.explores(number)
        self.last, self.next = 0.0, 0
        self.flagged, self.called, self.should_stop, self.over = NEVER, False, False, False
        self.buffer: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=learner.settings.window)
        count = len(self.checkpoints)
        self.times: list[float] = [nan] * count
        self.scores: list[float] = [nan] * count
        self.signals: list[tuple[float, ...] | None] = [None] * count

    def observe(self, t: float, features: Sequence[float] = ()) -> bool:
        """What was seen at time ``t`` since the attempt's start; answers whether the attempt is to stop.

        ``features`` is a vector of the same length at every call, or left out at every call. Between checkpoints it is
        only kept; at one the predictor is asked.

        Raises :class:`UsageError` for a time before the last one, NaN, another number of features.
        """
        if self.over:
            raise UsageError(f"attempt {self.number} has ended: nothing more can be observed of it")
        if not self.last <= t < inf:
            raise UsageError(f"observe({t!r}): expected a finite time since the attempt's start, from {self.last:g} on")
        self.last = float(t)
        if len(features):
            vector = tuple(map(float, features))
            self.learner.check_width(len(vector))
            self.buffer.append((self.last, vector))
        while self.next < len(self.checkpoints) and t >= self.checkpoints[self.next]:
            self._checkpoint(self.next)
            self.next += 1
        return self.should_stop

    def _checkpoint(self, k: int) -> None:
        self.times[k] = self.last + self.learner.settings.latency
        if self.buffer:
            seen = [vector for _, vector in self.buffer]
            seen = [seen[0]] * (self.learner.settings.window - len(seen)) + seen
            self.signals[k] = tuple(value for vector in seen for value in vector)
        threshold = self.learner.rule.thresholds[k]
        if self.flagged >= 0 or threshold == -inf:
            return
        self.called = True
        if threshold < inf:
            self.scores[k] = self.learner.probability(k, self.signals[k])
        if threshold == inf or self.scores[k] < threshold:
            self.flagged, self.should_stop = k, not self.explored

    def rewind(self, t: float) -> None:
        """The attempt has gone back to time ``t``: what was seen after it does not count."""
        self.last = t
        while self.buffer and self.buffer[-1][0] > t:
            self.buffer.pop()
        latency = self.learner.settings.latency
        while self.next and self.times[self.next - 1] - latency > t:
            self.next -= 1
            self.times[self.next] = self.scores[self.next] = nan
            self.signals[self.next] = None
        if self.flagged >= self.next:
            self.flagged, self.should_stop = NEVER, False

    def finish(self, success: bool, t: float | None = None) -> None:
        """It has ended by itself, at ``t`` (default: the time last observed).

        Raises :class:`UsageError` for an attempt that was to stop: what it would have come to is nobody's to say.
        """
        if self.over:
            raise UsageError(f"attempt {self.number} has ended already")
        if self.should_stop:
            raise UsageError(
                f"finish(success={success!r}): attempt {self.number} was to stop at {self.times[self.flagged]:g}; a label "
                "of a preempted attempt has no exploration weight and cannot be counted. Leave the attempt as soon as "
                "should_stop is true, without finish"
            )
        ended = self.last if t is None else check_time("t", t)
        if ended < self.last:
            raise UsageError(f"finish(t={t!r}): the attempt was observed until {self.last:g}: expected no earlier time")
        if t is None and self.last == 0.0:
            raise UsageError(
                "finish(): nothing was observed of this attempt: expected its duration, finish(success, t=...)"
            )
        self.over = True
        self.learner.book(self, ended, bool(success))

    def stop(self) -> None:
        """It was given up because it was to stop; leaving the ``with`` statement does the same."""
        if not self.should_stop:
            raise UsageError(f"attempt {self.number} was not to stop: expected finish(success)")
        self.over = True
        self.learner.book(self, self.times[self.flagged], None)

    def leave(self) -> None:
        """It is over and nobody knows how it would have ended: not booked."""
        self.over = True
        self.learner.drop(self)

    def __enter__(self) -> RunningAttempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.over:
            return
        if self.should_stop:
            self.stop()
        else:
            self.leave()

    # -- state -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in FIELDS},
            "buffer": [[t, *vector] for t, vector in self.buffer],
            "checkpoints": list(self.checkpoints),
            "times": list(self.times),
            "scores": list(self.scores),
            "signals": [None if one is None else list(one) for one in self.signals],
        }

    @classmethod
    def from_state(cls, learner: Learner, state: dict[str, Any]) -> RunningAttempt:
        attempt = cls(learner, int(state["number"]))
        for name in FIELDS:
            setattr(attempt, name, state[name])
        attempt.checkpoints = tuple(state["checkpoints"])
        attempt.buffer.extend((one[0], tuple(one[1:])) for one in state["buffer"])
        attempt.times, attempt.scores = list(state["times"]), list(state["scores"])
        attempt.signals = [None if one is None else tuple(one) for one in state["signals"]]
        return attempt

    def rows(self, features: int) -> Any:
        """(K, features): the signals at the checkpoints, NaN where none were seen."""
        blank = (nan,) * features
        return np.array([one or blank for one in self.signals], np.float64).reshape(len(self.checkpoints), features)
