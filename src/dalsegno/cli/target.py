"""Finding what a command line names: ``module:object`` or ``path/file.py:object``, with the current folder importable."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from dalsegno.core.errors import UsageError


def load(target: str, what: str = "a Plan, a Process or a function of one attempt") -> Any:
    """The object that a target names. An exception that its module raises while it is imported leaves as it is."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(f"{target!r}: expected module:object or file.py:object, where the object is {what}")
    module = from_file(Path(place)) if place.endswith(".py") else from_name(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(
                f"{target!r}: {module.__name__} has no {name!r}; it has {', '.join(public(module)) or 'nothing'}"
            )
        found = getattr(found, part)
    return found


def public(module: ModuleType) -> list[str]:
    """What a module defines itself."""
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", None) in (None, module.__name__)
    )[:20]


def importable(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def from_name(name: str) -> ModuleType:
    importable(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module {error.name!r} to import, here ({os.getcwd()}) or among the installed packages"
            ) from None
        raise
    except (TypeError, ValueError):
        if all(part.isidentifier() for part in name.split(".")):
            raise
        raise UsageError(f"{name!r} is no name of a module: for a file write {name}.py:object") from None


def from_file(path: Path) -> ModuleType:
    """A file as a module under its own name, its folder importable, as when it is run by Python itself."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    path = path.resolve()
    importable(str(path.parent))
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    if known is not None:
        raise UsageError(f"{path.name} has the name of a module that is in use already ({path.stem}): rename the file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(path.stem, None)
        raise
    return module


def is_factory(found: Any) -> bool:
    """Whether this is a function that makes a plan: one that takes no argument by position, as ``train(attempt)`` does."""
    if not inspect.isfunction(found):
        return False
    kinds = [parameter.kind for parameter in inspect.signature(found).parameters.values()]
    return not any(kind in (0, 1, 2) for kind in kinds)  # positional only, positional or keyword, *args


def plan(target: str, settings: Mapping[str, Any]) -> Any:
    """The plan that a target names, with ``--set`` given to the class, the function, or the function that makes it."""
    from dalsegno.core.plan import Plan

    found = load(target)
    if is_factory(found):
        check_names(target, found, settings, 0)
        found = found(**settings)
        if found is None:
            raise UsageError(
                f"{target!r} takes no attempt, so it should return a Plan, a Process or a function; it returned None"
            )
        return found if isinstance(found, Plan) else Plan(found)
    base = found if isinstance(found, Plan) else None
    subject = base.process if base is not None else found
    subject, told = with_settings(target, subject, settings)
    made = Plan(subject) if base is None else base.with_(process=subject)
    return made.with_(arguments={**made.arguments, **told}) if told else made


def with_settings(target: str, subject: Any, settings: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The subject made with its settings, and those of them that it does not show itself."""
    if isinstance(subject, type):
        check_names(target, subject, settings, 0)
        made = subject(**settings)
        return made, {name: value for name, value in settings.items() if not hasattr(made, name)}
    if not settings:
        return subject, {}
    if hasattr(subject, "step"):
        raise UsageError(
            f"--set: {target!r} is an object that has been made already; name its class, or a function that makes it"
        )
    import functools

    check_names(target, subject, settings, 1)
    return functools.partial(subject, **settings), {}


def check_names(target: str, call: Any, settings: Mapping[str, Any], position: int) -> None:
    """Refuse settings that a class or function does not take, and say which it needs and was not given."""
    try:
        parameters = list(inspect.signature(call).parameters.values())[position:]
    except (TypeError, ValueError):
        return
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    unknown = [name for name in settings if name not in names]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise UsageError(f"--set {unknown[0]}=...: {target!r} takes {', '.join(names) or 'no settings'}")
    needed = [p.name for p in parameters if p.name in names and p.default is p.empty and p.name not in settings]
    if needed:
        raise UsageError(f"{target!r} needs {', '.join(needed)}: give --set {needed[0]}=...")


def parse_settings(given: list[str]) -> dict[str, Any]:
    """``--set key=value``, each value read as JSON and, where it is none, as text.

    >>> parse_settings(["lr=0.1", "deep=true", "name=adam", "sizes=[1, 2]"])
    {'lr': 0.1, 'deep': True, 'name': 'adam', 'sizes': [1, 2]}
    """
    import json

    settings: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise UsageError(f"--set {text!r}: expected key=value, as in --set lr=0.1")
        if name in settings:
            raise UsageError(f"--set {name}=...: given twice")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings
