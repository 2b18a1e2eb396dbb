"""The decoder: reads typed JSON and makes the state again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store.layouts import Layout, empty
from dalsegno.core.store.typed import savable, shared_memory
from dalsegno.core.store.typed.forms import MARK, from_base64


class Decoder:
    """Decodes one state, taking over the arrays it is handed by key."""

    def __init__(self, arrays: Mapping[str, Any], device: str | None = None) -> None:
        self.arrays, self.device = arrays, device
        self.numbered: dict[int, Any] = {}
        self.views = shared_memory.Views()

    def state(self, text: str) -> Any:
        try:
            return json.loads(text, object_hook=self.made, parse_constant=refuse_constant)
        except SnapshotError:
            raise
        except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError) as error:
            raise SnapshotError(f"its typed JSON cannot be read ({type(error).__name__}: {error})") from error

    def made(self, node: dict[str, Any]) -> Any:
        """The value of an object of the text; the parser has made what is inside it already."""
        if MARK not in node:
            return node
        kind = node[MARK]
        rebuild = savable.REBUILD.get(kind)
        if rebuild is not None:
            return rebuild(self, node)
        if kind == "shared":
            self.numbered[node["n"]] = node["v"]
            return node["v"]
        if kind == "again":
            return self.numbered[node["n"]]
        raise SnapshotError(f"it holds a value of type {kind!r}, which this version of dalsegno does not know")

    def array(self, node: dict[str, Any]) -> Any:
        """The array or tensor of a node: what was set aside under its key, or the contents that stand in the text."""
        if "layout" in node:
            library, dtype, shape, axes = node["layout"]
            array, memory = empty(Layout(library, dtype, tuple(shape), None if axes is None else tuple(axes)))
            memory[...] = np.frombuffer(from_base64(node["v"]), dtype=np.uint8)
            return array
        key = node["k"]
        if key not in self.arrays:
            raise SnapshotError(f"its text names an array {key!r}, which is not stored with it")
        return self.views.of(key, self.arrays[key], node.get("view"))


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")
