"""What has been used: spent (of the run) and elapsed (of the attempt)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from dalsegno.core.conditions.base import Scope
from dalsegno.core.conditions.leaf import Leaf, call, finite, whole
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace

MISTAKEN = {
    **dict.fromkeys(("step", "iterations", "iteration"), "steps"),
    **dict.fromkeys(("attempt", "tries", "restarts"), "attempts"),
    **dict.fromkeys(("second", "sec", "secs", "time", "minutes", "minute", "hours", "hour", "days"), "seconds"),
}


@dataclass(frozen=True, init=False)
class Units(Leaf):
    """Limits by unit: true once any of them is reached. What crosses a limit is finished and counted."""

    limits: ClassVar[bool] = True
    units: tuple[tuple[str, float], ...]

    def __init__(self, *bare: object, **units: float | str) -> None:
        name = type(self).__name__
        if bare:
            raise UsageError(f"{call(name, bare, {})}: a bare number has no unit; write {name}(steps={bare[0]!r}), say")
        if not units:
            raise UsageError(f"{name}(): expected at least one unit, as in {name}(steps=20_000, seconds='2h')")
        checked = tuple((unit, limit_of(name, unit, limit)) for unit, limit in units.items())
        object.__setattr__(self, "units", checked)

    def __str__(self) -> str:
        said = (f"{unit}={int(limit) if limit == int(limit) else limit!r}" for unit, limit in self.units)
        return f"{type(self).__name__}({', '.join(said)})"


def limit_of(name: str, unit: str, limit: object) -> float:
    """A limit as a number: whole for steps and attempts; seconds also as ``"90s"``, ``"5m"``, ``"2h"``."""
    if unit in MISTAKEN:
        raise UsageError(f"{name}({unit}={limit!r}): there is no unit {unit!r}; write {MISTAKEN[unit]}=")
    if unit in ("steps", "attempts"):
        return whole(name, unit, limit, least=0)
    if unit == "seconds":
        from dalsegno.core.durations import seconds

        limit = seconds(limit)  # type: ignore[arg-type]
    return finite(name, unit, limit)


@dataclass(frozen=True, init=False)
class spent(Units):
    """True once the run has used this much of a unit: steps, seconds, attempts, any unit of cost.

    An attempt counts once it has ended. Several units: true once any one is reached. It never goes back.
    Raises :class:`UsageError` for a bare number, no unit, a negative, infinite or NaN limit.

    >>> from dalsegno.core.conditions import spent
    >>> print(spent(steps=20_000, usd=2.5))
    spent(steps=20000, usd=2.5)
    """

    scope: ClassVar[Scope] = "run"
    steps: ClassVar[float]  # of each object its own, and not fields: the same limits again, without a look-up
    seconds: ClassVar[float]
    attempts: ClassVar[float]
    costs: ClassVar[tuple[tuple[str, float], ...]]

    def __init__(self, *bare: object, **units: float | str) -> None:
        super().__init__(*bare, **units)
        given = dict(self.units)
        for unit in ("steps", "seconds", "attempts"):
            object.__setattr__(self, unit, given.pop(unit, inf))
        object.__setattr__(self, "costs", tuple(given.items()))

    def fold(self, state: Any, trace: Trace) -> bool:
        if trace.steps >= self.steps or trace.seconds >= self.seconds or trace.ended >= self.attempts:
            return True
        for unit, limit in self.costs:  # noqa: SIM110
            if trace.cost.get(unit, 0.0) >= limit:
                return True
        return False

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        return {unit: {"spent": trace.spent(unit), "limit": limit} for unit, limit in self.units}


@dataclass(frozen=True, init=False)
class elapsed(Units):
    """True once the attempt has used this much of a unit since it began: steps, seconds, any unit of cost.

    It goes back with a roll back and begins at 0 with a restart. Raises :class:`UsageError` as
    :class:`spent` does, and for ``attempts``.

    >>> from dalsegno.core.conditions import elapsed
    >>> print(elapsed(seconds=90))
    elapsed(seconds=90)
    """

    def __init__(self, *bare: object, **units: float | str) -> None:
        super().__init__(*bare, **units)
        if any(unit == "attempts" for unit, _ in self.units):
            raise UsageError(f"{self}: an attempt has no attempts; write spent(attempts=...), which is of the run")

    def fold(self, state: Any, trace: Trace) -> bool:
        for unit, limit in self.units:  # noqa: SIM110
            if trace.elapsed(unit) >= limit:
                return True
        return False

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        return {unit: {"elapsed": trace.elapsed(unit), "limit": limit} for unit, limit in self.units}
