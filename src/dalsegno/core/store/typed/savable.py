"""The table of what can be saved: what writes each type, and what makes it again."""

from __future__ import annotations

from typing import Any

from dalsegno.core.store.typed import arrays, classes, containers, random_streams, standard, tensors
from dalsegno.core.store.typed.forms import Handler, Rebuild

CHANGING: dict[type, Handler] = containers.CHANGING
HANDLERS: dict[type, Handler] = {
    **containers.HANDLERS,
    **standard.HANDLERS,
    **arrays.HANDLERS,
    **random_streams.HANDLERS,
}
REBUILD: dict[str, Rebuild] = {
    **containers.REBUILD,
    **standard.REBUILD,
    **arrays.REBUILD,
    **random_streams.REBUILD,
    **tensors.REBUILD,
    **classes.REBUILD,
}


def handler_of(kind: type, value: Any) -> Handler | None:
    """What writes a value whose type stands in no table: numpy's scalars, torch's types, enumerations, named tuples.

    None where nothing does.  A subclass is never written as the class it derives from: it would come back as that.
    """
    library = kind.__module__.partition(".")[0]
    if library == "numpy":
        return arrays.handler_of(value)
    if library == "torch":
        return tensors.handler_of(kind)
    if library == "zoneinfo":
        return standard.zone_handler(value)
    if library == "dalsegno" and isinstance(value, int):
        return lambda encoder, value: int(value)  # the number of a step that a loop handed out, and a user kept
    return classes.handler_of(value)
