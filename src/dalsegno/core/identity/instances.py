"""Descriptions of objects: their class, and the arguments of their constructor as far as they still show."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dalsegno.core.identity.checksum import Node, Tree
from dalsegno.core.identity.values import is_fixed, not_compared, vars_of

if TYPE_CHECKING:
    from dalsegno.core.identity.describer import Describer

MISSING = object()
HEAP_TYPE = 1 << 9  # CPython's flag of classes that were made while the program ran
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def instance(value: Any, describer: Describer) -> Node:
    """Any object that is nothing more special."""
    cls = type(value)
    describer.define(cls)
    node: Node = {"is": "object", "class": describer.name_of(cls), "parts": {}}
    if isinstance(value, BaseException):
        return {**node, "parts": {".args": describer(value.args)}}
    if dataclasses.is_dataclass(value):
        return {**node, **of_dataclass(value, describer)}
    if not is_python_class(cls):
        return not_compared(value, "its class is not written in Python")
    return {**node, "parts": of_constructor(value, describer)}


def is_python_class(cls: type) -> bool:
    """Whether a class was written in Python: nothing is known of the state of objects of other classes."""
    if isinstance(cls.__init__, types.FunctionType):  # type: ignore[misc]
        return True
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    return bool(cls.__flags__ & HEAP_TYPE) and (cls.__module__ == "__main__" or file.endswith(".py"))


def of_dataclass(value: Any, describer: Describer) -> Node:
    """The fields that count in comparisons. ``limits = True`` on the class makes their numbers limits."""
    cls = type(value)
    fields = [one for one in dataclasses.fields(value) if one.compare and (one.init or is_frozen(cls))]
    limits = getattr(cls, "limits", False) is True
    if limits:
        named = {one.name: attribute(value, one.name) for one in fields}
        return limits_by_unit(
            {**named, **{unit: amount for held in named.values() for unit, amount in pairs(held)}}, describer
        )
    parts = {f".{one.name}": argument(value, one.name, attribute(value, one.name), describer) for one in fields}
    at_default = [f".{one.name}" for one in fields if is_default(one, attribute(value, one.name))]
    return {"parts": parts, "defaults": at_default}


def limits_by_unit(amounts: Mapping[str, Any], describer: Describer) -> Node:
    """Limits, whose numbers may be moved; another set of units is another condition."""
    numbers = {unit: amount for unit, amount in amounts.items() if not pairs(amount)}
    return {
        "limits": True,
        "units": sorted(numbers),
        "parts": {f".{unit}": describer(numbers[unit]) for unit in numbers},
    }


def is_frozen(cls: type) -> bool:
    return bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def is_default(field: Any, held: Any) -> bool:
    """Whether a field is at its default: a version of the class that lacks the field means the same."""
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return default is held or (is_fixed(default) and type(default) is type(held) and bool(default == held))


def pairs(held: Any) -> list[tuple[str, Any]]:
    """Limits that are kept as a dict or as pairs of unit and amount; nothing for another value."""
    items = list(held.items()) if isinstance(held, Mapping) else held
    if not isinstance(items, (list, tuple)):
        return []
    return [one for one in items if isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str)]


def of_constructor(value: Any, describer: Describer) -> dict[str, Tree]:
    """The constructor's arguments that are kept as attributes of the same name, or of that name with ``_`` before it."""
    cls = type(value)
    if not isinstance(cls.__init__, types.FunctionType):
        return {}
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    parts: dict[str, Tree] = {}
    for parameter in parameters:
        name = parameter.name
        held = attribute(value, name)
        held = attribute(value, f"_{name}") if held is MISSING else held
        if held is not MISSING:
            parts[f".{name}"] = argument(value, name, held, describer)
        elif parameter.kind not in VARIADIC or describer.owns(cls):
            parts[f".{name}"] = not_compared(None, "the object does not keep this argument")
    return parts


def argument(value: Any, name: str, held: Any, describer: Describer) -> Tree:
    """An argument as it is; of the running process, as it was first seen if the process may have changed it since."""
    if held is MISSING:
        return not_compared(None, "the object does not keep this argument")
    if value is not describer.runs:
        return describer(held)
    assigned = describer.assigned(type(value))
    if is_fixed(held) and assigned is not None and assigned.isdisjoint((name, f"_{name}")):
        return describer(held)
    return describer.first_seen(value, name, lambda: describer(held))


def attribute(value: Any, name: str) -> Any:
    """An attribute that the object itself holds; no property and no ``__getattr__`` is ever called."""
    own = vars_of(value)
    if name in own:
        return own[name]
    slot = inspect.getattr_static(type(value), name, None)
    if isinstance(slot, types.MemberDescriptorType):
        try:
            return slot.__get__(value)
        except AttributeError:
            return MISSING
    return MISSING
