"""enough is true once another attempt is not worth its cost, by the reservation value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, ClassVar

from dalsegno.core.conditions.base import Scope, State
from dalsegno.core.conditions.leaf import Leaf, finite, named_metric, one_of, positive, refuses, whole
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace
from dalsegno.policies.reservation import expected_gain, reservation_value, should_try
from dalsegno.policies.reward_laws import reward_law


@refuses
@dataclass(frozen=True)
class enough(Leaf):
    """True once the best result of the ended attempts is so good that another attempt is not worth ``cost``.

    A result is what ``by`` names: ``"value"`` (the best of the attempt, the default) or a metric (its last
    report); with ``mode="min"`` lower is better. ``cost`` is what an attempt costs in the result's own
    currency or, with ``of`` (``"steps"``, ``"seconds"``, ``"tokens"``), the price of one such unit; an
    attempt is then taken to need as much as attempts did in the mean. Attempts without a finite result cost
    and bring nothing: they make a result dearer.

    ``law`` is the law of a result (of its negative, with ``mode="min"``), as :func:`reservation_value` takes
    it. Without one it is learned: from ``least`` results on (5; 3 at least) by Student's predictive law,
    which supposes results that are roughly normal. ``fallback`` is what one has without any attempt.
    ``attempts`` and ``budget`` (of the unit ``of``) limit what may be used in all: an attempt that would not
    fit, taken to need as much as the dearest so far, is not begun.

    It is of the run and never goes back. Attempts that end have to be begun anew by a rule after it.

    >>> import dalsegno as ds
    >>> from dalsegno.policies import Normal, enough
    >>> def draw(attempt):
    ...     for step, _ in attempt.over(range(1)):
    ...         step.report(value=[0.3, -0.2, 1.4, 2.0][attempt.number - 1])
    >>> rules = [ds.stop(enough(0.1, law=Normal())), ds.restart(ds.when.succeeded())]
    >>> ds.run(draw, rules=rules, seed=0).value
    1.4
    """

    scope: ClassVar[Scope] = "run"
    cost: float
    of: str | None = field(default=None, kw_only=True)
    by: str = field(default="value", kw_only=True)
    mode: str = field(default="max", kw_only=True)
    law: Any = field(default=None, kw_only=True)
    fallback: float | None = field(default=None, kw_only=True)
    least: int = field(default=5, kw_only=True)
    attempts: int | None = field(default=None, kw_only=True)
    budget: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cost", positive("enough", "cost", self.cost))
        named_metric("enough(by=...)", self.by)
        one_of("enough", "mode", self.mode, ("min", "max"))
        if self.by == "value" and self.mode == "min":
            raise UsageError("enough(mode='min'): a value is an objective, higher is better; name a metric with by=")
        object.__setattr__(self, "least", whole("enough", "least", self.least, least=3))
        if self.of is not None and (not isinstance(self.of, str) or self.of in ("", "attempts")):
            raise UsageError(f"enough(of={self.of!r}): expected 'steps', 'seconds' or a unit of cost")
        if self.law is not None:
            reward_law(self.law)
        if self.fallback is not None:
            object.__setattr__(self, "fallback", finite("enough", "fallback", self.fallback, least=-inf))
        if self.attempts is not None:
            object.__setattr__(self, "attempts", whole("enough", "attempts", self.attempts))
        if self.budget is not None:
            if self.of is None:
                raise UsageError("enough(budget=...): expected the unit too, as in of='tokens'; or attempts=")
            object.__setattr__(self, "budget", positive("enough", "budget", self.budget))

    def initial(self) -> State:
        return [0, False]  # attempts ended when it was looked at last, the answer then

    def fold(self, state: Any, trace: Trace) -> bool:
        ended = len(trace.attempts) + (trace.attempt.status != "running")
        if ended != state[0]:
            state[:] = ended, self.look(trace)["enough"]
        return bool(state[1])

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        return {"by": self.by, **self.look(trace)}

    def look(self, trace: Trace) -> dict[str, Any]:
        """The figures, and whether it is enough by them."""
        sign = 1.0 if self.mode == "max" else -1.0
        tries = list(self.tries(trace))
        results = [sign * result for result, _ in tries if result is not None and isfinite(result)]
        used = [amount for _, amount in tries]
        best = max([*results, *([] if self.fallback is None else [sign * self.fallback])], default=-inf)
        seen: dict[str, Any] = {"attempts": len(tries), "results": len(results), "used": sum(used)}
        if isfinite(best):
            seen["best"] = sign * best
        fits = should_try(-inf, inf, left=self.left(used), needs=1.0 if self.of is None else max(used, default=0.0))
        if (self.attempts is not None and len(tries) >= self.attempts) or not fits:
            return {**seen, "fits": False, "enough": True}
        cost = self.cost * (sum(used) / len(results)) if results else 0.0
        if cost == 0.0:
            return {**seen, "enough": False}
        seen["cost"] = cost
        if self.law is not None:
            z = reservation_value(self.law, cost)
            return {**seen, "reservation_value": sign * z, "enough": not should_try(best, z)}
        if len(results) < self.least:
            return {**seen, "enough": False}
        gain = expected_gain(results, best)
        return {**seen, "expected_gain": gain, "enough": gain <= cost}

    def left(self, used: list[float]) -> float:
        return inf if self.budget is None else self.budget - sum(used)

    def tries(self, trace: Trace) -> Iterator[tuple[float | None, float]]:
        """The result of each ended attempt and what it used."""
        for one in trace.attempts:
            if one.state != "interrupted":
                result = one.value if self.by == "value" else one.metrics.get(self.by)
                yield result, self.used(one.steps, one.seconds, one.cost)
        attempt = trace.attempt
        closed = bool(trace.attempts) and trace.attempts[-1].number == attempt.number
        if attempt.status != "running" and not closed:
            metric = attempt.metrics.get(self.by)
            result = attempt.value if self.by == "value" else None if metric is None else metric.last
            yield result, self.used(attempt.steps - attempt.base, attempt.seconds, attempt.cost)

    def used(self, steps: int, seconds: float, cost: dict[str, float]) -> float:
        if self.of is None:
            return 1.0
        return steps if self.of == "steps" else seconds if self.of == "seconds" else cost.get(self.of, 0.0)

    def metric_names(self) -> tuple[str, ...]:
        return () if self.by == "value" else (self.by,)
