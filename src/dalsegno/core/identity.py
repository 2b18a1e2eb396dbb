"""What a run *is*: a description of its process and rules that can be compared from program to program.

Functions and classes are compared by their syntax trees (comments, docstrings and line numbers do not count), with the
functions and classes of the same module that they name; where source is not to be had, by code object within one
Python minor version.  Arguments are compared as typed values, arrays by checksum.  Constants of a module are not watched.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import inspect
import linecache
import sys
import textwrap
import types
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

LONG = 200  # characters of an inline value; longer ones are compared by checksum
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def checksum(data: bytes) -> str:
    import xxhash

    return str(xxhash.xxh3_128(data).hexdigest())


def digest(value: object) -> str:
    """A checksum of any describable value: for the inputs of a costly call.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    import json

    return checksum(json.dumps(Describer().describe(value, "inputs"), sort_keys=True).encode())


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing in which two identities differ; ``kind`` is ``limit`` for a limit that may be moved, else ``change``."""

    name: str
    old: str
    new: str
    kind: str = "change"


class Describer:
    """Walks values into plain trees, noting what cannot be compared."""

    def __init__(self) -> None:
        self.not_compared: list[str] = []
        self.open: set[int] = set()
        self.home: str | None = None

    def describe(self, value: Any, name: str) -> Any:
        if value is None or type(value) in (bool, str):
            return (
                value
                if not isinstance(value, str) or len(value) <= LONG
                else {"text": checksum(value.encode("utf-8", "replace"))}
            )
        kind = type(value)
        if kind in (int, float, complex):
            return {kind.__name__: repr(value)}
        if id(value) in self.open:
            return {"again": kind.__qualname__}
        self.open.add(id(value))
        try:
            return self.compound(value, kind, name)
        except Exception as error:  # a strange object must never stop a run from being opened
            self.not_compared.append(f"{name} ({kind.__qualname__}: {type(error).__name__})")
            return {"not compared": kind.__qualname__}
        finally:
            self.open.discard(id(value))

    def compound(self, value: Any, kind: type, name: str) -> Any:
        if kind in (bytes, bytearray):
            return {kind.__name__: checksum(bytes(value))}
        if kind is tuple and value and all(type(i) is tuple and len(i) == 2 and type(i[0]) is str for i in value):
            return {"pairs": {key: self.describe(item, f"{name}.{key}") for key, item in value}}
        if kind in (list, tuple):
            return {kind.__name__: [self.describe(item, f"{name}[{i}]") for i, item in enumerate(value)]}
        if kind in (set, frozenset):
            return {kind.__name__: sorted(repr(self.describe(item, name)) for item in value)}
        if isinstance(value, Mapping) and kind.__module__ in ("builtins", "collections"):
            return {kind.__name__: {str(key): self.describe(item, f"{name}[{key!r}]") for key, item in value.items()}}
        if isinstance(value, enum.Enum):
            return {"enum": f"{kind.__qualname__}.{value.name}"}
        if isinstance(value, (PurePath, range, slice)):
            return {kind.__name__: str(value)}
        if isinstance(value, types.ModuleType):
            return {"module": value.__name__}
        if isinstance(value, type):
            return self.cls(value, name)
        if isinstance(value, (types.FunctionType, types.LambdaType)):
            return self.function(value, name)
        if isinstance(value, types.MethodType):
            return {
                "method": value.__name__,
                "of": self.describe(value.__self__, f"{name}.__self__"),
                **self.function(value.__func__, name),
            }
        if isinstance(value, (types.BuiltinFunctionType, types.BuiltinMethodType)):
            return {"builtin": f"{value.__module__}.{value.__qualname__}"}
        if isinstance(value, functools.partial):
            given = {"args": list(value.args), "keywords": dict(value.keywords)}
            return {"partial": self.describe(value.func, f"{name}"), "given": self.describe(given, name)}
        return self.instance(value, kind, name)

    def instance(self, value: Any, kind: type, name: str) -> Any:
        module = kind.__module__.partition(".")[0]
        if module == "numpy" and hasattr(value, "tobytes"):
            return {"array": [str(value.dtype), list(value.shape), checksum(value.tobytes())]}
        if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
            return self.tensor(value)
        if "torch" in sys.modules and isinstance(value, sys.modules["torch"].nn.Module):
            weights = {key: self.tensor(item) for key, item in value.state_dict().items()}
            return {"module": qualified(kind), "weights": weights}
        if dataclasses.is_dataclass(value):
            fields = {
                field.name: self.describe(getattr(value, field.name), f"{name}.{field.name}")
                for field in dataclasses.fields(value)
                if field.compare
            }
            own: dict[str, Any] = {"dataclass": qualified(kind), "fields": fields}
            if getattr(kind, "limits", False):
                own["limits"] = True
            if module not in ("dalsegno", "builtins"):
                own["code"] = self.cls(kind, qualified(kind))
            return own
        described = {
            "instance": qualified(kind),
            "code": self.cls(kind, qualified(kind)) if module != "dalsegno" else None,
        }
        described["arguments"] = self.arguments(value, kind, name)
        return described

    @staticmethod
    def tensor(value: Any) -> Any:
        torch = sys.modules["torch"]
        host = value.detach().cpu().contiguous()
        raw = bytes(host.reshape(-1).view(torch.uint8).numpy()) if host.numel() else b""
        return {"tensor": [str(value.dtype), list(value.shape), checksum(raw)]}

    def arguments(self, value: Any, kind: type, name: str) -> dict[str, Any]:
        """The arguments of the constructor that the object still shows as attributes of the same name."""
        if kind.__init__ is object.__init__:  # type: ignore[misc]
            return {}
        try:
            parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
        except (TypeError, ValueError):
            parameters = []
        found = {}
        for parameter in parameters:
            for attribute in (parameter.name, f"_{parameter.name}"):
                if attribute in getattr(value, "__dict__", {}):
                    found[parameter.name] = self.describe(getattr(value, attribute), f"{name}.{parameter.name}")
                    break
            else:
                if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                    continue
                self.not_compared.append(f"{name}.{parameter.name} (an argument that the object does not keep)")
        return found

    # -- code ---------------------------------------------------------------------------------------------------

    def cls(self, kind: type, name: str) -> Any:
        module = kind.__module__.partition(".")[0]
        if module in sys.stdlib_module_names or module in ("dalsegno", "numpy", "torch", "builtins"):
            return {"class": f"{kind.__module__}.{kind.__qualname__}"}
        if kind in SEEN_CLASSES:
            return SEEN_CLASSES[kind]
        bases = [self.cls(base, qualified(base)) for base in kind.__bases__ if base is not object]
        tree = syntax_of(kind)
        if tree is None:
            code = {key: self.code(item) for key, item in vars(kind).items() if isinstance(item, types.FunctionType)}
            own: dict[str, Any] = {"class": kind.__qualname__, "python": VERSION, "methods": code, "bases": bases}
        else:
            names = names_in(tree)
            own = {"class": kind.__qualname__, "syntax": ast.unparse(tree), "bases": bases}
            own["uses"] = self.uses(names, sys.modules.get(kind.__module__), kind.__qualname__)
        SEEN_CLASSES[kind] = own
        return own

    def function(self, function: Any, name: str) -> dict[str, Any]:
        own: dict[str, Any] = {"function": function.__qualname__}
        tree = None if function.__name__ == "<lambda>" else syntax_of(function)
        if tree is None:
            own.update(python=VERSION, code=self.code(function))
            names: set[str] = set(function.__code__.co_names)
        else:
            own["syntax"] = ast.unparse(tree)
            names = names_in(tree)
        if function.__defaults__:
            own["defaults"] = self.describe(list(function.__defaults__), f"{name} defaults")
        if function.__kwdefaults__:
            own["keyword defaults"] = self.describe(dict(function.__kwdefaults__), f"{name} defaults")
        cells = {}
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                cells[free] = self.describe(cell.cell_contents, f"{name}.{free}")
            except ValueError:
                cells[free] = {"empty": True}
        if cells:
            own["closure"] = cells
        own["uses"] = self.uses(
            names, sys.modules.get(function.__module__), function.__qualname__, function.__globals__
        )
        return own

    def uses(
        self, names: set[str], module: types.ModuleType | None, own: str, namespace: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The functions and classes of the same module that code names: a change in them is a change of the run."""
        scope = namespace if namespace is not None else vars(module) if module is not None else {}
        found = {}
        for used in sorted(names):
            value = scope.get(used)
            if not isinstance(value, (types.FunctionType, type)) or value.__qualname__ == own or id(value) in self.open:
                continue
            here = scope.get("__name__")
            if value.__module__ == here and here is not None and here.partition(".")[0] != "dalsegno":
                found[used] = self.describe(value, used)
        return found

    def code(self, function: Any) -> dict[str, Any]:
        """A function without source: its instructions, names and constants."""
        return self.code_object(function.__code__)

    def code_object(self, code: types.CodeType) -> dict[str, Any]:
        constants = [
            self.code_object(one) if isinstance(one, types.CodeType) else repr(one)
            for one in code.co_consts
            if not (isinstance(one, str) and one == code.co_qualname)
        ]
        return {"instructions": checksum(code.co_code), "names": list(code.co_names), "constants": constants}


SEEN_CLASSES: dict[type, Any] = {}


def qualified(kind: type) -> str:
    """A class's name without its module, which differs between a script and an import of it."""
    return kind.__qualname__


def names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def syntax_of(what: Any) -> ast.AST | None:
    """The syntax tree of a function or class without docstrings and decorators' line numbers; None without source."""
    try:
        file = inspect.getsourcefile(what)
        if file is not None:
            linecache.checkcache(file)
        source = textwrap.dedent(inspect.getsource(what))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return None
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:] or [ast.Pass()]
    return tree.body[0]


# -- whole runs -------------------------------------------------------------------------------------------------


def identify(
    *,
    process: object,
    rules: Sequence[object],
    checkpoint: object = None,
    budget: object = None,
    arguments: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The identity of a run: its process or function, its rules in order, and its arguments, as plain values."""
    SEEN_CLASSES.clear()
    describer = Describer()
    tree: dict[str, Any] = {"process": describer.describe(process, "process")}
    tree["rules"] = [describer.describe(rule, f"rules[{place}]") for place, rule in enumerate(rules)]
    tree["checkpoint"] = describer.describe(checkpoint, "checkpoint")
    limits = getattr(budget, "limits", None)
    tree["budget"] = (
        None if limits is None else {"limits": True, "fields": {k: {"float": repr(v)} for k, v in limits.items()}}
    )
    tree["arguments"] = describer.describe(dict(arguments or {}), "arguments")
    tree["not compared"] = sorted(set(describer.not_compared))
    return tree


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Everything in which two identities differ, by readable names."""
    found: list[Difference] = []
    names = {
        "process": "process",
        "rules": "rules",
        "checkpoint": "checkpoint",
        "budget": "budget",
        "arguments": "arguments",
    }
    for key, name in names.items():
        walk(old.get(key), new.get(key), name, False, found)
    return found


def walk(old: Any, new: Any, name: str, limit: bool, found: list[Difference]) -> None:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        if "python" in old and "python" in new and old["python"] != new["python"]:
            return  # code objects of two Python versions cannot be compared
        limit = limit or bool(old.get("limits") and new.get("limits"))
        if old.keys() != new.keys() or scalar(old) or scalar(new):
            found.append(
                Difference(
                    name, short(old), short(new), "limit" if limit and numeric(old) and numeric(new) else "change"
                )
            )
            return
        for key in old:
            if key in ("syntax", "code") and isinstance(old[key], str) and old[key] != new[key]:
                before, after = first_lines(old[key], new[key])
                found.append(Difference(name_of(old, name), before, after))
            else:
                walk(old[key], new[key], joined(name, key), limit, found)
        return
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            found.append(Difference(name, f"{len(old)} of them", f"{len(new)} of them"))
            return
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            walk(before, after, f"{name}[{place}]", limit, found)
        return
    found.append(Difference(name, short(old), short(new)))


def scalar(tree: Mapping[str, Any]) -> bool:
    return len(tree) == 1 and next(iter(tree)) in (
        "int",
        "float",
        "complex",
        "array",
        "tensor",
        "enum",
        "text",
        "bytes",
    )


def numeric(tree: Any) -> bool:
    return isinstance(tree, dict) and len(tree) == 1 and next(iter(tree)) in ("int", "float")


HIDDEN = (
    "fields",
    "arguments",
    "list",
    "tuple",
    "dict",
    "instance",
    "dataclass",
    "uses",
    "code",
    "closure",
    "given",
    "partial",
    "pairs",
    "units",
)


def joined(name: str, key: str) -> str:
    return name if key in HIDDEN else f"{name}.{key}"


def name_of(tree: Mapping[str, Any], name: str) -> str:
    """What a changed piece of code is called."""
    return str(tree.get("function") or tree.get("class") or name)


def short(tree: Any) -> str:
    if isinstance(tree, dict) and len(tree) == 1:
        ((kind, value),) = tree.items()
        if kind in ("int", "float", "complex"):
            return str(value)
    if isinstance(tree, dict):
        for key in ("dataclass", "instance", "function", "class"):
            if key in tree:
                return str(tree[key])
    text = repr(tree)
    return text if len(text) <= 80 else text[:77] + "..."


def first_lines(old: str, new: str) -> tuple[str, str]:
    """The first lines in which two pieces of code differ."""
    before, after = old.splitlines(), new.splitlines()
    for place in range(max(len(before), len(after))):
        mine = before[place].strip() if place < len(before) else "(nothing)"
        theirs = after[place].strip() if place < len(after) else "(nothing)"
        if mine != theirs:
            return mine, theirs
    return old, new


def explain(found: Sequence[Difference]) -> str:
    """The text of a refusal: what differs, with both values, and what can be done."""
    lines = [f"\n  {one.name}: it was {one.old}, now it is {one.new}" for one in found]
    names = ", ".join(repr(one.name) for one in found)
    if all(one.kind == "limit" for one in found):
        advice = "the run has ended under the old limit: extend=True goes on under the new one"
    else:
        advice = f"accept=[{names}] goes on in spite of it (approximately), fresh=True begins anew under the same name"
    return f"{''.join(lines)}\n{advice}"
