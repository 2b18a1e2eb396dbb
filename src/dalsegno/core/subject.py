"""What a snapshot is taken of: a process, or the pieces that a function's loop keeps."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence, MutableSet
from typing import Any, Protocol

from dalsegno.core.actions import Change
from dalsegno.core.errors import SnapshotError, UnsavableError, UsageError


class Subject(Protocol):
    """What the engine saves, restores and changes."""

    @property
    def target(self) -> Any:
        """What a change is given: the process, or ``attempt.kept``."""
        ...

    def save(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...

    def skip(self, start: int, stop: int) -> None: ...

    def can_return(self) -> str | None:
        """Why a snapshot cannot be gone back to here, or None if it can."""
        ...


class ProcessSubject:
    """A process: its own ``state_dict`` is what is saved."""

    def __init__(self, process: Any) -> None:
        self.process = process

    @property
    def target(self) -> Any:
        return self.process

    def save(self) -> dict[str, Any]:
        state = self.process.state_dict()
        if state is None:
            raise UnsavableError(f"{type(self.process).__name__}.state_dict() returned None: expected a dict")
        return {"state": state}

    def load(self, state: dict[str, Any]) -> None:
        self.process.load_state_dict(state["state"])

    def skip(self, start: int, stop: int) -> None:
        skip = getattr(self.process, "skip", None)
        if not callable(skip):
            raise UsageError(
                f"{type(self.process).__name__} has no skip(start, stop): roll_back(skip=...) needs one, or attempt.over"
            )
        skip(start, stop)

    def can_return(self) -> str | None:
        return None


def apply_change(change: Change, target: Any) -> Any:
    """Call a function of the process, or one of its methods by name; what it returns is handed back."""
    if isinstance(change, str):
        method = getattr(target, change, None)
        if not callable(method):
            raise UsageError(f"{type(target).__name__} has no method {change!r} to adapt it with")
        return method()
    return change(target)


def state_of(name: str, piece: Any) -> Any:
    """The state of one kept piece: its ``state_dict``, or what it holds."""
    if callable(getattr(piece, "state_dict", None)):
        return piece.state_dict()
    if is_tensor(piece) or is_array(piece) or is_generator(piece):
        return piece
    if isinstance(piece, MutableMapping):
        return dict(piece)
    if isinstance(piece, (MutableSequence, MutableSet)):
        return piece
    raise UnsavableError(
        f"attempt.keep({name}=...) got a {type(piece).__qualname__}, which has no state_dict and cannot be changed in "
        "place: keep an object with state_dict and load_state_dict, an array, a tensor, a dict, a list or a generator"
    )


def load_into(name: str, piece: Any, state: Any) -> None:
    """Put a saved state back into a piece, in place."""
    if callable(getattr(piece, "load_state_dict", None)):
        piece.load_state_dict(state)
    elif is_tensor(piece):
        if tuple(piece.shape) != tuple(state.shape):
            raise mismatch(name, tuple(piece.shape), tuple(state.shape))
        piece.data.copy_(state)
    elif is_array(piece):
        if piece.shape != state.shape:
            raise mismatch(name, piece.shape, state.shape)
        piece[...] = state
    elif is_generator(piece):
        load_generator(piece, state)
    elif isinstance(piece, (MutableMapping, MutableSet, MutableSequence)):
        graft(piece, state, set())
    else:
        raise SnapshotError(f"{name} has state_dict but no load_state_dict: its state cannot be put back")


def graft(old: Any, new: Any, done: set[int]) -> Any:
    """Make a container hold what ``new`` holds, keeping the containers and arrays in it that a program may hold on to.

    Returns what is to stand in its place: itself where that could be done. What stands in two places is changed once.
    """
    if old is new or id(old) in done or not alike(old, new):
        return new
    done.add(id(old))
    if is_array(old):
        old[...] = new
    elif isinstance(old, MutableMapping):
        fresh = {key: graft(old[key], value, done) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(fresh)
    elif isinstance(old, MutableSet):
        old.clear()
        for item in new:
            old.add(item)
    else:
        common = [graft(mine, theirs, done) for mine, theirs in zip(old, new, strict=False)]
        old[:] = [*common, *list(new)[len(common) :]]
    return old


def alike(old: Any, new: Any) -> bool:
    """Whether ``old`` can be made to hold what ``new`` holds."""
    if is_array(old) and is_array(new):
        return bool(old.shape == new.shape and old.dtype == new.dtype and old.flags.writeable)
    kinds = (MutableMapping, MutableSet, MutableSequence)
    return any(isinstance(old, kind) and isinstance(new, kind) for kind in kinds) and not is_array(new)


def mismatch(name: str, here: object, there: object) -> SnapshotError:
    return SnapshotError(f"kept {name!r} has shape {here} and the snapshot has {there}: the program has changed")


def is_tensor(piece: Any) -> bool:
    return type(piece).__module__.startswith("torch") and hasattr(piece, "copy_")


def is_array(piece: Any) -> bool:
    return type(piece).__module__.startswith("numpy") and hasattr(piece, "dtype") and hasattr(piece, "flags")


def is_generator(piece: Any) -> bool:
    kind = type(piece)
    return (kind.__module__, kind.__name__) in (("random", "Random"), ("numpy.random._generator", "Generator")) or (
        kind.__module__.startswith("torch") and kind.__name__ == "Generator"
    )


def load_generator(piece: Any, state: Any) -> None:
    """Give a generator the position of another one of its kind."""
    if hasattr(piece, "setstate"):
        piece.setstate(state.getstate())
    elif hasattr(piece, "bit_generator"):
        piece.bit_generator.state = state.bit_generator.state
    else:
        piece.set_state(state.get_state())
