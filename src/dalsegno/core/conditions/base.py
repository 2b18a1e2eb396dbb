"""Conditions: frozen descriptions of *when*; their state is a value that the machine owns and folds.

The answer is true, false or unknown (None): unknown on an absent metric, and so is its negation; unknown
fires nothing. A family of conditions is a file beside this one.  A leaf keeps its arguments, says its
``scope`` and has

* ``initial()``: its state before the first report: None, or a list that ``fold`` changes in place,
* ``fold(state, trace)``: take in the newest report and answer,
* ``saw(state, trace)``: what it looked at, for the journal; called only when a decision is taken,
* ``acted(state)``: its rule has changed the running process (adapt), so that what it counted is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace

Scope = Literal["attempt", "run"]
State = list[Any] | None


class Pending:
    """An answer that waits for a judge: what to ask, and what the whole is once the judge has answered."""

    __slots__ = ("judge", "then")

    def __init__(self, judge: Any, then: Callable[[bool | None], Truth]) -> None:
        self.judge, self.then = judge, then


Truth = bool | None | Pending


class Condition:
    """When something is the case. Compose with ``&``, ``|`` and ``~``.

    >>> from dalsegno.core.conditions import above, every
    >>> print(~above("loss", 5.0) & every(steps=10))
    ~above('loss', 5.0) & every(steps=10)
    """

    scope: ClassVar[Scope] = "attempt"
    limits: ClassVar[bool] = False  # True where the numeric arguments are limits that a later run may move

    def initial(self) -> State:
        return None

    def fold(self, state: Any, trace: Trace) -> Truth:
        raise TypeError(f"{type(self).__name__} has no fold(self, state, trace)")

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        return {}

    def acted(self, state: Any) -> None:
        """The rule's change has been made to the running process; by default nothing follows from it."""

    def leaves(self) -> Iterator[Condition]:
        """This condition and its parts, those without parts only."""
        yield self

    def metric_names(self) -> tuple[str, ...]:
        """The metrics that this condition waits for; one that never comes is warned about."""
        metric = getattr(self, "metric", None)
        return (metric,) if isinstance(metric, str) else ()

    def limits_attempts(self) -> bool:
        """Whether this condition is a budget of attempts."""
        return self.limits and "attempts" in dict(getattr(self, "units", ()))

    def restore(self, state: Any, saved: Any, scopes: frozenset[str]) -> None:
        """Put ``saved`` into ``state`` in place if this condition's scope is one of ``scopes``."""
        if isinstance(state, list) and self.scope in scopes:
            state[:] = saved

    def __and__(self, other: object) -> All:
        return All(parts_of(All, self) + parts_of(All, condition(other)))

    def __rand__(self, other: object) -> All:
        return All(parts_of(All, condition(other)) + parts_of(All, self))

    def __or__(self, other: object) -> AnyOf:
        return AnyOf(parts_of(AnyOf, self) + parts_of(AnyOf, condition(other)))

    def __ror__(self, other: object) -> AnyOf:
        return AnyOf(parts_of(AnyOf, condition(other)) + parts_of(AnyOf, self))

    def __invert__(self) -> Condition:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth of its own: join conditions with & | ~ instead of and, or, not")


def parts_of(kind: type, one: Condition) -> tuple[Condition, ...]:
    return one.parts if isinstance(one, kind) else (one,)  # type: ignore[attr-defined]


def negate(truth: Truth) -> Truth:
    if isinstance(truth, Pending):
        then = truth.then
        return Pending(truth.judge, lambda answer: negate(then(answer)))
    return None if truth is None else not truth


def conjunction(truths: list[Truth]) -> Truth:
    """Kleene's and. A judge is asked only where everything else is true."""
    if any(truth is False for truth in truths):
        return False
    if any(truth is None for truth in truths):
        return None
    waiting = [truth for truth in truths if isinstance(truth, Pending)]
    if not waiting:
        return True
    first, rest = waiting[0], waiting[1:]
    return Pending(first.judge, lambda answer: conjunction([first.then(answer), *rest]))


def disjunction(truths: list[Truth]) -> Truth:
    """Kleene's or. A judge is asked only where nothing else is true."""
    if any(truth is True for truth in truths):
        return True
    waiting = [truth for truth in truths if isinstance(truth, Pending)]
    if not waiting:
        return None if any(truth is None for truth in truths) else False
    first = waiting[0]
    rest = [truth for truth in truths if truth is not first]
    return Pending(first.judge, lambda answer: disjunction([first.then(answer), *rest]))


class Composite(Condition):
    """Conditions joined by an operator; it has no state but that of its parts."""

    parts: tuple[Condition, ...]

    def initial(self) -> State:
        return [part.initial() for part in self.parts]

    def leaves(self) -> Iterator[Condition]:
        for part in self.parts:
            yield from part.leaves()

    def metric_names(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts for name in part.metric_names())

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        """By part, since two may look at things of one name; a negated condition saw what its part saw."""
        each = [(part, part.saw(own, trace)) for part, own in zip(self.parts, state, strict=True)]
        return each[0][1] if len(each) == 1 else {str(part): seen for part, seen in each if seen}

    def acted(self, state: Any) -> None:
        for part, own in zip(self.parts, state, strict=True):
            part.acted(own)

    def restore(self, state: Any, saved: Any, scopes: frozenset[str]) -> None:
        for part, own, old in zip(self.parts, state, saved, strict=True):
            part.restore(own, old, scopes)


@dataclass(frozen=True)
class All(Composite):
    """True where every part is true; every part is folded at every step."""

    parts: tuple[Condition, ...]

    def fold(self, state: Any, trace: Trace) -> Truth:
        return conjunction([part.fold(own, trace) for part, own in zip(self.parts, state, strict=True)])

    def __str__(self) -> str:
        return " & ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True)
class AnyOf(Composite):
    """True where any part is true; every part is folded at every step."""

    parts: tuple[Condition, ...]

    def fold(self, state: Any, trace: Trace) -> Truth:
        return disjunction([part.fold(own, trace) for part, own in zip(self.parts, state, strict=True)])

    def __str__(self) -> str:
        return " | ".join(str(part) for part in self.parts)


@dataclass(frozen=True)
class Not(Composite):
    """True where its part is false, false where it is true, unknown where it is unknown."""

    part: Condition

    @property
    def parts(self) -> tuple[Condition, ...]:  # type: ignore[override]
        return (self.part,)

    def fold(self, state: Any, trace: Trace) -> Truth:
        return negate(self.part.fold(state[0], trace))

    def __str__(self) -> str:
        return f"~({self.part})" if isinstance(self.part, (All, AnyOf)) else f"~{self.part}"


@dataclass(frozen=True)
class Test(Condition):
    """A user's own function of the trace. It answers true, false or None (unknown) and keeps no state."""

    __test__: ClassVar[bool] = False  # not one of pytest's
    function: Callable[[Trace], bool | None]

    def fold(self, state: Any, trace: Trace) -> Truth:
        answer = self.function(trace)
        return None if answer is None else bool(answer)

    def __str__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


def condition(what: object) -> Condition:
    """``what`` as a condition: itself, or a function of the trace made into one."""
    if isinstance(what, Condition):
        return what
    if isinstance(what, type) or not callable(what):
        raise UsageError(f"expected a condition (dalsegno.when....) or a function of the trace, not {what!r}")
    return Test(what)
