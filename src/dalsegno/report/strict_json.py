"""Strict JSON of anything: what JSON cannot say (NaN, infinities, arrays, objects) is written so that it stays valid."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

MANY = 1000  # arrays with more elements than this are described instead of written out


def plain(value: Any) -> Any:
    """A value as plain JSON values. NaN and infinities become the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.

    >>> plain({"loss": float("nan"), "shape": (2, 3)})
    {'loss': 'NaN', 'shape': [2, 3]}
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value)]
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    if hasattr(value, "tolist") and hasattr(value, "shape"):  # an array, a tensor or one of their scalars
        shape = [int(length) for length in value.shape]
        if math.prod(shape) > MANY:
            return {"type": type(value).__name__, "shape": shape, "dtype": str(getattr(value, "dtype", ""))}
        return plain(value.tolist())
    return str(value)


def dumps(value: Any, indent: int | None = 2) -> str:
    """Strict JSON text of anything.

    >>> dumps([float("inf"), {1, 2}], indent=None)
    '["Infinity", [1, 2]]'
    """
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
