"""Values of the standard library: bytes, complex numbers, dates, decimals, paths and their like."""

from __future__ import annotations

import datetime
import pathlib
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store.typed.forms import (
    Handler,
    Node,
    Rebuild,
    base64,
    float_from,
    float_node,
    from_base64,
    int_node,
    tag,
    text_node,
)

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder

LARGE_BYTES = (
    1024  # from this length on, bytes are stored beside the arrays, where they take three quarters of the room
)


def bytes_node(encoder: Encoder, value: bytes | bytearray, kind: str) -> Node:
    if encoder.inline or len(value) < LARGE_BYTES or encoder.frozen:
        return tag(kind, base64(value))
    return {"$": kind, "k": encoder.key(np.frombuffer(value, dtype=np.uint8))}


def encode_bytes(encoder: Encoder, value: bytes) -> Node:
    return bytes_node(encoder, value, "bytes")


def encode_bytearray(encoder: Encoder, value: bytearray) -> Node:
    return encoder.once(value, lambda encoder, value: bytes_node(encoder, bytes(value), "bytearray"))


def bytes_from(decoder: Decoder, node: dict[str, Any]) -> bytes:
    found: bytes = decoder.arrays[node["k"]].tobytes() if "k" in node else from_base64(node["v"])
    return found


def encode_datetime(encoder: Encoder, value: datetime.datetime) -> Node:
    return moment(encoder, value, "datetime")


def encode_time(encoder: Encoder, value: datetime.time) -> Node:
    return moment(encoder, value, "time")


def moment(encoder: Encoder, value: Any, kind: str) -> Node:
    node = tag(kind, value.replace(tzinfo=None).isoformat())
    if value.fold:
        node["fold"] = 1
    if value.tzinfo is not None:
        node["zone"] = encoder.child("tzinfo", value.tzinfo)
    return node


def moment_from(kind: type[Any]) -> Rebuild:
    return lambda decoder, node: kind.fromisoformat(node["v"]).replace(
        fold=node.get("fold", 0), tzinfo=node.get("zone")
    )


def encode_timezone(encoder: Encoder, value: datetime.timezone) -> Node:
    return tag("timezone", [encoder.encode(item) for item in value.__getinitargs__()])  # type: ignore[attr-defined]


def zone_handler(value: Any) -> Handler | None:
    """Zones of the time-zone database, by their key."""
    key = getattr(value, "key", None)
    return None if key is None else lambda encoder, value: tag("ZoneInfo", key)


def zone_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(node["v"])
    except (ZoneInfoNotFoundError, ValueError):
        raise SnapshotError(
            f"it holds a date in zone {node['v']!r}, which this machine does not know: install tzdata"
        ) from None


def encode_path(encoder: Encoder, value: pathlib.PurePath) -> Node:
    kind = "Path" if isinstance(value, pathlib.Path) else type(value).__name__
    return tag(kind, text_node(str(value)))


def encode_range(encoder: Encoder, value: range) -> Node:
    return tag("range", [int_node(end) for end in (value.start, value.stop, value.step)])


def encode_slice(encoder: Encoder, value: Any) -> Node:
    ends = zip(("start", "stop", "step"), (value.start, value.stop, value.step), strict=True)
    return tag("slice", [encoder.child(name, end) for name, end in ends])


def encode_timedelta(encoder: Encoder, value: datetime.timedelta) -> Node:
    return tag("timedelta", [value.days, value.seconds, value.microseconds])


def encode_complex(encoder: Encoder, value: complex) -> Node:
    return tag("complex", [float_node(value.real), float_node(value.imag)])


HANDLERS: dict[type, Handler] = {
    bytes: encode_bytes,
    bytearray: encode_bytearray,
    complex: encode_complex,
    range: encode_range,
    slice: encode_slice,
    datetime.datetime: encode_datetime,
    datetime.time: encode_time,
    datetime.date: lambda encoder, value: tag("date", value.isoformat()),
    datetime.timedelta: encode_timedelta,
    datetime.timezone: encode_timezone,
    Decimal: lambda encoder, value: tag("Decimal", str(value)),
    Fraction: lambda encoder, value: tag("Fraction", [int_node(value.numerator), int_node(value.denominator)]),
    UUID: lambda encoder, value: tag("UUID", value.hex),
    pathlib.PosixPath: encode_path,
    pathlib.WindowsPath: encode_path,
    pathlib.PurePosixPath: encode_path,
    pathlib.PureWindowsPath: encode_path,
}

REBUILD: dict[str, Rebuild] = {
    "str": lambda decoder, node: from_base64(node["v"]).decode("utf-8", "surrogatepass"),
    "int": lambda decoder, node: int(node["v"], 16),
    "float": lambda decoder, node: float_from(node["v"]),
    "complex": lambda decoder, node: complex(*node["v"]),
    "bytes": bytes_from,
    "bytearray": lambda decoder, node: bytearray(bytes_from(decoder, node)),
    "range": lambda decoder, node: range(*node["v"]),
    "slice": lambda decoder, node: slice(*node["v"]),
    "datetime": moment_from(datetime.datetime),
    "time": moment_from(datetime.time),
    "date": lambda decoder, node: datetime.date.fromisoformat(node["v"]),
    "timedelta": lambda decoder, node: datetime.timedelta(*node["v"]),
    "timezone": lambda decoder, node: datetime.timezone(*node["v"]),
    "ZoneInfo": zone_from,
    "Decimal": lambda decoder, node: Decimal(node["v"]),
    "Fraction": lambda decoder, node: Fraction(*node["v"]),
    "UUID": lambda decoder, node: UUID(hex=node["v"]),
    "Path": lambda decoder, node: pathlib.Path(node["v"]),
    "PurePosixPath": lambda decoder, node: pathlib.PurePosixPath(node["v"]),
    "PureWindowsPath": lambda decoder, node: pathlib.PureWindowsPath(node["v"]),
}
