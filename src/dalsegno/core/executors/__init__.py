"""Executors: where parallel attempts run. ``local`` gives each a program of its own on this machine."""

from __future__ import annotations

from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.executors.base import Executor, Handle, Task
from dalsegno.core.executors.here import Here
from dalsegno.core.executors.local import Local

__all__ = ["Executor", "Handle", "Here", "Local", "Task", "executor_of"]


def executor_of(what: Any) -> Executor:
    """An executor by its name, or itself: ``"local"`` (programs of their own) or ``"here"`` (one after another)."""
    if what is None or what == "local":
        return Local()
    if what == "here":
        return Here()
    if isinstance(what, str):
        raise UsageError(f"executor={what!r}: expected 'local', 'here' or an executor object")
    if not all(hasattr(what, name) for name in ("start", "wait")):
        raise UsageError(f"executor={what!r}: expected 'local', 'here' or an object with start and wait")
    return what  # type: ignore[no-any-return]
