"""Typed JSON: every value of a state as text that reads back as the same type, with arrays and tensors set apart.

Plain JSON values stand for themselves.  Everything else is ``{"$": type, "v": payload}``; a dict that has a key ``"$"``
or keys that are no strings is written as pairs.  Nothing is ever pickled; what has no form here is refused by its path.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import fractions
import json
import math
import pathlib
import random
import sys
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

from dalsegno.core.errors import SnapshotError, UnsavableError

SAFE_INTEGER = 2**53
FACTORIES: dict[str, Any] = {kind.__name__: kind for kind in (int, float, list, dict, set, str, tuple, bool)}


class Encoder:
    """Turns one state into JSON-able values; arrays and tensors go to ``arrays`` under keys of their own."""

    def __init__(self, *, inline: bool) -> None:
        self.inline = inline
        self.arrays: dict[str, Any] = {}
        self.known: dict[int, str] = {}
        self.alive: list[Any] = []  # what known is keyed by must not be freed, or its id may come again
        self.open: set[int] = set()

    def encode(self, value: Any, path: str) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return self.text(value) if kind is str else value
        if kind is int:
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else tag("int", str(value))
        if kind is float:
            return value if math.isfinite(value) else tag("float", repr(value))
        if kind in (dict, list, tuple, set, frozenset, OrderedDict, deque, defaultdict, Counter):
            return self.container(value, kind, path)
        simple = SIMPLE.get(kind)
        if simple is not None:
            return tag(simple[0], simple[1](value))
        if isinstance(value, pathlib.PurePath):
            return tag("path", [kind.__name__, str(value)])
        return self.special(value, kind, path)

    @staticmethod
    def text(value: str) -> Any:
        """A string; one with lone surrogates (a file name of unknown encoding) is kept by its bytes."""
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return tag("str", base64.b64encode(value.encode("utf-8", "surrogatepass")).decode())
        return value

    def container(self, value: Any, kind: type, path: str) -> Any:
        if id(value) in self.open:
            raise UnsavableError(f"{path} contains itself: a state must be a tree")
        self.open.add(id(value))
        try:
            if kind is dict:
                return self.mapping(value, path)
            if kind is list:
                return [self.encode(item, f"{path}[{i}]") for i, item in enumerate(value)]
            if kind in (tuple, set, frozenset):
                items = list(value) if kind is tuple else ordered(value)
                return tag(kind.__name__, [self.encode(item, f"{path}[{i}]") for i, item in enumerate(items)])
            if kind is deque:
                items = [self.encode(item, f"{path}[{i}]") for i, item in enumerate(value)]
                return tag("deque", [value.maxlen, items])
            pairs = self.pairs(value, path)
            if kind is defaultdict:
                factory = value.default_factory
                name = None if factory is None else getattr(factory, "__name__", "")
                if name is not None and FACTORIES.get(name) is not factory:
                    raise UnsavableError(
                        f"{path} is a defaultdict of {factory!r}: only {', '.join(FACTORIES)} can be saved as its default"
                    )
                return tag("defaultdict", [name, pairs])
            return tag(kind.__name__, pairs)
        finally:
            self.open.discard(id(value))

    def mapping(self, value: Mapping[Any, Any], path: str) -> Any:
        if all(type(key) is str for key in value) and "$" not in value:
            try:
                return {key: self.encode(item, f"{path}.{key}") for key, item in value.items() if key.encode() or True}
            except UnicodeEncodeError:
                pass
        return tag("dict", self.pairs(value, path))

    def pairs(self, value: Mapping[Any, Any], path: str) -> list[Any]:
        return [[self.encode(key, f"{path} key"), self.encode(item, f"{path}[{key!r}]")] for key, item in value.items()]

    def special(self, value: Any, kind: type, path: str) -> Any:
        module = kind.__module__.partition(".")[0]
        if isinstance(value, int) and module == "dalsegno":
            return int(value)  # the number of a step, kept by a user
        if module == "numpy":
            found = self.numpy(value, kind, path)
            if found is not None:
                return found
        if module == "torch":
            found = self.torch(value, kind, path)
            if found is not None:
                return found
        if kind is random.Random:
            return tag("random.Random", self.encode(value.getstate(), path))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            raise UnsavableError(
                f"{path} is a {kind.__qualname__}, a named tuple whose class a snapshot cannot name: "
                "save value._asdict() or tuple(value)"
            )
        raise UnsavableError(
            f"{path} is a {kind.__module__}.{kind.__qualname__}, which cannot be saved safely: keep its own state "
            "(numbers, strings, lists, dicts, arrays) instead, or leave it out and make it again in reset"
        )

    def numpy(self, value: Any, kind: type, path: str) -> Any:
        import numpy as np

        if isinstance(value, np.ndarray) and kind is np.ndarray:
            return self.array(value, path)
        if isinstance(value, np.generic):
            if value.dtype == object or value.dtype.names is not None:
                return None
            return tag("numpy", [value.dtype.str, base64.b64encode(value.tobytes()).decode()])
        if isinstance(value, np.dtype):
            return tag("numpy.dtype", self.encode(value.descr if value.names else value.str, path))
        if isinstance(value, np.random.Generator):
            return tag("numpy.Generator", self.encode(value.bit_generator.state, path))
        if isinstance(value, np.random.RandomState):
            return tag("numpy.RandomState", self.encode(value.get_state(legacy=False), path))
        if isinstance(value, np.random.BitGenerator):
            return tag("numpy.BitGenerator", self.encode(value.state, path))
        return None

    def array(self, value: Any, path: str) -> Any:
        import numpy as np

        if value.dtype.hasobject:
            raise UnsavableError(
                f"{path} is a numpy array of objects (dtype {value.dtype}): only plain dtypes can be saved"
            )
        native = value.dtype.str[1:] in NATIVE and value.dtype.isnative
        if self.inline or not native:
            descr = value.dtype.descr if value.dtype.names else value.dtype.str
            raw = np.ascontiguousarray(value).tobytes()
            if self.inline or len(raw) < 1024:
                data: Any = base64.b64encode(raw).decode()
                return tag("array", [self.encode(descr, path), list(value.shape), data])
            key = self.key(np.frombuffer(raw, dtype=np.uint8), path)
            return tag("array", [self.encode(descr, path), list(value.shape), {"$": "at", "v": key}])
        return tag("numpy.ndarray", [self.key(value, path), list(value.shape)])

    def key(self, value: Any, path: str) -> str:
        """The name under which an array is stored; one and the same object is stored once."""
        if id(value) in self.known:
            return self.known[id(value)]
        key = path if path not in self.arrays else f"{path}#{len(self.arrays)}"
        self.arrays[key] = value
        self.known[id(value)] = key
        self.alive.append(value)
        return key

    def torch(self, value: Any, kind: type, path: str) -> Any:
        import torch

        if isinstance(value, torch.Tensor):
            if value.layout != torch.strided or value.is_quantized or value.is_meta:
                raise UnsavableError(
                    f"{path} is a tensor of layout {value.layout}: only dense tensors with data can be saved"
                )
            parameter = kind is torch.nn.Parameter
            flat = value.detach()
            if self.inline:
                host = flat.cpu().contiguous()
                raw = bytes(host.reshape(-1).view(torch.uint8).numpy()) if host.numel() else b""
                return tag("tensor", [str(flat.dtype), list(flat.shape), base64.b64encode(raw).decode()])
            pair = flat.dtype == torch.complex128  # safetensors has no such dtype: stored as pairs of float64
            known = self.known.get(id(value))
            if known is None:
                known = self.key(torch.view_as_real(flat.resolve_conj()) if pair else flat, path)
                self.known[id(value)] = known
                self.alive.append(value)
            device = str(value.device) if value.device.type != "cpu" else None
            return tag("torch.Tensor", [known, device, parameter, pair])
        if isinstance(value, torch.Size):
            return tag("torch.Size", list(value))
        if isinstance(value, (torch.dtype, torch.device)):
            return tag(f"torch.{kind.__name__}", str(value))
        if isinstance(value, torch.Generator):
            return tag("torch.Generator", [str(value.device), self.encode(value.get_state(), path)])
        return None


NATIVE = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1")


def tag(kind: str, payload: Any) -> dict[str, Any]:
    return {"$": kind, "v": payload}


def ordered(items: Any) -> list[Any]:
    """A set's items in an order that does not depend on the program's hash seed."""
    return sorted(items, key=lambda item: (type(item).__name__, repr(item)))


SIMPLE: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bytes: ("bytes", lambda v: base64.b64encode(v).decode()),
    bytearray: ("bytearray", lambda v: base64.b64encode(bytes(v)).decode()),
    complex: ("complex", lambda v: [repr(v.real), repr(v.imag)]),
    datetime.datetime: ("datetime", lambda v: [v.isoformat(), v.fold, zone(v)]),
    datetime.date: ("date", lambda v: v.isoformat()),
    datetime.time: ("time", lambda v: [v.isoformat(), v.fold]),
    datetime.timedelta: ("timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    decimal.Decimal: ("decimal", str),
    fractions.Fraction: ("fraction", str),
    uuid.UUID: ("uuid", str),
    range: ("range", lambda v: [v.start, v.stop, v.step]),
    slice: ("slice", lambda v: [v.start, v.stop, v.step]),
}


def zone(value: datetime.datetime) -> str | None:
    """The key of a named time zone, which a fixed offset cannot stand for."""
    return getattr(value.tzinfo, "key", None)


# -- reading ----------------------------------------------------------------------------------------------------


class Decoder:
    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = arrays

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$" not in value:
            return {key: self.decode(item) for key, item in value.items()}
        kind, payload = value["$"], value["v"]
        reader = READERS.get(kind)
        if reader is None:
            raise SnapshotError(f"the state holds a value of type {kind!r}, which this dalsegno does not know")
        return reader(self, payload)

    def pairs(self, payload: Any) -> Any:
        return ((self.decode(key), self.decode(item)) for key, item in payload)

    def stored(self, key: str) -> Any:
        try:
            return self.arrays[key]
        except KeyError:
            raise SnapshotError(f"the state names the array {key!r}, which is not among its arrays") from None


def read_datetime(payload: Any) -> datetime.datetime:
    text, fold, name = payload
    found = datetime.datetime.fromisoformat(text).replace(fold=fold)
    if name is not None:
        import zoneinfo

        found = found.replace(tzinfo=zoneinfo.ZoneInfo(name))
    return found


def read_random(decoder: Decoder, payload: Any) -> random.Random:
    generator = random.Random()
    generator.setstate(decoder.decode(payload))
    return generator


def read_array(decoder: Decoder, payload: Any) -> Any:
    import numpy as np

    descr, shape, data = payload
    descr = decoder.decode(descr)
    dtype = np.dtype([tuple(field) for field in descr] if isinstance(descr, list) else descr)
    raw = bytes(decoder.stored(data["v"])) if isinstance(data, dict) else base64.b64decode(data)
    return np.frombuffer(bytearray(raw), dtype=dtype).reshape(shape) if raw else np.zeros(shape, dtype)


def read_numpy_array(decoder: Decoder, payload: Any) -> Any:
    key, shape = payload
    return decoder.stored(key).reshape(shape)


def read_scalar(payload: Any) -> Any:
    import numpy as np

    dtype, raw = payload
    return np.frombuffer(base64.b64decode(raw), dtype=dtype)[0] if np.dtype(dtype).itemsize else np.dtype(dtype).type()


def read_numpy_generator(kind: str) -> Callable[[Decoder, Any], Any]:
    def read(decoder: Decoder, payload: Any) -> Any:
        import numpy as np

        state = decoder.decode(payload)
        bits = getattr(np.random, state["bit_generator"])()
        bits.state = state
        if kind == "BitGenerator":
            return bits
        if kind == "RandomState":
            made = np.random.RandomState(bits)
            made.set_state(state)
            return made
        return np.random.Generator(bits)

    return read


def need_torch() -> Any:
    try:
        import torch
    except ImportError:
        raise SnapshotError("the state holds torch tensors and torch is not installed: pip install torch") from None
    return torch


def read_tensor(decoder: Decoder, payload: Any) -> Any:
    torch = need_torch()
    dtype, shape, data = payload
    raw = bytearray(base64.b64decode(data))
    kind = getattr(torch, dtype.removeprefix("torch."))
    if not raw:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(raw, dtype=torch.uint8).view(kind).reshape(shape)


def read_stored_tensor(decoder: Decoder, payload: Any) -> Any:
    torch = need_torch()
    key, device, parameter, pair = payload
    found = decoder.stored(key)
    if pair:
        found = torch.view_as_complex(found)
    if device is not None and (not device.startswith("cuda") or torch.cuda.is_available()):
        found = found.to(device)
    return torch.nn.Parameter(found, requires_grad=found.is_floating_point()) if parameter else found


def read_torch_generator(decoder: Decoder, payload: Any) -> Any:
    torch = need_torch()
    made = torch.Generator(device=payload[0])
    made.set_state(decoder.decode(payload[1]))
    return made


PATHS = ("PurePath", "PurePosixPath", "PureWindowsPath", "Path", "PosixPath")

READERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "int": lambda d, p: int(p),
    "float": lambda d, p: float(p),
    "str": lambda d, p: base64.b64decode(p).decode("utf-8", "surrogatepass"),
    "bytes": lambda d, p: base64.b64decode(p),
    "bytearray": lambda d, p: bytearray(base64.b64decode(p)),
    "complex": lambda d, p: complex(float(p[0]), float(p[1])),
    "tuple": lambda d, p: tuple(d.decode(item) for item in p),
    "set": lambda d, p: {d.decode(item) for item in p},
    "frozenset": lambda d, p: frozenset(d.decode(item) for item in p),
    "deque": lambda d, p: deque((d.decode(item) for item in p[1]), maxlen=p[0]),
    "dict": lambda d, p: dict(d.pairs(p)),
    "OrderedDict": lambda d, p: OrderedDict(d.pairs(p)),
    "Counter": lambda d, p: Counter(dict(d.pairs(p))),
    "defaultdict": lambda d, p: defaultdict(None if p[0] is None else FACTORIES[p[0]], d.pairs(p[1])),
    "datetime": lambda d, p: read_datetime(p),
    "date": lambda d, p: datetime.date.fromisoformat(p),
    "time": lambda d, p: datetime.time.fromisoformat(p[0]).replace(fold=p[1]),
    "timedelta": lambda d, p: datetime.timedelta(*p),
    "decimal": lambda d, p: decimal.Decimal(p),
    "fraction": lambda d, p: fractions.Fraction(p),
    "uuid": lambda d, p: uuid.UUID(p),
    "range": lambda d, p: range(*p),
    "slice": lambda d, p: slice(*p),
    "path": lambda d, p: getattr(pathlib, p[0])(p[1]) if p[0] in PATHS else pathlib.PurePath(p[1]),
    "random.Random": read_random,
    "numpy": lambda d, p: read_scalar(p),
    "numpy.dtype": lambda d, p: sys.modules["numpy"].dtype(d.decode(p)),
    "array": read_array,
    "numpy.ndarray": read_numpy_array,
    "numpy.Generator": read_numpy_generator("Generator"),
    "numpy.RandomState": read_numpy_generator("RandomState"),
    "numpy.BitGenerator": read_numpy_generator("BitGenerator"),
    "tensor": read_tensor,
    "torch.Tensor": read_stored_tensor,
    "torch.Size": lambda d, p: need_torch().Size(p),
    "torch.dtype": lambda d, p: getattr(need_torch(), p.removeprefix("torch.")),
    "torch.device": lambda d, p: need_torch().device(p),
    "torch.Generator": read_torch_generator,
}


def encode(state: object) -> tuple[str, dict[str, Any]]:
    """A state as JSON text, and its arrays and tensors by key.

    >>> text, arrays = encode({"step": 3, "seen": {1, 2}})
    >>> decode(text, arrays) == {"step": 3, "seen": {1, 2}}
    True
    """
    encoder = Encoder(inline=False)
    value = encoder.encode(state, "state")
    return json.dumps(value, allow_nan=False, separators=(",", ":")), encoder.arrays


def decode(text: str, arrays: Mapping[str, Any]) -> Any:
    """What :func:`encode` was given."""
    return Decoder(arrays).decode(json.loads(text))


def dumps(value: object) -> str:
    """The same typed JSON in one text, arrays inlined: for journal rows and the results of ``once``."""
    return json.dumps(Encoder(inline=True).encode(value, "value"), allow_nan=False, separators=(",", ":"))


def loads(text: str) -> Any:
    """What :func:`dumps` was given."""
    return Decoder({}).decode(json.loads(text))
