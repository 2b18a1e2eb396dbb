"""When to give an attempt up: the stopping rule that makes a success cheapest, by Dinkelbach's fixed point.

Attempts are begun until one succeeds. A rule that gives attempts up costs E[cost of an attempt] / P(it
succeeds) a success; the least of that, V, is the V at which the best that can be had of an attempt, V times
its chance less its cost, is nothing. From any V the rule that is best at V gives the next one (Dinkelbach
1967), which falls and converges faster than any line.

    h   (T,)     chance to succeed at step t, if not before      -> hazard
    c   (T,)     cost of step t                                  -> cost
    D   scalar   cost of beginning an attempt                    -> reset
    R   scalar   cost of giving one up                           -> overhead
    P   (S, S)   chances to go from state to state, unsuccessful -> transition
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.policies.fixed import FixedCutoff

ROUNDS = 200


@dataclass(frozen=True)
class Stopping:
    """Give an attempt up after ``horizon`` steps; a success then costs ``expected`` in the mean.

    ``rounds`` are the (horizon, expected cost) that the fixed point went through.
    """

    horizon: int
    expected: float
    rounds: tuple[tuple[int, float], ...] = ()

    def policy(self) -> FixedCutoff:
        """The rule as a policy of the engine: cut every attempt after that many steps."""
        return FixedCutoff(self.horizon)


@dataclass(frozen=True)
class GoingOn:
    """In which states to go on (the others are given up), and what a success then costs in the mean."""

    states: tuple[bool, ...]
    expected: float


def optimal_horizon(
    hazard: Sequence[float],
    cost: Sequence[float] | float = 1.0,
    *,
    reset: float = 0.0,
    overhead: float = 0.0,
    start: float | None = None,
) -> Stopping:
    """The number of steps after which to give an attempt up, for a known chance of success at each step.

    ``hazard`` reaches as far as an attempt may go. ``start`` is a first guess of the cost of a success; by
    default that of giving up after one step. Each round is O(T).

    A base state that is good half of the time, tried at 0.2 a try, rebuilt for 20:

    >>> misses = [0.5 + 0.5 * 0.8**k for k in range(100)]
    >>> hazard = [1 - after / before for before, after in zip(misses, misses[1:])]
    >>> [(r, round(cost, 6)) for r, cost in optimal_horizon(hazard, reset=20).rounds]
    [(17, 63.313094), (12, 60.837096), (11, 60.792543), (11, 60.792543)]

    Raises :class:`UsageError` for a hazard that is nowhere above 0, or not a probability, and for negative
    costs.
    """
    import numpy

    h, c = steps_of(hazard, cost)
    amount("reset", reset)
    amount("overhead", overhead)
    alive = numpy.concatenate([[1.0], numpy.cumprod(1.0 - h)])
    won = 1.0 - alive[1:]
    spent = reset + numpy.cumsum(alive[:-1] * c) + overhead * alive[1:]
    with numpy.errstate(divide="ignore", over="ignore"):
        ratio = numpy.where(won > 0, spent / numpy.where(won > 0, won, 1.0), inf)
    value = float(ratio[numpy.argmax(won > 0)]) if start is None else amount("start", start)
    rounds: list[tuple[int, float]] = []
    for _ in range(ROUNDS):
        place = int(numpy.argmin(numpy.where(won > 0, spent - value * won, inf)))
        value = float(ratio[place])
        rounds.append((place + 1, value))
        if len(rounds) > 1 and rounds[-1] == rounds[-2]:
            break
    return Stopping(rounds[-1][0], value, tuple(rounds))


def optimal_states(
    transition: Sequence[Sequence[float]],
    success: Sequence[float],
    cost: Sequence[float] | float = 1.0,
    *,
    reset: float = 0.0,
    overhead: float = 0.0,
    first: int = 0,
) -> GoingOn:
    """In which states of a Markov chain to go on, where a step from state s succeeds with ``success[s]``.

    With ``transition[s][s']`` it goes on to s' instead; what is left of 1 is an attempt that ends by itself
    without success, at no overhead. Every attempt begins in ``first`` and takes a step. Inside each round
    the best stopping rule is found by policy iteration, exactly.

    >>> optimal_states([[0.5, 0.4], [0.0, 0.9]], [0.1, 0.01], reset=1).states
    (True, False)

    Raises :class:`UsageError` for rows that are no probabilities, and where no success can be reached.
    """
    import numpy

    p, q = numpy.asarray(transition, dtype=float), numpy.asarray(success, dtype=float)
    c = numpy.broadcast_to(numpy.asarray(cost, dtype=float), q.shape)
    if q.ndim != 1 or p.shape != (len(q), len(q)) or not 0 <= first < len(q):
        raise UsageError(f"optimal_states: transition {p.shape} and success {q.shape}: expected (S, S) and (S,)")
    if not ((p >= 0).all() and (q >= 0).all() and (p.sum(1) + q <= 1 + 1e-9).all() and ((c >= 0) & (c < inf)).all()):
        raise UsageError(
            "optimal_states: expected chances that add up to 1 at most in every state, costs of at least 0"
        )
    amount("reset", reset)
    amount("overhead", overhead)
    chain = Chain(p, q, c, reset, overhead, first)
    going = chain.reaching()
    value = chain.ratio(going)
    if value == inf:
        raise UsageError("optimal_states: no success can be reached from the first state")
    for _ in range(ROUNDS):
        going = chain.best(value, going)
        further = chain.ratio(going)
        if not further < value * (1.0 - 1e-14):
            break
        value = further
    return GoingOn(tuple(bool(one) for one in going), min(value, further))


@dataclass(frozen=True)
class Chain:
    """An attempt as a Markov chain that a rule stops; ``going`` is one flag a state."""

    transition: Any
    success: Any
    cost: Any
    reset: float
    overhead: float
    first: int

    def solve(self, going: Any, gain: Any, stopped: float) -> Any:
        """What is had in the mean from each state on, with ``gain`` a step and ``stopped`` where it stops."""
        import numpy

        inside = numpy.where(going[:, None] & going[None, :], self.transition, 0.0)
        into_stops = self.transition @ numpy.where(going, 0.0, stopped)
        held = numpy.linalg.solve(numpy.eye(len(going)) - inside, numpy.where(going, gain + into_stops, 0.0))
        return numpy.where(going, held, stopped)

    def ratio(self, going: Any) -> float:
        """The cost of a success under a rule."""
        won = float(self.solve(going, self.success, 0.0)[self.first])
        spent = self.reset + float(self.solve(going, self.cost, self.overhead)[self.first])
        return spent / won if won > 0 else inf

    def reaching(self) -> Any:
        """The states from which a success can still be reached: giving up the others is never wrong."""
        import numpy

        going = self.success > 0
        for _ in range(len(going)):
            going = going | ((self.transition > 0) & going[None, :]).any(1)
        return going if going[self.first] else numpy.zeros_like(going)

    def best(self, value: float, going: Any) -> Any:
        """The rule that is best where a success is worth ``value``."""
        import numpy

        reachable, here = self.reaching(), numpy.arange(len(going)) == self.first
        for _ in range(ROUNDS):
            held = self.solve(going, value * self.success - self.cost, -self.overhead)
            on = value * self.success - self.cost + self.transition @ held
            better = reachable & ((on > -self.overhead) | here)
            if (better == going).all():
                break
            going = better
        return going


def steps_of(hazard: Any, cost: Any) -> tuple[Any, Any]:
    import numpy

    h = numpy.asarray(hazard, dtype=float)
    c = numpy.asarray(cost, dtype=float)
    if h.ndim != 1 or not len(h) or c.ndim > 1 or (c.ndim == 1 and c.shape != h.shape):
        raise UsageError(f"hazard of shape {h.shape} and cost of {c.shape}: expected one of each for every step")
    if not ((h >= 0) & (h <= 1)).all() or not (h > 0).any():
        raise UsageError("hazard: expected probabilities, one of them above 0 at least")
    if not ((c >= 0) & (c < inf)).all():
        raise UsageError("cost: expected finite numbers of at least 0")
    return h, numpy.broadcast_to(c, h.shape)


def amount(name: str, value: Any) -> float:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not 0 <= value < inf:
        raise UsageError(f"{name}={value!r}: expected a finite number of at least 0")
    return float(value)
