"""Values of a program's own classes that are values by nature: members of enumerations and named tuples.

They are written by the name of their class.  On reading, that class is looked up among the modules that the program has
imported already; nothing is imported and no code of the class runs because a snapshot says so.
"""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import SnapshotError, UnsavableError
from dalsegno.core.store.typed.forms import Handler, Node, Rebuild, tag

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder


def handler_of(value: Any) -> Handler | None:
    if isinstance(value, enum.Enum):
        return encode_member
    if is_named_tuple(type(value)):
        return encode_named_tuple
    return None


def is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and kind.__bases__ == (tuple,) and isinstance(getattr(kind, "_fields", None), tuple)


def lookup(name: str) -> Any:
    """The class of this name (``module:Outer.Inner``) among the imported modules, or None."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def class_name(encoder: Encoder, value: Any) -> str:
    kind = type(value)
    name = f"{kind.__module__}:{kind.__qualname__}"
    if lookup(name) is not kind:
        raise UnsavableError(
            f"{encoder.where()} is a {kind.__module__}.{kind.__qualname__}, a class that cannot be found again by that "
            "name: define it at the top level of a module, or keep a plain value"
        )
    return name


def class_from(name: str, suits: Any) -> Any:
    kind = lookup(name)
    if not isinstance(kind, type) or not suits(kind):
        module, _, path = name.partition(":")
        raise SnapshotError(f"it holds a value of class {path} of module {module}: import that module before resuming")
    return kind


def encode_member(encoder: Encoder, value: enum.Enum) -> Node:
    name = class_name(encoder, value)
    if value.name in type(value).__members__:
        return tag("enum", value.name, **{"class": name})
    return tag("flag", encoder.child("value", value.value), **{"class": name})  # several members of a Flag together


def is_enumeration(kind: type) -> bool:
    return issubclass(kind, enum.Enum)


def member_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    kind = class_from(node["class"], is_enumeration)
    member = kind.__members__.get(node["v"])
    if member is None:
        raise SnapshotError(f"it holds {kind.__qualname__}.{node['v']}, which that enumeration does not have any more")
    return member


def encode_named_tuple(encoder: Encoder, value: Any) -> Node:
    items = [encoder.child(field, item) for field, item in zip(value._fields, value, strict=True)]
    return tag("namedtuple", items, **{"class": class_name(encoder, value)}, fields=list(value._fields))


def named_tuple_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    kind = class_from(node["class"], is_named_tuple)
    if list(kind._fields) != node["fields"]:
        raise SnapshotError(
            f"it holds a {kind.__qualname__} of the fields {', '.join(node['fields'])}, and that class has now "
            f"{', '.join(kind._fields)}"
        )
    return tuple.__new__(kind, node["v"])


REBUILD: dict[str, Rebuild] = {
    "enum": member_from,
    "flag": lambda decoder, node: class_from(node["class"], is_enumeration)(node["v"]),
    "namedtuple": named_tuple_from,
}
