"""Layouts: how an array or tensor lies in memory, and the same memory as plain bytes, for both libraries."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dalsegno.core.errors import SnapshotError

Library = Literal["numpy", "torch"]

# Names of the safetensors format; a dtype that is not among them is stored as its bytes (U8) and named beside them.
NUMPY_NAMES = {
    "f8": "F64",
    "f4": "F32",
    "f2": "F16",
    "i8": "I64",
    "i4": "I32",
    "i2": "I16",
    "i1": "I8",
    "u8": "U64",
    "u4": "U32",
    "u2": "U16",
    "u1": "U8",
    "b1": "BOOL",
    "c8": "C64",
}
TORCH_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
}
TORCH_DTYPES = {name: dtype for dtype, name in TORCH_NAMES.items()}
NUMPY_DTYPES = {name: dtype for dtype, name in NUMPY_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Layout:
    """Library, dtype, shape and order of axes of an array whose elements lie densely in memory.

    ``dtype`` is torch's name (``"bfloat16"``) or numpy's description (``"<f8"``, or a list for a structured one);
    ``axes`` are the axes from the slowest to the fastest, None for C order.
    """

    library: Library
    dtype: Any
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None

    @property
    def name(self) -> str | None:
        """The dtype's name in a safetensors file; None where the format has none."""
        if self.library == "torch":
            return TORCH_NAMES.get(self.dtype)
        if not isinstance(self.dtype, str) or self.dtype[0] not in ("|", NATIVE_ORDER):
            return None
        return NUMPY_NAMES.get(self.dtype[1:])

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape in the order of memory."""
        return self.shape if self.axes is None else tuple(self.shape[axis] for axis in self.axes)


NATIVE_ORDER = "<" if sys.byteorder == "little" else ">"


def is_tensor(array: Any) -> bool:
    """Whether this is torch's and not numpy's."""
    return not isinstance(array, np.ndarray)


def need_torch() -> Any:
    """The torch module; a snapshot that holds tensors cannot be read without it."""
    try:
        import torch
    except ImportError:
        raise SnapshotError("it holds torch tensors and torch is not installed: pip install torch") from None
    return torch


def layout_of(array: Any) -> Layout:
    """The layout under which an array or tensor is stored; one with gaps in memory is stored in C order."""
    if is_tensor(array):
        return Layout("torch", str(array.dtype).removeprefix("torch."), tuple(array.shape), axes_of(array))
    return Layout("numpy", describe_dtype(array.dtype), array.shape, axes_of(array))


def axes_of(array: Any) -> tuple[int, ...] | None:
    """The order of the axes in memory, if it is not C order and there are no gaps (Fortran order, channels last)."""
    tensor = is_tensor(array)
    if array.is_contiguous() if tensor else array.flags.c_contiguous:
        return None
    strides: Sequence[int] = array.stride() if tensor else array.strides
    order = tuple(sorted(range(len(strides)), key=lambda axis: (-strides[axis], axis)))
    permuted = array.permute(order) if tensor else array.transpose(order)
    return order if (permuted.is_contiguous() if tensor else permuted.flags.c_contiguous) else None


def describe_dtype(dtype: np.dtype[Any]) -> Any:
    """A dtype as JSON values."""
    return as_lists(np.lib.format.dtype_to_descr(dtype))


def dtype_from(description: Any) -> np.dtype[Any]:
    """The dtype that :func:`describe_dtype` described."""
    return np.lib.format.descr_to_dtype(as_tuples(description))


def as_lists(description: Any) -> Any:
    return [as_lists(item) for item in description] if isinstance(description, (list, tuple)) else description


def as_tuples(description: Any) -> Any:
    """JSON has no tuples, and numpy describes a field by one: (name, dtype) or (name, dtype, shape)."""
    if isinstance(description, str):
        return description
    return [(as_title(field[0]), as_tuples(field[1]), *map(tuple, field[2:])) for field in description]


def as_title(name: Any) -> Any:
    return tuple(name) if isinstance(name, list) else name


def flat_bytes(array: Any, layout: Layout) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The elements as bytes, in the order of memory: a view where they lie densely on the host, else a copy."""
    if layout.library == "torch":
        import torch

        array = array.detach().resolve_conj().resolve_neg()
        if layout.axes is not None:
            array = array.permute(layout.axes)
        if array.device.type != "cpu":
            array = array.cpu()
        if array.numel() == 0:
            return np.empty(0, dtype=np.uint8)
        flat = array.contiguous().as_strided((array.numel(),), (1,))  # an axis of length 1 may have any stride
        found: np.ndarray[Any, np.dtype[np.uint8]] = flat.view(torch.uint8).numpy()
        return found
    if layout.axes is not None:
        array = array.transpose(layout.axes)
    if array.nbytes == 0:
        return np.empty(0, dtype=np.uint8)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def empty(layout: Layout) -> tuple[Any, np.ndarray[Any, np.dtype[np.uint8]]]:
    """A new array of this layout that owns its memory, and that memory as bytes to be filled."""
    if layout.library == "torch":
        torch = need_torch()
        dtype = getattr(torch, layout.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise SnapshotError(
                f"it holds a tensor of dtype {layout.dtype}, which torch {torch.__version__} does not have"
            )
        array = torch.empty(layout.stored_shape, dtype=dtype)
        if layout.axes is not None:
            array = array.permute(inverse(layout.axes))
        return array, flat_bytes(array, layout)
    dtype = dtype_from(layout.dtype)
    if dtype.hasobject:
        raise SnapshotError(f"it holds an array of dtype {dtype}, which is never saved")
    if layout.axes is not None and layout.axes == tuple(reversed(range(len(layout.shape)))):
        array = np.empty(layout.shape, dtype=dtype, order="F")
    else:
        array = np.empty(layout.stored_shape, dtype=dtype)
        if layout.axes is not None:
            array = array.transpose(inverse(layout.axes))
    return array, flat_bytes(array, layout)


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def own_copy(array: Any) -> Any:
    """A copy on the host that owns its memory and lies as the original does where that is dense."""
    if isinstance(array, np.generic):  # what numpy gives for the index of a single element
        return array
    layout = layout_of(array)
    copied, memory = empty(layout)
    memory[...] = flat_bytes(array, layout)
    return copied
