"""What a run *is*: a description of its process, rules and arguments that can be compared from program to program.

Compared are the syntax trees of functions and classes (comments, docstrings, layout and line numbers do not count), with
the functions and classes of the same module that they name; where source is not to be had, code objects within one
Python minor version; closures, defaults and the arguments of constructors as typed values, arrays and tensors by
checksum; rules and their order.  Not watched: constants of a module, code of other modules and of installed packages
(other than the process's own).  What cannot be compared is listed by name.

Within one program, what a process or function holds and may change while it runs (a container, a network's weights)
counts as it was when that process or function was first described: running the same objects again is no change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dalsegno.core.identity.checksum import Tree, checksum_of_text
from dalsegno.core.identity.comparison import FORMAT, Difference, differences, essence, names_not_compared, uncompared
from dalsegno.core.identity.describer import Describer
from dalsegno.core.identity.instances import limits_by_unit
from dalsegno.core.identity.rendering import explain

__all__ = ["Difference", "describe", "differences", "digest", "explain", "identify", "uncompared"]


def describe(value: object) -> Tree:
    """The typed, canonical description of any value as it is now, a JSON-able tree.

    Functions and classes that its code names stand under ``uses``.  It is the same in every program, and never raises.

    >>> describe({"b": 2, "a": 1}) == describe({"a": 1, "b": 2}), describe(1) == describe(True)
    (True, True)
    >>> describe(float("nan"))
    {'is': 'float', 'value': 'nan'}
    """
    describer = Describer()
    tree = describer(value)
    uses = describer.definitions()
    return {**tree, "uses": uses} if isinstance(tree, dict) and uses else tree


def digest(value: object) -> str:
    """A checksum of a value's description, types included: for the inputs of a costly call.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}), digest(1) == digest(1.0)
    (True, False)
    """
    return checksum_of_text(essence(describe(value), movable=False))


def identify(
    *,
    process: object,
    rules: Sequence[object],
    checkpoint: object = None,
    budget: object = None,
    arguments: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The identity of a run, a JSON-able dict for the journal; ``not compared`` lists the names of what it cannot tell.

    ``process`` is a process, a class of one or a function; ``budget`` a value with ``limits`` by unit, or None.
    """
    describer = Describer(process, remember=True)
    identity: dict[str, Any] = {
        "format": FORMAT,
        "process": describer.running(process),
        "rules": [describer(rule) for rule in rules],
        "checkpoint": describer(checkpoint),
        "budget": None if budget is None else limits_of(budget, describer),
        "arguments": {
            "is": "arguments",
            "parts": {f".{key}": describer(held) for key, held in (arguments or {}).items()},
        },
    }
    identity["definitions"] = describer.definitions()
    identity["not compared"] = names_not_compared(identity)
    return identity


def limits_of(budget: object, describer: Describer) -> Tree:
    limits = getattr(budget, "limits", budget)
    return {"is": "budget", **limits_by_unit(limits, describer)} if isinstance(limits, Mapping) else describer(budget)
