"""Leaf: a condition without parts. It reads like its constructor call and refuses mistaken arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from math import isfinite, isnan
from typing import Any, TypeVar

from dalsegno.core.conditions.base import Condition
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace

C = TypeVar("C", bound=type)


class Leaf(Condition):
    """A condition of the library: a frozen dataclass; ``str`` of it leaves out what is at its default."""

    def __str__(self) -> str:
        return as_written(self)

    def metric_names(self) -> tuple[str, ...]:
        return tuple(name for name in super().metric_names() if name != "value")


def refuses(cls: C) -> C:
    """Make a missing, surplus or misspelt argument a :class:`UsageError`, as any other mistake is."""
    kind: Any = cls
    init: Callable[..., None] = kind.__init__

    @wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            said = str(error).replace(f"{cls.__name__}.__init__() ", "")
            raise UsageError(f"{call(cls.__name__, args, kwargs)}: {said}") from None

    kind.__init__ = __init__
    return cls


def as_written(thing: Any) -> str:
    """A dataclass as its constructor call, without what is at its default."""
    bare: list[str] = []
    named: list[str] = []
    for one in fields(thing):
        value = getattr(thing, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if default is MISSING or value != default:
            (named if one.kw_only else bare).append(f"{one.name}={value!r}" if one.kw_only else repr(value))
    return f"{type(thing).__name__}({', '.join([*bare, *named])})"


def call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """A call as it was written, for messages."""
    return f"{name}({', '.join([*map(repr, args), *(f'{key}={value!r}' for key, value in kwargs.items())])})"


def objective(metric: str, trace: Trace) -> float | None:
    """The report's value where a condition names ``value`` and no metric has that name."""
    return trace.report.value if metric == "value" else None


# -- arguments ---------------------------------------------------------------------------------------------


def named_metric(where: str, metric: object) -> str:
    if not isinstance(metric, str) or not metric:
        raise UsageError(f"{where}: expected the name of a metric, such as 'loss', not {metric!r}")
    return metric


def real(where: str, name: str, value: object) -> float:
    """A number that is not NaN, as a float; an infinite one is a number."""
    if isinstance(value, (bool, str, bytes, complex)) or not hasattr(value, "__float__"):
        raise UsageError(f"{where}: {name}={value!r}: expected a number")
    number = float(value)
    if isnan(number):
        raise UsageError(f"{where}: {name}=nan: expected a number; nothing is above, below or equal to NaN")
    return number


def finite(where: str, name: str, value: object, *, least: float = 0.0) -> float:
    number = real(where, name, value)
    if not isfinite(number) or number < least:
        raise UsageError(f"{where}: {name}={value!r}: expected a finite number of at least {least:g}")
    return number


def positive(where: str, name: str, value: object) -> float:
    number = real(where, name, value)
    if not isfinite(number) or number <= 0:
        raise UsageError(f"{where}: {name}={value!r}: expected a finite number above 0")
    return number


def whole(where: str, name: str, value: object, *, least: int = 1) -> int:
    """A whole number; ``1e6`` is one."""
    number = real(where, name, value)
    if not isfinite(number) or number != int(number) or number < least:
        raise UsageError(f"{where}: {name}={value!r}: expected a whole number of at least {least}")
    return int(number)


def one_of(where: str, name: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed or not isinstance(value, str):
        raise UsageError(f"{where}: {name}={value!r}: expected {' or '.join(map(repr, allowed))}")
    return value
