"""agrees is true once several attempts have come to the same result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from typing import Any, ClassVar

from dalsegno.core.conditions.base import Scope, State
from dalsegno.core.conditions.leaf import Leaf, finite, named_metric, refuses, whole
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace

LARGEST = 2**1000


@refuses
@dataclass(frozen=True)
class agrees(Leaf):
    """True once ``k`` of the first ``of`` ended attempts have come to the same result.

    The result is what ``by`` names: ``"value"`` (the best value of the attempt, the default),
    ``"returned"`` (what a function's loop returned), or a metric (its last report in the attempt). Numbers
    are the same if all of them lie within ``tolerance`` of each other. An attempt without a result, or with
    NaN or infinity, agrees with nothing and counts as ended; one that was interrupted is not counted.
    ``of=None`` sets no limit. It is of the run and never goes back.

    >>> from dalsegno.core.conditions import agrees
    >>> print(agrees(3, of=5, by="returned"))
    agrees(3, of=5, by='returned')
    """

    scope: ClassVar[Scope] = "run"
    k: int
    of: int | None = field(kw_only=True)
    by: str = field(default="value", kw_only=True)
    tolerance: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", whole("agrees", "k", self.k, least=2))
        if self.of is not None:
            object.__setattr__(self, "of", whole("agrees", "of", self.of))
            if self.of < self.k:
                raise UsageError(f"agrees({self.k}, of={self.of}): {self.k} of {self.of} cannot be reached")
        named_metric("agrees(by=...)", self.by)
        object.__setattr__(self, "tolerance", finite("agrees", "tolerance", self.tolerance))

    def initial(self) -> State:
        return [0, False]  # attempts ended when it was looked at last, the answer then

    def fold(self, state: Any, trace: Trace) -> bool:
        ended = len(trace.attempts) + (trace.attempt.status != "running")
        if ended != state[0]:
            state[:] = ended, len(self.largest(trace)[1]) >= self.k
        return bool(state[1])

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        counted, group = self.largest(trace)
        reachable = self.of is None or len(group) + self.of - counted >= self.k
        seen: dict[str, Any] = {"by": self.by, "ended": counted, "agree": len(group), "reachable": reachable}
        return {**seen, "result": group[0]} if group else seen

    def largest(self, trace: Trace) -> tuple[int, list[Any]]:
        """How many ended attempts were looked at, and the largest set of results that agree."""
        results = list(self.results(trace))[: self.of]
        numbers = sorted(one for one in results if is_number(one) and isfinite(one))
        group: list[Any] = []
        first = 0
        for last, number in enumerate(numbers):
            while number - numbers[first] > self.tolerance:
                first += 1
            if last + 1 - first > len(group):
                group = numbers[first : last + 1]
        others = [one for one in results if one is not None and not is_number(one)]
        for one in others:
            alike = [other for other in others if same(one, other)]
            if len(alike) > len(group):
                group = alike
        return len(results), group

    def results(self, trace: Trace) -> Iterator[Any]:
        """The result of each ended attempt in turn; None where there is none."""
        for summary in trace.attempts:
            if summary.state != "interrupted":
                yield self.result(summary.value, summary.returned, summary.metrics.get(self.by))
        attempt = trace.attempt
        closed = bool(trace.attempts) and trace.attempts[-1].number == attempt.number
        if attempt.status != "running" and not closed:
            metric = attempt.metrics.get(self.by)
            yield self.result(attempt.value, attempt.returned, None if metric is None else metric.last)

    def result(self, value: float | None, returned: Any, metric: float | None) -> Any:
        return value if self.by == "value" else returned if self.by == "returned" else metric

    def metric_names(self) -> tuple[str, ...]:
        return () if self.by in ("value", "returned") else (self.by,)


def is_number(one: Any) -> bool:
    """Whether a result is compared as a number; not a whole one that is beyond what floats reach."""
    return isinstance(one, Real) and not isinstance(one, bool) and not (isinstance(one, int) and abs(one) > LARGEST)


def same(one: Any, other: Any) -> bool:
    """Equality of two results of any kind; arrays by all their elements."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    try:
        return bool(one == other)
    except (TypeError, ValueError):
        import numpy

        return bool(numpy.array_equal(one, other))
