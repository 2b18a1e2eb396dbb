"""The forms of typed JSON: what marks a value that is not plain JSON, and how a place in a state is written."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder

MARK = "$"
SAFE_INTEGER = 2**53  # beyond it, readers that know only floating-point numbers would change the value

Node = Any  # what json writes
Handler = Callable[["Encoder", Any], Node]
Rebuild = Callable[["Decoder", dict[str, Any]], Any]


def tag(kind: str, value: Node, **more: Node) -> dict[str, Node]:
    """A value that JSON has no form for."""
    return {MARK: kind, "v": value, **more}


def text_node(value: str) -> Node:
    """A string; one with lone surrogates (a file name in an unknown encoding) is no text and is kept by its bytes."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return tag("str", base64(value.encode("utf-8", "surrogatepass")))
    return value


def int_node(value: int) -> Node:
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else tag("int", hex(value))


def float_node(value: float) -> Node:
    """A float; ``inf``, ``-inf`` and ``nan`` are tagged, and a NaN other than the usual one is kept by its bits.

    >>> float_node(-0.0), float_node(float("-inf"))
    (-0.0, {'$': 'float', 'v': '-inf'})
    """
    if isfinite(value):
        return value
    bits = struct.pack(">d", value).hex()
    if value == value:
        return tag("float", repr(value))
    return tag("float", "nan" if bits == "7ff8000000000000" else bits)


def float_from(text: str) -> float:
    if text in ("nan", "inf", "-inf"):
        return float(text)
    (value,) = struct.unpack(">d", bytes.fromhex(text))
    return float(value)


def base64(value: Any) -> str:
    return b64encode(value).decode("ascii")


def from_base64(text: str) -> bytes:
    return b64decode(text, validate=True)


class Step(str):
    """A step of a path that is neither a key nor an index, and is written as it is."""

    __slots__ = ()


def written(path: list[Any]) -> str:
    """A path in a state, as it would be written in Python.

    >>> written(["optimizer", "state", 3, "foo"])
    'optimizer.state[3].foo'
    """
    return "".join(map(written_step, path)).removeprefix(".")


def written_step(step: Any) -> str:
    if isinstance(step, Step):
        return step
    if isinstance(step, str) and step.isidentifier():
        return f".{step}"
    return f"[{step!r}]"
