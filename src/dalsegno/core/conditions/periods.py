"""every is true at regular places of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.conditions.base import State
from dalsegno.core.conditions.leaf import Leaf, positive, refuses, whole
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace


@refuses
@dataclass(frozen=True)
class every(Leaf):
    """True at each step that is a multiple of ``steps``, or with which another ``seconds`` have passed.

    Both are of the attempt, so that steps done again after a roll back meet the same places. Seconds may be
    given as ``"10m"``. The end of an attempt without a step of its own (an exception, the end of a loop's
    body) is no place. Raises :class:`UsageError` unless exactly one of the two is given.

    >>> from dalsegno.core.conditions import every
    >>> print(every(steps=100))
    every(steps=100)
    """

    steps: int | None = field(default=None, kw_only=True)
    seconds: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise UsageError(f"{self}: expected either steps or seconds, as in every(steps=100)")
        if self.steps is not None:
            object.__setattr__(self, "steps", whole("every", "steps", self.steps))
        else:
            from dalsegno.core.durations import seconds

            object.__setattr__(self, "seconds", positive("every", "seconds", seconds(self.seconds)))  # type: ignore[arg-type]

    def initial(self) -> State:
        return [0, 0]  # the step that was looked at last, whole periods of seconds passed by then

    def fold(self, state: Any, trace: Trace) -> bool:
        attempt = trace.attempt
        step = attempt.steps
        if step == state[0] or step == attempt.base:
            return False
        state[0] = step
        if self.steps is not None:
            return step % self.steps == 0
        assert self.seconds is not None
        periods = int(attempt.seconds // self.seconds)
        if periods == state[1]:
            return False
        state[1] = periods
        return True

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        if self.steps is not None:
            return {"steps": trace.attempt.steps}
        return {"seconds": trace.attempt.seconds}
