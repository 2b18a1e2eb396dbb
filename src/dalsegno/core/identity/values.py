"""Descriptions of plain values and containers: typed, and without regard to the order of sets and dicts.

A description is a JSON-able tree. Strings, booleans, None, whole and finite numbers stand for themselves; everything
else is a node ``{"is": kind, ...}`` whose ``parts`` map the continuation of a readable path to a description.
"""

from __future__ import annotations

import array
import datetime
import enum
import fractions
import re
import types
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from pathlib import PurePath
from typing import Any
from uuid import UUID

from dalsegno.core.identity.checksum import Node, Tree, canonical, checksum, checksum_of_text

LONG_TEXT = 1000  # characters of a string; a longer one is described by its checksum
LONG_BYTES = 64
LONG_INTEGER = 1000  # bits
MANY = 100  # items of a container; more are described by one checksum
MOST_WRAPPERS = 20
NOT_COMPARED = "not compared"

SCALARS = (bool, int, float, str, type(None))
# Types whose ``repr`` says all there is, the same in every program.
SPOKEN = (
    complex, Decimal, fractions.Fraction, datetime.date, datetime.time, datetime.timedelta, datetime.timezone, range,
    slice, UUID, types.EllipsisType, types.NotImplementedType, types.GenericAlias, types.UnionType,
)  # fmt: skip

Describe = Callable[[Any], Tree]


def not_compared(value: object, why: str) -> Node:
    """The description of what cannot be compared: its type is all that counts."""
    return {"is": NOT_COMPARED, "type": type(value).__qualname__, "why": why}


def scalar(value: Any) -> Tree:
    """A value of exactly one of the five types that JSON has too."""
    kind = type(value)
    if kind is float and not isfinite(value):
        return {"is": "float", "value": repr(value)}
    if kind is int and value.bit_length() > LONG_INTEGER:
        return {"is": "int", "value": f"{value:x}"}
    if kind is str and len(value) > LONG_TEXT:
        return {"is": "str", "length": len(value), "checksum": checksum_of_text(value)}
    return value  # type: ignore[no-any-return]


def plain(value: Any) -> Node | None:
    """A value that has no parts."""
    kind = type(value)
    if isinstance(value, enum.Enum):
        return {"is": "enum", "class": kind.__qualname__, "value": value.name}
    if kind in (bytes, bytearray, memoryview):
        data = bytes(value)
        if len(data) > LONG_BYTES:
            return {"is": kind.__name__, "length": len(data), "checksum": checksum(data)}
        return {"is": kind.__name__, "value": repr(data)}
    if isinstance(value, PurePath):
        return {"is": "path", "value": str(value)}
    if isinstance(value, types.ModuleType):
        return {"is": "module", "value": value.__name__}
    if isinstance(value, re.Pattern):
        return {"is": "pattern", "value": repr(value.pattern), "flags": value.flags}
    if isinstance(value, SPOKEN) or kind.__module__ == "operator":
        return {"is": kind.__name__, "value": repr(value)}
    for base in (int, float, str):
        if isinstance(value, base):
            return {"is": "value", "class": kind.__qualname__, "value": scalar(base(value))}
    return None


def container(value: Any, describe: Describe) -> Node | None:
    """A list, tuple, set, dict or deque, also of a subclass."""
    kind = type(value)
    if isinstance(value, (list, tuple, deque)):
        node: Node = {"is": kind.__name__, "length": len(value)}
        names = getattr(kind, "_fields", None) if isinstance(value, tuple) else None
        if len(value) > MANY and (whole := checksum_of_scalars(value)) is not None:
            return {**node, "checksum": whole}
        if isinstance(value, deque):
            node["most"] = value.maxlen
        labels = [f".{name}" for name in names] if names else [f"[{place}]" for place in range(len(value))]
        return with_parts(node, dict(zip(labels, map(describe, value), strict=True)))
    if isinstance(value, (set, frozenset)):
        items = sorted((describe(item) for item in value), key=canonical)
        node = {"is": kind.__name__, "length": len(items)}
        return (
            {**node, "items": items} if len(items) <= MANY else {**node, "checksum": checksum_of_text(canonical(items))}
        )
    if isinstance(value, Mapping):
        parts = {f"[{key_text(key, describe)}]": describe(item) for key, item in value.items()}
        if (factory := getattr(value, "default_factory", None)) is not None:
            parts[".default_factory"] = describe(factory)
        return with_parts({"is": kind.__name__}, parts)
    return None


def with_parts(node: Node, parts: Mapping[str, Tree]) -> Node:
    """The node with its parts, or with a checksum of them where they are many."""
    if len(parts) <= MANY:
        return {**node, "parts": dict(parts)}
    text = canonical(parts)
    if f'"is":"{NOT_COMPARED}"' in text:
        node = {**node, "partly": True}
    return {**node, "length": len(parts), "checksum": checksum_of_text(text)}


def checksum_of_scalars(values: Any) -> str | None:
    """The checksum of many plain numbers, strings, booleans and Nones at once; None if there is anything else."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return checksum(array.array("d", values))
    if not kinds.issubset(SCALARS):
        return None
    try:
        return checksum_of_text(canonical(list(values)))
    except ValueError:  # a whole number too long for a text
        return None


def key_text(key: Any, describe: Describe) -> str:
    """A key as it is written; of one that is no plain value the description, shortened by checksum."""
    if type(key) in SCALARS and not (type(key) is int and key.bit_length() > LONG_INTEGER):
        return repr(key)
    if isinstance(key, enum.Enum):
        return f"{type(key).__qualname__}.{key.name}"
    text = canonical(describe(key))
    return text if len(text) <= 80 else checksum_of_text(text)


def is_fixed(value: Any) -> bool:
    """Whether a value can never change: what holds it may be described anew every time."""
    if isinstance(
        value, (*SCALARS, *SPOKEN, bytes, re.Pattern, enum.Enum, PurePath, type, types.ModuleType)
    ) or is_code(value):
        return True
    if isinstance(value, (tuple, frozenset)):
        return all(map(is_fixed, value))
    parameters = getattr(type(value), "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        return all(is_fixed(getattr(value, name, None)) for name in type(value).__dataclass_fields__)
    return False


def is_code(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, types.BuiltinFunctionType))


def vars_of(value: Any) -> Mapping[str, Any]:
    """The attributes that an object itself holds; no property and no ``__getattr__`` of it is called."""
    try:
        return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]
    except AttributeError:
        return {}


def innermost(value: Any) -> Any:
    """The function inside a cache, a compiled function or another callable that keeps what it wraps."""
    for _ in range(MOST_WRAPPERS):
        if isinstance(value, (type, types.FunctionType)) or "__wrapped__" not in vars_of(value):
            break
        value = vars_of(value)["__wrapped__"]
    return value
