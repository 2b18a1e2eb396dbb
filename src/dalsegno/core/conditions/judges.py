"""Judges: conditions that cost something to ask, and the verdict that one gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.conditions.base import Pending
from dalsegno.core.conditions.leaf import Leaf, finite, refuses
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace


@dataclass(frozen=True)
class Verdict:
    """What a judge says: accept (True), refuse (False) or no opinion (None), why, and what asking cost.

    ``cost`` is by unit and is charged to the run.

    >>> from dalsegno.core.conditions import Verdict
    >>> Verdict(False, "3 of 20 tests fail", cost={"tokens": 850}).accept
    False
    """

    accept: bool | None
    reason: str = ""
    cost: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.accept is not None and not isinstance(self.accept, bool):
            raise UsageError(f"Verdict(accept={self.accept!r}): expected True, False or None")
        if not isinstance(self.reason, str):
            raise UsageError(f"Verdict(reason={self.reason!r}): expected a text")
        for unit, amount in self.cost.items():
            finite("Verdict", f"cost[{unit!r}]", amount)


@refuses
@dataclass(frozen=True)
class judge(Leaf):
    """True where ``function`` accepts, false where it refuses, unknown where it has no opinion.

    ``function`` is given the process (in a function's loop ``attempt.kept``) and answers True, False, None
    or a :class:`Verdict`; it may be a coroutine function where the run is asynchronous. It is asked only
    where everything that stands beside it is true: ``every(steps=100) & judge(evaluate)``; each answer is
    journaled before it is used. ``name`` is what the journal calls it, by default the function's name.

    >>> from dalsegno.core.conditions import every, judge
    >>> def good_enough(process): return process.accuracy() > 0.9
    >>> print(every(steps=100) & ~judge(good_enough))
    every(steps=100) & ~judge(good_enough)
    """

    function: Callable[[Any], Any]
    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.function, type) or not callable(self.function):
            raise UsageError(f"judge({self.function!r}): expected a function of the process")
        if not isinstance(self.name, str):
            raise UsageError(f"judge(name={self.name!r}): expected a name")

    def fold(self, state: Any, trace: Trace) -> Pending:
        return Pending(self, itself)

    def __str__(self) -> str:
        function = self.function
        return f"judge({self.name or getattr(function, '__name__', type(function).__name__)})"


def itself(answer: bool | None) -> bool | None:
    return answer
