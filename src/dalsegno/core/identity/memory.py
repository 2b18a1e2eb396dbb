"""What things were like when this program first described them.

A process changes while it runs, and so may what a function holds.  Run again in the same program under the same name,
they must be known again: what may change is described once for each process or function, and remembered as long as it
lives.  An object made anew is described anew.
"""

from __future__ import annotations

import weakref
from typing import Any

_kept: dict[int, tuple[weakref.ref[Any], dict[str, Any]]] = {}


def memory_of(owner: Any) -> dict[str, Any] | None:
    """A dict that lives as long as ``owner``; None for an object that cannot be referred to weakly."""
    key = id(owner)
    known = _kept.get(key)
    if known is not None and known[0]() is owner:
        return known[1]
    try:
        reference = weakref.ref(owner, lambda gone: _forget(key, gone))
    except TypeError:
        return None
    _kept[key] = (reference, {})
    return _kept[key][1]


def _forget(key: int, gone: weakref.ref[Any]) -> None:
    if key in _kept and _kept[key][0] is gone:
        del _kept[key]
