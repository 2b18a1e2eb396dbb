"""The describer: turns any value into a typed, canonical tree, and collects the definitions that its code names."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dalsegno.core.identity import arrays, code, instances, values
from dalsegno.core.identity.checksum import Node, Tree, canonical
from dalsegno.core.identity.memory import memory_of

DEEPEST = 60  # nested parts
MOST_PARTS = 200_000
MOST_DEFINITIONS = 500

Definition = tuple[str, Node]


class Describer:
    """Describes the values of one run. ``remember`` lets what changes while it runs be as it was first seen."""

    def __init__(self, process: object = None, *, remember: bool = False) -> None:
        self.package = package_of(process)
        self.process = process
        self.runs = process.__self__ if isinstance(process, types.MethodType) else process  # what a run may change
        self.remember = remember
        self._open: set[int] = set()
        self._count = 0
        self._entered = False
        self._seen: set[int] = set()  # the definitions that wait or have been read
        self._waiting: list[type | types.FunctionType] = []
        self._found: list[Definition] = []
        self._own: dict[type, bool] = {}
        self._assigned: dict[type, frozenset[str] | None] = {}

    def __call__(self, value: Any) -> Tree:
        """The description of a value; a strange object becomes *not compared*, never an error."""
        if type(value) in values.SCALARS:
            return values.scalar(value)
        key = id(value)
        if value is self.process and self._entered:
            return {"is": "the process"}
        if key in self._open:
            return {"is": "itself"}
        self._count += 1
        if len(self._open) >= DEEPEST or self._count > MOST_PARTS:
            return values.not_compared(value, "too deep or too large")
        self._entered = self._entered or value is self.process
        self._open.add(key)
        found = self.guarded(node, value)
        self._open.discard(key)
        return found

    def running(self, process: object) -> Tree:
        """The description of the process itself: an object or class together with the code of the class."""
        tree = self(process)
        if not isinstance(tree, dict) or tree["is"] != "object" or not self.owns(type(process)):
            return tree  # a function or class, whose code has been described already
        written = self.guarded(code.class_, type(process))
        rest = {key: item for key, item in written.items() if key in ("source", "text")}
        return {**tree, **rest, "parts": {**written.get("parts", {}), **tree["parts"]}}

    def guarded(self, describe: Callable[[Any, Describer], Node], value: Any) -> Node:
        """A description; a strange object becomes *not compared*, and never stops a run from being opened."""
        try:
            return describe(value, self)
        except Exception as error:
            return values.not_compared(value, f"describing it raised {type(error).__name__}")

    def owns(self, cls: type) -> bool:
        """Whether a class is the user's own."""
        if cls not in self._own:
            self._own[cls] = code.is_own_class(cls, self.package)
        return self._own[cls]

    def assigned(self, cls: type) -> frozenset[str] | None:
        """The attributes that methods of a class assign after its constructor; None where that cannot be known."""
        if cls not in self._assigned:
            self._assigned[cls] = code.assigned_by_methods(cls, self)
        return self._assigned[cls]

    def name_of(self, cls: type) -> str:
        return code.public_name(cls.__module__, cls.__qualname__, self.owns(cls))

    # -- what may change while it runs ----

    def held(self, owner: Any, name: str, value: Any) -> Tree:
        """A value that a function holds: as it is if it can never change, else as it was first seen."""
        return self(value) if values.is_fixed(value) else self.first_seen(owner, name, lambda: self(value))

    def first_seen(self, owner: Any, name: str, describe: Callable[[], Tree]) -> Tree:
        kept = memory_of(owner) if self.remember else None
        if kept is None:
            return describe()
        if name not in kept:
            kept[name] = ({"is": "itself"}, [])  # for what it holds may lead back to it
            outer = self._seen, self._waiting, self._found
            self._seen, self._waiting, self._found = set(), [], []
            try:
                tree = describe()
                self.read_definitions()
                kept[name] = (tree, self._found)
            finally:
                self._seen, self._waiting, self._found = outer
        tree, definitions = kept[name]
        self._found.extend(definitions)
        return tree  # type: ignore[no-any-return]

    # -- definitions ----

    def follow(self, names: Iterable[str], module: Mapping[str, Any]) -> None:
        """Take in the functions and classes of the same module that some code names."""
        for name in sorted(names):
            value = values.innermost(module.get(name))
            if isinstance(value, (type, types.FunctionType)) and value.__module__ == module.get("__name__"):
                self.define(value)

    def define(self, value: type | types.FunctionType) -> None:
        """Put an own function or class among those to be read, once."""
        if value is self.process or type(self.process) is value or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._waiting.append(value)

    def read_definitions(self) -> None:
        """Read what waits, and what that names in turn."""
        while self._waiting:
            value = self._waiting.pop(0)
            if len(self._found) >= MOST_DEFINITIONS:
                self._found.append(("definitions", values.not_compared(None, f"more than {MOST_DEFINITIONS}")))
                self._waiting.clear()
            elif isinstance(value, type):
                if self.owns(value):
                    self._found.append((value.__qualname__, self.guarded(code.class_, value)))
            else:
                written = self.guarded(code.function, value)
                if "code" in written:
                    self._found.append((value.__qualname__, written))

    def definitions(self) -> dict[str, Node]:
        """All definitions by name; where several have one name, all but the first are numbered."""
        self.read_definitions()
        by_name: dict[str, dict[str, Node]] = {}
        for name, written in self._found:
            by_name.setdefault(name, {})[canonical(written)] = written
        return {
            name if place == 0 else f"{name} ({place + 1})": nodes[text]
            for name, nodes in sorted(by_name.items())
            for place, text in enumerate(sorted(nodes))
        }


def node(value: Any, describer: Describer) -> Node:
    """The description of anything but the five plain types, by the first way that fits it."""
    if isinstance(value, type):
        if value is describer.process:
            return code.class_(value, describer)
        describer.define(value)
        return {"is": "class", "name": describer.name_of(value), "parts": {}}
    if isinstance(value, types.FunctionType):
        return code.function(value, describer)
    if isinstance(value, types.MethodType):
        return code.method(value, describer)
    if isinstance(value, (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)):
        return code.builtin(value, describer)
    if isinstance(value, functools.partial):
        return code.partial(value, describer)
    found = arrays.numeric(value, describer) or values.plain(value) or values.container(value, describer)
    if found is not None:
        return found
    inside = values.innermost(value)
    if isinstance(inside, types.FunctionType):
        return code.function(inside, describer)
    return instances.instance(value, describer)


def package_of(process: object) -> str | None:
    """The package that a process is from, all of whose code is the user's own even where it is installed."""
    while isinstance(process, functools.partial):
        process = process.func
    if isinstance(process, types.MethodType):
        process = process.__func__
    written = process if isinstance(process, (type, types.FunctionType)) else type(process)
    module = written.__module__
    if module == "__main__":  # python -m package.module
        module = getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", "")
    top = str(module or "").partition(".")[0]
    return None if top in ("", "__main__", "builtins", code.LIBRARY) else top
