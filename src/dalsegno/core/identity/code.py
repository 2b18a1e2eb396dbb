"""Descriptions of functions and classes: by syntax tree where source is to be had, else by code object.

Own code is read; the standard library, installed packages other than the process's own, and this library are named
only, so that an upgrade of theirs is no change of a run.  Functions and classes of the same module that own code
names are *definitions*: they are read too, and theirs in turn.  What it takes from other modules, and a module's
constants, are not watched.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dalsegno.core.identity import source
from dalsegno.core.identity.bytecode import PYTHON, code_checksum, global_names
from dalsegno.core.identity.checksum import Node, Tree
from dalsegno.core.identity.values import innermost, is_fixed, not_compared

if TYPE_CHECKING:
    from dalsegno.core.identity.describer import Describer

LIBRARY = __name__.partition(".")[0]
STANDARD = os.path.dirname(os.__file__) + os.sep
INSTALLED = {"site-packages", "dist-packages"}
CONSTRUCTORS = {"__init__", "__new__", "__post_init__"}


def is_own(module: str, filename: str, package: str | None) -> bool:
    """Whether code is the user's own, so that a change in it is a change of the run."""
    top = module.partition(".")[0]
    if top == LIBRARY:
        return False
    if top in ("__main__", package):
        return True
    return INSTALLED.isdisjoint(filename.split(os.sep)) and not filename.startswith((STANDARD, "<frozen "))


def public_name(module: str, qualname: str, own: bool) -> str:
    """How code is called: own code without its module, which differs between a script and an import of it."""
    top = module.partition(".")[0]
    return qualname if own or top in (LIBRARY, "builtins", "__main__") else f"{top}.{qualname}"


# -- functions ----------------------------------------------------------------------------------------------------


def function(value: types.FunctionType, describer: Describer) -> Node:
    """A function by its code, and the values of its defaults and closure; of a decorated one the function inside."""
    inside = getattr(value, "__wrapped__", None)
    if isinstance(inside, types.FunctionType):
        node = function(inside, describer)
        wrapper = bare(value, describer, without=inside)
        return {**node, "parts": {**node["parts"], ".wrapper": wrapper}}
    return bare(value, describer)


def bare(value: types.FunctionType, describer: Describer, without: object = None) -> Node:
    module = str(value.__globals__.get("__name__", ""))
    code = value.__code__
    own = is_own(module, code.co_filename, describer.package)
    node: Node = {"is": "function", "name": public_name(module, value.__qualname__, own)}
    changed: frozenset[str] = frozenset()
    values: dict[str, Any] = {}
    if own:
        node |= {"code": code_checksum(code), "python": PYTHON}
        found = source.of_function(value)
        if found is not None:
            node |= {"source": found.reading.checksum, "text": found.text}
            changed = found.reading.changed
        describer.follow(global_names(code) if found is None else found.reading.names, value.__globals__)
        values.update(defaults(value))
    for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
        if name != "__class__" and not is_empty(cell) and cell.cell_contents is not without:
            values[name] = cell.cell_contents
    parts: dict[str, Tree] = {}
    for name, held in values.items():
        if name in changed and (name in code.co_freevars or not is_fixed(held)):
            parts[f".{name}"] = not_compared(held, "the function changes it itself")
        else:
            parts[f".{name}"] = describer.held(value, name, held)
    return {**node, "parts": parts}


def defaults(value: types.FunctionType) -> dict[str, Any]:
    """The defaults of a function by parameter."""
    code, given = value.__code__, value.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
    return {**dict(zip(names, given, strict=True)), **(value.__kwdefaults__ or {})}


def is_empty(cell: Any) -> bool:
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True


def partial(value: functools.partial[Any], describer: Describer) -> Node:
    """A function some of whose arguments are given: as if they were its defaults."""
    node = describer(value.func)
    if not isinstance(node, dict):
        return not_compared(value, "it calls something that is no function")
    try:
        given = dict(inspect.signature(value.func).bind_partial(*value.args, **value.keywords).arguments)
    except (TypeError, ValueError):
        given = {**{f"argument {place}": one for place, one in enumerate(value.args)}, **value.keywords}
    parts = {f".{name}": describer.held(value, name, one) for name, one in given.items()}
    return {**node, "parts": {**node.get("parts", {}), **parts}}


def method(value: Any, describer: Describer) -> Node:
    """A bound method: the function, and what it is bound to."""
    return {"is": "method", "parts": {"": describer(value.__func__), ".self": describer(value.__self__)}}


def builtin(value: Any, describer: Describer) -> Node:
    """A function that is not written in Python, by name; a method of an object with the object."""
    owner = getattr(value, "__self__", None)
    node: Node = {"is": "function", "name": f"{value.__module__ or ''}.{value.__qualname__}".lstrip("."), "parts": {}}
    if owner is not None and not isinstance(owner, types.ModuleType):
        node["parts"] = {".self": describer(owner)}
    return node


# -- classes ------------------------------------------------------------------------------------------------------


def filename_of(cls: type) -> str:
    """The file that a class is from, by its methods, else by its module; empty if neither is known."""
    for one in functions_of(cls).values():
        if is_of_class(one, cls):
            return one.__code__.co_filename
    module = module_of(cls)
    if module and cls.__module__ != "__main__" and module.get("__file__") is None:
        return "<frozen >"
    return str(module.get("__file__") or "")


def module_of(cls: type) -> Mapping[str, Any]:
    """The names of the module that a class is from: those its functions see, since a module may be imported again."""
    for one in functions_of(cls).values():
        if one.__globals__.get("__name__") == cls.__module__:
            return one.__globals__
    return vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}


def is_of_class(one: types.FunctionType, cls: type) -> bool:
    """Whether a function was written inside the class; those that a decorator made were not."""
    return one.__code__.co_qualname.startswith(f"{cls.__qualname__}.") and one.__code__.co_filename != "<string>"


def is_own_class(cls: type, package: str | None) -> bool:
    top = cls.__module__.partition(".")[0]
    return cls is not object and top != LIBRARY and is_own(cls.__module__, filename_of(cls), package)


def functions_of(cls: type) -> dict[str, types.FunctionType]:
    """The functions of a class's own body by name, taken out of properties, static and class methods."""
    return {name: one for key, held in vars(cls).items() for name, one in unpacked(key, held)}


def unpacked(name: str, held: Any) -> Iterator[tuple[str, types.FunctionType]]:
    pieces = {name: held}
    if isinstance(held, property):
        pieces = {name: held.fget, f"{name}.setter": held.fset, f"{name}.deleter": held.fdel}
    elif isinstance(held, (staticmethod, classmethod)):
        pieces = {name: held.__func__}
    elif isinstance(held, (functools.cached_property, functools.partialmethod)):
        pieces = {name: held.func}
    for label, piece in pieces.items():
        one = innermost(piece)
        if isinstance(one, types.FunctionType):
            yield label, one


def unwrapped(one: types.FunctionType) -> types.FunctionType:
    inside = inspect.unwrap(one)
    return inside if isinstance(inside, types.FunctionType) else one


def class_(cls: type, describer: Describer) -> Node:
    """An own class by its methods and the rest of its body; another one by name."""
    node: Node = {"is": "class", "name": describer.name_of(cls), "parts": {}}
    if not describer.owns(cls):
        return node
    functions = functions_of(cls)
    rest = rest_of(cls, functions)
    if rest is not None:  # what a decorator made of the class follows from its source
        functions = {name: one for name, one in functions.items() if unwrapped(one).__code__.co_filename != "<string>"}
    parts = {f".{name}": describer(one) for name, one in functions.items()}
    if rest is not None:
        node |= {"source": rest.reading.checksum, "text": rest.text}
        describer.follow(rest.reading.names, module_of(cls))
    else:
        plain = {name: held for name, held in vars(cls).items() if not name.startswith("__") and is_fixed(held)}
        parts |= {f".{name}": describer(held) for name, held in plain.items() if name not in functions}
        parts[".bases"] = {"is": "bases", "value": ", ".join(map(describer.name_of, cls.__bases__))}
    for base in cls.__bases__:
        describer.define(base)
    return {**node, "parts": parts}


def rest_of(cls: type, functions: Mapping[str, types.FunctionType]) -> source.Source | None:
    """The source of a class without its methods; None where it is not to be had or is not what runs."""
    written = [one for one in map(unwrapped, functions.values()) if is_of_class(one, cls)]
    where = source.file(filename_of(cls), module_of(cls))
    if where is None:
        return None
    nodes = [where.function(one.__code__) for one in written]
    if None in nodes:
        return None
    methods: set[Any] = set(nodes)
    candidates = [
        one for one in where.classes.get(cls.__qualname__, ()) if not methods or methods.intersection(one.body)
    ]
    if len(candidates) != 1:
        return None
    return where.rest_of_class(candidates[0], methods)


def assigned_by_methods(cls: type, describer: Describer) -> frozenset[str] | None:
    """The attributes that an object's own methods assign after its constructor; None where that cannot be known."""
    found: set[str] = set()
    for base in cls.__mro__:
        if not describer.owns(base):
            continue
        for name, one in functions_of(base).items():
            if name in CONSTRUCTORS or not is_of_class(one, base):
                continue
            read = source.of_function(one)
            if read is None:
                return None
            mine = one.__code__.co_varnames[:1]
            found.update(attribute for owner, attribute in read.reading.assigned if owner in mine)
    return frozenset(found)
