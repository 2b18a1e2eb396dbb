"""Containers: lists, dicts, tuples, sets, and those of ``collections``."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import UnsavableError
from dalsegno.core.store.typed.forms import MARK, SAFE_INTEGER, Handler, Node, Rebuild, Step, int_node, tag, text_node

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder

FACTORIES = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, bytearray, tuple, list, dict, set, frozenset)
}
PLAIN = {bool, int, float, str, type(None)}


def items_of(encoder: Encoder, value: Any) -> list[Node]:
    """The nodes of a sequence; one of plain values only is taken as it is, without a step for each."""
    kinds = set(map(type, value))
    if kinds <= PLAIN and all_plain(value, kinds):
        return value if type(value) is list else list(value)
    nodes, path = [], encoder.path
    for index, item in enumerate(value):  # spelled out, here and below: a frame less for every level of a deep state
        path.append(index)
        nodes.append(encoder.encode(item))
        path.pop()
    return nodes


def all_plain(value: Any, kinds: set[type]) -> bool:
    """Whether JSON has a form for every one of these numbers, strings and so on."""
    if len(kinds) > 1:
        return not kinds & {int, float, str}
    if float in kinds:
        return all(map(isfinite, value))
    if int in kinds:
        return bool(min(value) >= -SAFE_INTEGER and max(value) <= SAFE_INTEGER)
    if str in kinds:
        return isinstance(text_node("".join(value)), str) and all(isinstance(text_node(item), str) for item in value)
    return True


def members(encoder: Encoder, value: Any) -> list[Node]:
    """A set's members in an order that does not depend on the program's hash seed."""
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds <= {int, str} and all_plain(value, kinds):
        return sorted(value)
    nodes = [encoder.frozen_child(Step("{...}"), item) for item in value]
    return sorted(nodes, key=lambda node: json.dumps(node))


def pairs(encoder: Encoder, value: Mapping[Any, Any]) -> Node:
    """A JSON object where all keys are strings that may stand as its keys, else a list of pairs."""
    path = encoder.path
    plain = MARK not in value and all(type(key) is str and type(text_node(key)) is str for key in value)
    keys: dict[Any, Node] | list[Any] = {} if plain else []
    for key, item in value.items():
        key_node = key if plain else int_node(key) if type(key) is int else encoder.frozen_child(Step(".keys()"), key)
        path.append(key)
        node = encoder.encode(item)
        path.pop()
        if isinstance(keys, dict):
            keys[key] = node
        else:
            keys.append([key_node, node])
    return keys


def encode_dict(encoder: Encoder, value: dict[Any, Any]) -> Node:
    node = pairs(encoder, value)
    return node if isinstance(node, dict) else tag("dict", node)


def encode_ordered(encoder: Encoder, value: OrderedDict[Any, Any]) -> Node:
    return with_attributes(encoder, value, tag("OrderedDict", pairs(encoder, value)))


def encode_counter(encoder: Encoder, value: Counter[Any]) -> Node:
    return with_attributes(encoder, value, tag("Counter", pairs(encoder, value)))


def with_attributes(encoder: Encoder, value: Any, node: dict[str, Node]) -> Node:
    """A dict of a class that may carry attributes, as torch's state_dict carries the versions of its modules."""
    if vars(value):
        node["attributes"] = encoder.child(Step(".__dict__"), dict(vars(value)))
    return node


def encode_defaultdict(encoder: Encoder, value: defaultdict[Any, Any]) -> Node:
    factory = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and FACTORIES.get(name) is not factory:
        raise UnsavableError(
            f"{encoder.where()} is a defaultdict whose default is {factory!r}: only a built-in type "
            f"({', '.join(FACTORIES)}) can be saved as one; keep a plain dict"
        )
    return tag("defaultdict", pairs(encoder, value), factory=name)


HANDLERS: dict[type, Handler] = {
    tuple: lambda encoder, value: tag("tuple", items_of(encoder, value)),
    frozenset: lambda encoder, value: tag("frozenset", members(encoder, value)),
}
# Of containers that change it matters which of them are one and the same.
CHANGING: dict[type, Handler] = {
    list: items_of,
    dict: encode_dict,
    set: lambda encoder, value: tag("set", members(encoder, value)),
    OrderedDict: encode_ordered,
    Counter: encode_counter,
    defaultdict: encode_defaultdict,
    deque: lambda encoder, value: tag("deque", items_of(encoder, value), maxlen=value.maxlen),
}


def make_counter(decoder: Decoder, node: dict[str, Any]) -> Any:
    return attributed(Counter(dict(node["v"])), node)


def make_ordered(decoder: Decoder, node: dict[str, Any]) -> Any:
    return attributed(OrderedDict(node["v"]), node)


def attributed(made: Any, node: dict[str, Any]) -> Any:
    vars(made).update(node.get("attributes", ()))
    return made


def make_defaultdict(decoder: Decoder, node: dict[str, Any]) -> Any:
    name = node["factory"]
    return defaultdict(None if name is None else FACTORIES[name], node["v"])


REBUILD: dict[str, Rebuild] = {
    "dict": lambda decoder, node: dict(node["v"]),
    "tuple": lambda decoder, node: tuple(node["v"]),
    "set": lambda decoder, node: set(node["v"]),
    "frozenset": lambda decoder, node: frozenset(node["v"]),
    "deque": lambda decoder, node: deque(node["v"], node["maxlen"]),
    "OrderedDict": make_ordered,
    "Counter": make_counter,
    "defaultdict": make_defaultdict,
}
