"""What one step tells: metrics, cost, status and, where there is one, the value of the objective."""

from __future__ import annotations

import traceback as _traceback
from dataclasses import dataclass, field
from typing import Literal

from dalsegno.core.errors import ReportError

Status = Literal["running", "succeeded", "failed"]
STATUSES = ("running", "succeeded", "failed")


def qualified_name(cls: type) -> str:
    """The module and qualified name of a class; builtins stand without their module."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


@dataclass(slots=True)
class Failure:
    """Why an attempt failed, as text: exceptions themselves never cross a border between programs.

    ``types`` holds the qualified names of the exception's class and of all its bases, nearest first.

    >>> Failure.of(ZeroDivisionError("by zero")).types[:2]
    ('ZeroDivisionError', 'ArithmeticError')
    """

    types: tuple[str, ...]
    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        names = tuple(qualified_name(base) for base in type(error).__mro__ if base is not object)
        text = "".join(_traceback.format_exception(error))
        return cls(names, str(error), text)

    @property
    def type(self) -> str:
        return self.types[0] if self.types else "failure"


@dataclass(slots=True)
class Report:
    """What one step of a process tells the engine.

    ``metrics`` maps names to floats, ``cost`` maps units (``tokens``, ``evaluations``, ``env_steps``,
    ``examples``, any other name; never ``seconds``, which the engine measures) to what *this step* used,
    ``status`` is ``running``, ``succeeded`` or ``failed``, ``value`` is the objective, higher is better.

    >>> Report(metrics={"loss": 0.5}, cost={"tokens": 120}).status
    'running'
    """

    metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    status: str = "running"
    value: float | None = None
    failure: Failure | None = None


def number(kind: str, name: str, value: object) -> float:
    """``value`` as a float, or a :class:`ReportError` that names the metric or unit and the type it had."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ReportError(
            f"{kind} {name!r} has no name that can be written down: expected a text of printable characters"
        )
    if hasattr(value, "detach"):  # a tensor that is part of a graph
        value = value.detach()
    if (
        isinstance(value, (str, bytes, complex))
        or value is None
        or getattr(getattr(value, "dtype", None), "kind", "") == "c"
    ):
        raise ReportError(
            f"{kind} {name!r} is {value!r}: expected a number; leave it out of the report if it is absent"
        )
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise ReportError(
            f"{kind} {name!r} is a {type(value).__name__}, which is no single number ({error}): report a float"
        ) from None


def check_cost(cost: dict[str, float]) -> None:
    """Refuse a negative, NaN or infinite cost and the unit ``seconds``; make every entry a float."""
    for unit, amount in cost.items():
        if type(amount) is not float:
            amount = cost[unit] = number("cost", unit, amount)
        if not 0.0 <= amount < float("inf"):
            raise ReportError(f"cost {unit!r} is {amount!r}: expected a finite number of at least 0")
        if unit in ("seconds", "steps", "attempts"):
            raise ReportError(f"cost {unit!r} is counted by the engine itself: leave it out of the report")
