"""Changes, public as ``dalsegno.changes``: what to do differently from here on.

A change is any function of the process (in a function's loop: of ``attempt.kept``), or the name of one of
its methods; these are the usual ones. Each is a value: two made alike are equal, so a run knows its rules
again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any

from dalsegno.core.actions import Change
from dalsegno.core.errors import UsageError
from dalsegno.core.learning_rates import find, is_tensor, read, rescale

__all__ = ["scale", "scale_learning_rate", "sequence", "set_learning_rate"]


@dataclass(frozen=True)
class scale_learning_rate:
    """Multiply every learning rate by ``factor``, from here on, schedule included.

    Every optimizer found is changed (in an attribute or kept piece, a list or dict of them, or one level
    deeper), in all of its parameter groups, and every scheduler found, in its base, last, least and
    greatest rates: the schedule from here on is the old one times ``factor``. Where there is no optimizer,
    a number called ``lr`` or ``learning_rate`` is changed instead, an attribute or an entry of a dict.

    >>> kept = {"settings": {"lr": 0.8}}
    >>> scale_learning_rate(0.5)(kept)
    >>> kept
    {'settings': {'lr': 0.4}}

    Raises :class:`UsageError` for a factor that is not above 0, and, when it is called, where no rate was
    found. Warns where an optimizer has a scheduler that was not found: that scheduler may undo the change.
    """

    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", rate("scale_learning_rate", "factor", self.factor))

    def __call__(self, target: Any) -> None:
        move_rates(f"{self}", target, lambda present: self.factor, lambda present: present * self.factor)

    def __str__(self) -> str:
        return f"scale_learning_rate({self.factor!r})"


@dataclass(frozen=True)
class set_learning_rate:
    """Make every present learning rate ``value``; a schedule goes on in proportion.

    Found as by :class:`scale_learning_rate`. Where parameter groups had different rates they now have the
    same one.

    >>> kept = {"settings": {"learning_rate": 0.8}}
    >>> set_learning_rate(0.1)(kept)
    >>> kept
    {'settings': {'learning_rate': 0.1}}

    Raises :class:`UsageError` for a value that is not above 0, where no rate was found, and for a rate that
    is 0 now and has a scheduler: a schedule has no proportion to 0.
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", rate("set_learning_rate", "value", self.value))

    def __call__(self, target: Any) -> None:
        move_rates(f"{self}", target, self.ratio, lambda present: self.value)

    def ratio(self, present: float) -> float:
        if present == 0.0:
            raise UsageError(f"{self}: a learning rate is 0 here, so its schedule has no proportion to {self.value!r}")
        return self.value / present

    def __str__(self) -> str:
        return f"set_learning_rate({self.value!r})"


@dataclass(frozen=True)
class scale:
    """Multiply one number, array or tensor by ``factor``: the one at ``path``.

    The path goes through attributes, keys of dicts and places in lists:
    ``"optimizer.param_groups.0.weight_decay"``.

    >>> kept = {"sampler": {"temperatures": [1.0, 0.5]}}
    >>> scale("sampler.temperatures.1", 0.5)(kept)
    >>> kept
    {'sampler': {'temperatures': [1.0, 0.25]}}

    Raises :class:`UsageError` for a factor that is not finite, and, when it is called, where there is
    nothing at the path or no number.
    """

    path: str
    factor: float

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not all(self.path.split(".")):
            raise UsageError(f"scale({self.path!r}, ...): expected a dotted path, such as 'sampler.temperature'")
        object.__setattr__(self, "factor", number("scale", "factor", self.factor))

    def __call__(self, target: Any) -> None:
        *way, last = self.path.split(".")
        holder, at = target, ""
        for name in way:
            holder, at = self.step(holder, at, name), f"{at}.{name}" if at else name
        value = self.step(holder, at, last)
        if is_tensor(value):
            value.detach().mul_(self.factor)
        elif hasattr(value, "__imul__") and hasattr(value, "dtype"):
            value *= self.factor
        elif isinstance(value, Real) and not isinstance(value, bool):
            assign(f"{self}", holder, last, float(value) * self.factor)
        else:
            raise UsageError(f"{self}: {self.path} is a {type(value).__name__}: expected a number, array or tensor")

    def step(self, holder: Any, at: str, name: str) -> Any:
        """What ``holder`` has under ``name``."""
        try:
            if isinstance(holder, Mapping):
                return holder[name]
            if isinstance(holder, (list, tuple)):
                return holder[int(name)]
            return getattr(holder, name)
        except (KeyError, IndexError, ValueError, AttributeError):
            there = ", ".join(sorted(names_in(holder))) or "nothing"
            raise UsageError(f"{self}: {at or 'the target'} has no {name!r}; it has {there}") from None

    def __str__(self) -> str:
        return f"scale({self.path!r}, {self.factor!r})"


@dataclass(frozen=True, init=False)
class sequence:
    """Several changes, one after the other.

    >>> kept = {"settings": {"lr": 0.8, "temperature": 1.0}}
    >>> sequence(scale_learning_rate(0.5), scale("settings.temperature", 0.9))(kept)
    >>> kept
    {'settings': {'lr': 0.4, 'temperature': 0.9}}

    Raises :class:`UsageError` for what is neither a function nor the name of a method.
    """

    changes: tuple[Change, ...]

    def __init__(self, *changes: Change) -> None:
        for change in changes:
            if isinstance(change, type) or not (callable(change) or isinstance(change, str)):
                raise UsageError(f"sequence({change!r}): expected functions of the process or names of its methods")
        object.__setattr__(self, "changes", changes)

    def __call__(self, target: Any) -> None:
        from dalsegno.core.subject import apply_change

        for change in self.changes:
            apply_change(change, target)

    def __str__(self) -> str:
        return f"sequence({', '.join(str(getattr(one, '__name__', one)) for one in self.changes)})"


def rate(where: str, name: str, value: object) -> float:
    found = number(where, name, value)
    if found <= 0:
        raise UsageError(f"{where}({name}={value!r}): expected a number above 0")
    return found


def number(where: str, name: str, value: object) -> float:
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__") or not isfinite(float(value)):
        raise UsageError(f"{where}({name}={value!r}): expected a finite number")
    return float(value)


def move_rates(what: str, target: Any, ratio: Callable[[float], float], moved: Callable[[float], float]) -> None:
    """Change every learning rate of ``target``: of its optimizers by a ratio, or else the plain numbers."""
    found = find(target)
    for optimizer in found.optimizers:
        if not rescale(optimizer, found.schedulers, ratio, moved):
            warnings.warn(
                f"{what}: {type(optimizer).__name__} has a scheduler that was not found among what is kept; "
                "it may undo the change: keep it too",
                stacklevel=2,
            )
    if found.optimizers:
        return
    if not found.plain:
        there = ", ".join(sorted(names_in(target))) or "nothing"
        raise UsageError(
            f"{what}: found no optimizer and no number called lr or learning_rate in the "
            f"{type(target).__name__}, which has {there}; keep the optimizer, or give a function of your own "
            "that makes the change"
        )
    for holder, name in found.plain:
        assign(what, holder, name, moved(float(read(holder, name))))


def assign(what: str, holder: Any, name: str, value: float) -> None:
    """Put a number into a mapping, a list or an object."""
    if isinstance(holder, MutableMapping):
        holder[name] = value
        return
    if isinstance(holder, MutableSequence):
        holder[int(name)] = value
        return
    try:
        setattr(holder, name, value)
    except (AttributeError, TypeError) as error:
        raise UsageError(f"{what}: {name} of {type(holder).__name__} cannot be set ({error})") from None


def names_in(holder: Any) -> list[str]:
    """What a path could go on with, with the kind of each."""
    if isinstance(holder, Mapping):
        return [f"{name} ({type(value).__name__})" for name, value in holder.items()]
    if isinstance(holder, (list, tuple)):
        return [f"places 0 to {len(holder) - 1}"] if holder else []
    held = getattr(holder, "__dict__", {})
    return [f"{name} ({type(value).__name__})" for name, value in held.items() if not name.startswith("__")]
