"""The encoder: walks a state and writes it as typed JSON, with arrays and tensors set aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dalsegno.core.errors import UnsavableError
from dalsegno.core.store.layouts import flat_bytes, layout_of
from dalsegno.core.store.typed import savable, shared_memory
from dalsegno.core.store.typed.forms import (
    MARK,
    Node,
    base64,
    float_node,
    int_node,
    tag,
    text_node,
    written,
)

MAX_DEPTH = 150  # what is nested deeper could be written and not be read again within Python's limit
ADVICE = (
    "keep its own state (numbers, strings, lists, dicts, arrays, tensors) instead, or leave it out and make it again "
    "in reset"
)


class Encoder:
    """Encodes one state. ``arrays`` collects what is set aside, by path; ``inline`` keeps it within the text."""

    def __init__(self, *, inline: bool) -> None:
        self.inline = inline
        self.arrays: dict[str, Any] = {}
        self.path: list[Any] = []
        self.frozen = 0  # above 0 within keys and members of sets, where only values belong
        self.seen: dict[int, tuple[Any, Node]] = {}  # by id; the object is held, so that its id stays its own
        self.open: dict[int, int] = {}  # the containers around the value at hand, by id: the length of their paths
        self.shared: dict[int, int] = {}  # the number of a node that occurs again, by the node's id
        self.members: list[shared_memory.Member] = []

    def text(self, state: object) -> str:
        try:
            tree = self.encode(state)
            shared_memory.join(self.members, self.arrays)
            if self.shared:
                tree = self.numbered(tree)
            return json.dumps(tree, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        except RecursionError:
            raise self.too_deep() from None

    def encode(self, value: Any) -> Node:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return text_node(value)
        if kind is int:
            return int_node(value)
        if kind is float:
            return float_node(value)
        changing = savable.CHANGING.get(kind)
        if changing is not None:
            return self.once(value, changing)
        handler = savable.HANDLERS.get(kind) or savable.handler_of(kind, value)
        if handler is None:
            raise self.refusal(value, "which cannot be saved safely", ADVICE)
        return handler(self, value)

    def child(self, step: Any, value: Any) -> Node:
        """A value one step further down the path: a key, an index."""
        self.path.append(step)
        node = self.encode(value)
        self.path.pop()
        return node

    def frozen_child(self, step: Any, value: Any) -> Node:
        """A key or a member of a set: a value, never something that changes."""
        self.frozen += 1
        node = self.child(step, value)
        self.frozen -= 1
        return node

    def once(self, value: Any, make: Callable[[Encoder, Any], Node]) -> Node:
        """The node of an object that changes: made at its first place, referred to at others, refused within itself."""
        here = id(value)
        if here in self.seen:
            number = self.shared.setdefault(id(self.seen[here][1]), len(self.shared))
            return {MARK: "again", "n": number}
        if self.frozen:
            raise self.refusal(
                value, "which is no value to be a key or the member of a set", "use a number or a string there"
            )
        if here in self.open:
            around = written(self.path[: self.open[here]])
            raise UnsavableError(
                f"{self.where()} is {around or 'the state'} again, so that it contains itself: leave it out "
                "and put it back in load_state_dict"
            )
        if len(self.path) > MAX_DEPTH:
            raise self.too_deep()
        self.open[here] = len(self.path)
        node = make(self, value)
        del self.open[here]
        self.seen[here] = (value, node)
        return node

    def numbered(self, node: Node) -> Node:
        """The tree again, with a number on each node that occurs more than once."""
        if isinstance(node, dict):
            found: Node = {}
            for key, child in node.items():
                found[key] = self.numbered(child)
        elif isinstance(node, list):
            found = []
            for child in node:
                found.append(self.numbered(child))
        else:
            return node
        number = self.shared.get(id(node))
        return found if number is None else tag("shared", found, n=number)

    def array(self, value: Any, node: dict[str, Node]) -> Node:
        """Complete the node of an array or tensor: with its key, or its contents where they stay in the text."""
        if self.inline:
            layout = layout_of(value)
            axes = None if layout.axes is None else list(layout.axes)
            node["layout"] = [layout.library, layout.dtype, list(layout.shape), axes]
            node["v"] = base64(flat_bytes(value, layout))
            return node
        node["k"] = self.key(value)
        self.members.append(shared_memory.Member(value, node))
        return node

    def key(self, value: Any) -> str:
        """Set an array aside under its path; where that is taken, with a number."""
        path = key = self.where()
        number = 2
        while key in self.arrays or key == "__metadata__":  # that name is not ours in a safetensors file
            key, number = f"{path}#{number}", number + 1
        self.arrays[key] = value
        return key

    def where(self) -> str:
        return written(self.path) or "state"

    def refusal(self, value: Any, what: str, instead: str) -> UnsavableError:
        kind = type(value)
        return UnsavableError(f"{self.where()} is a {kind.__module__}.{kind.__qualname__}, {what}: {instead}")

    def too_deep(self) -> UnsavableError:
        return UnsavableError(
            f"{written(self.path[:8])}... is nested deeper than {MAX_DEPTH} levels: keep it as flat lists with indices"
        )
