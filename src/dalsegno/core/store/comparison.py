"""Comparing two states: the paths at which they differ, arrays bit for bit."""

from __future__ import annotations

from typing import Any

from dalsegno.core.store.codec import dumps


def compare(before: Any, after: Any, path: str, found: list[str]) -> None:
    """Collect the paths at which two states differ, arrays bit for bit."""
    if type(before) is not type(after):
        found.append(f"{path} ({type(before).__name__} and {type(after).__name__})")
    elif isinstance(before, dict):
        for key in sorted({*before, *after}, key=str):
            if key not in before or key not in after:
                found.append(f"{path}.{key} (only in one)")
            else:
                compare(before[key], after[key], f"{path}.{key}", found)
    elif isinstance(before, (list, tuple)):
        if len(before) != len(after):
            found.append(f"{path} (lengths {len(before)} and {len(after)})")
        for place, (mine, theirs) in enumerate(zip(before, after, strict=False)):
            compare(mine, theirs, f"{path}[{place}]", found)
    else:
        if dumps(before) != dumps(after):
            found.append(path)


def differing(before: Any, after: Any) -> list[str]:
    """The paths at which two states differ.

    >>> differing({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]})
    ['state.b[1]']
    """
    found: list[str] = []
    compare(before, after, "state", found)
    return found
