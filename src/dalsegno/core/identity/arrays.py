"""Descriptions of arrays, tensors, data frames, networks and random generators: by checksum of what they hold.

None of their libraries is imported here: a value can only be of a library that has been imported.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

from dalsegno.core.identity.checksum import Node, canonical, checksum, checksum_of_text
from dalsegno.core.identity.values import is_fixed, not_compared

if TYPE_CHECKING:
    from dalsegno.core.identity.describer import Describer


def numeric(value: Any, describer: Describer) -> Node | None:
    """Whatever of the above the value is; None if it is none of them."""
    if isinstance(value, random.Random):
        return generator(value, value.getstate(), describer)
    top = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    if "numpy" in top and (found := of_numpy(value, describer)) is not None:
        return found
    if "torch" in top and (found := of_torch(value, describer)) is not None:
        return found
    if "pandas" in top:
        return of_pandas(value, describer)
    return None


def of_numpy(value: Any, describer: Describer) -> Node | None:
    np = sys.modules["numpy"]
    if isinstance(value, np.memmap):
        node = not_compared(value, "a memory map is not read")
        return {**node, "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, np.ma.MaskedArray):
        parts = {".data": describer(np.asarray(value.filled(0))), ".mask": describer(np.ma.getmaskarray(value))}
        return {"is": "masked array", "parts": parts}
    if isinstance(value, np.ndarray):
        node = {"is": "array", "dtype": dtype(value.dtype), "shape": list(value.shape)}
        if value.dtype.hasobject:
            return {**node, "parts": {"": describer(value.tolist())}}
        return {**node, "checksum": checksum(np.ascontiguousarray(value).reshape(-1).view(np.uint8))}
    if isinstance(value, np.generic):
        return {"is": value.dtype.name, "value": str(value)}
    if isinstance(value, np.dtype):
        return {"is": "dtype", "value": dtype(value)}
    if isinstance(value, np.random.Generator):
        return generator(value, value.bit_generator.state, describer)
    if isinstance(value, np.random.RandomState):
        return generator(value, value.get_state(legacy=False), describer)
    if isinstance(value, np.random.SeedSequence):
        return {"is": "SeedSequence", "parts": {"": describer(value.state)}}
    if isinstance(value, np.ufunc):
        return {"is": "function", "name": f"numpy.{value.__name__}"}
    return None


def dtype(value: Any) -> str:
    """The byte order and width; of a structured one its fields."""
    return str(value.str if value.names is None else value.descr)


def of_torch(value: Any, describer: Describer) -> Node | None:
    torch = sys.modules["torch"]
    if isinstance(value, torch.Tensor):
        return tensor(value)
    if isinstance(value, torch.nn.Module):
        return network(value, describer)
    if isinstance(value, torch.Generator):
        return generator(value, value.get_state(), describer)
    if isinstance(value, (torch.dtype, torch.device, torch.Size)):
        return {"is": type(value).__name__, "value": str(value)}
    return None


def tensor(value: Any) -> Node:
    """Values, shape and type of a tensor, wherever it lies; whether it wants gradients does not count."""
    torch = sys.modules["torch"]
    if type(value) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer) or value.layout is not torch.strided:
        return not_compared(value, "a tensor of a kind of its own")
    node = {"is": "tensor", "dtype": str(value.dtype), "shape": list(value.shape)}
    if value.is_meta:
        return node
    host = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return {**node, "checksum": checksum(host.view(torch.uint8).numpy() if host.numel() else b"")}


def network(value: Any, describer: Describer) -> Node:
    """A module by class, plain settings of all its parts, and the values of its parameters and buffers."""
    settings: dict[str, Any] = {}
    for path, part in value.named_modules():
        describer.define(type(part))
        own = {key: item for key, item in vars(part).items() if key[0] != "_" and key != "training" and is_fixed(item)}
        settings[path] = {
            "is": type(part).__qualname__,
            "parts": {f".{key}": describer(own[key]) for key in sorted(own)},
        }
    summary = {"is": "settings", "length": len(settings), "checksum": checksum_of_text(canonical(settings))}
    return {
        "is": "object",
        "class": describer.name_of(type(value)),
        "parts": {".settings": summary, ".values": weights(value)},
    }


def weights(value: Any) -> Node:
    named = [*value.named_parameters(), *value.named_buffers()]
    each = {name: tensor(one) for name, one in named}
    return {
        "is": "weights",
        "tensors": len(named),
        "length": sum(int(one.numel()) for _, one in named),
        "checksum": checksum_of_text(canonical(each)),
    }


def of_pandas(value: Any, describer: Describer) -> Node | None:
    pd = sys.modules["pandas"]
    if not isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        return None
    columns = list(value.columns) if isinstance(value, pd.DataFrame) else [value.name]
    types = [str(one) for one in value.dtypes] if isinstance(value, pd.DataFrame) else [str(value.dtype)]
    hashes = pd.util.hash_pandas_object(value, index=True)
    parts = {".columns": describer(columns), ".dtypes": describer(types)}
    node = {"is": type(value).__name__, "shape": list(value.shape), "parts": parts}
    return {**node, "checksum": checksum(sys.modules["numpy"].asarray(hashes))}


def generator(value: Any, state: object, describer: Describer) -> Node:
    """A random generator by its state."""
    return {"is": type(value).__name__, "checksum": checksum_of_text(canonical(describer(state)))}
