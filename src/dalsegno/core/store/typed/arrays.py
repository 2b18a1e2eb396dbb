"""NumPy: arrays of every dtype but object, scalars, and dtypes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dalsegno.core.errors import UnsavableError
from dalsegno.core.store.layouts import describe_dtype, dtype_from
from dalsegno.core.store.typed.forms import MARK, Handler, Node, Rebuild, base64, from_base64, tag, text_node

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder


def encode_array(encoder: Encoder, value: np.ndarray[Any, Any]) -> Node:
    return encoder.once(value, array_node)


def array_node(encoder: Encoder, value: np.ndarray[Any, Any]) -> Node:
    if value.dtype.kind == "T":
        return strings_node(encoder, value)
    dtype_description(encoder, value.dtype)
    return encoder.array(value, {MARK: "array"})


def strings_node(encoder: Encoder, value: np.ndarray[Any, Any]) -> Node:
    """An array of strings of any length: numpy keeps them outside the array, so they are written one by one."""
    if value.dtype != np.dtypes.StringDType():
        raise UnsavableError(
            f"{encoder.where()} is an array of dtype {value.dtype!r}: only the plain StringDType() can be saved; "
            "fill what is missing and use astype(numpy.dtypes.StringDType())"
        )
    return tag("strings", [text_node(item) for item in value.ravel().tolist()], shape=list(value.shape))


def dtype_description(encoder: Encoder, dtype: np.dtype[Any]) -> Node:
    """A dtype as JSON; refused where its description does not give it back."""
    if dtype.hasobject:
        raise UnsavableError(
            f"{encoder.where()} has dtype {dtype} and holds Python objects: keep a list of them, or an array of numbers"
        )
    description = faithful(dtype)
    if description is None:
        raise UnsavableError(
            f"{encoder.where()} has dtype {dtype!r}, which numpy cannot describe: use a dtype of numpy's own"
        )
    return description


@lru_cache(maxsize=256)
def faithful(dtype: np.dtype[Any]) -> Any:
    """The description of a dtype, or None if that does not give it back (dtypes of other packages)."""
    try:
        description = describe_dtype(dtype)
        return description if dtype_from(description) == dtype else None
    except (ValueError, TypeError):
        return None


def encode_scalar(encoder: Encoder, value: Any) -> Node:
    if isinstance(value, np.str_):
        return tag("numpy.str", text_node(str(value)))
    if isinstance(value, np.bytes_):
        return tag("numpy.bytes", base64(bytes(value)))
    description = dtype_description(encoder, value.dtype)
    if value.dtype.kind in "iub" and abs(int(value)) <= 2**53:
        return tag("numpy", value.item(), dtype=description)
    if value.dtype.kind == "f" and value.dtype.itemsize <= 8 and np.isfinite(value):
        return tag("numpy", value.item(), dtype=description)
    return tag("numpy", base64(np.asarray(value).tobytes()), dtype=description)


def scalar_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    dtype, value = dtype_from(node["dtype"]), node["v"]
    if isinstance(value, str):
        found = np.frombuffer(from_base64(value), dtype=dtype)
        return found.copy()[0]
    return dtype.type(value)


def encode_dtype(encoder: Encoder, value: np.dtype[Any]) -> Node:
    if value.kind == "T" and value == np.dtypes.StringDType():
        return tag("numpy.dtype", "StringDType")
    return tag("numpy.dtype", dtype_description(encoder, value))


def dtype_made(decoder: Decoder, node: dict[str, Any]) -> Any:
    return np.dtypes.StringDType() if node["v"] == "StringDType" else dtype_from(node["v"])


def strings_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    return np.array(node["v"], dtype=np.dtypes.StringDType()).reshape(node["shape"]).copy()


def handler_of(value: Any) -> Handler | None:
    """Scalars and dtypes are of many classes each. Subclasses of arrays (masked, matrix, memory-mapped) are refused."""
    if isinstance(value, np.generic):
        return encode_scalar
    return encode_dtype if isinstance(value, np.dtype) else None


HANDLERS: dict[type, Handler] = {np.ndarray: encode_array}
REBUILD: dict[str, Rebuild] = {
    "array": lambda decoder, node: decoder.array(node),
    "strings": strings_from,
    "numpy": scalar_from,
    "numpy.str": lambda decoder, node: np.str_(node["v"]),
    "numpy.bytes": lambda decoder, node: np.bytes_(from_base64(node["v"])),
    "numpy.dtype": dtype_made,
}
