"""Process: something iterative. Origin: where an attempt begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dalsegno.core.errors import UsageError
from dalsegno.core.report import Report

OriginKind = Literal["scratch", "snapshot", "warm", "prefix"]


@dataclass(frozen=True)
class Origin:
    """Where an attempt begins: scratch, a snapshot, a warm start, or a prefix of an earlier trajectory.

    Use the four constructors.  The engine resets the process first and then loads a snapshot or prefix itself;
    a warm start (``prior``) is handed to ``reset`` and nothing else is done with it.

    >>> Origin.scratch().kind, Origin.prefix(attempt=2, step=40).step
    ('scratch', 40)
    """

    kind: OriginKind = "scratch"
    snapshot: int | str | None = None
    prior: Any = None
    attempt: int | None = None
    step: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(OriginKind):
            raise UsageError(f"Origin({self.kind!r}): expected one of {', '.join(get_args(OriginKind))}")

    @classmethod
    def scratch(cls) -> Origin:
        """From nothing, with a seed of its own."""
        return cls()

    @classmethod
    def at(cls, snapshot: int | str) -> Origin:
        """From a snapshot, by its id, its label, ``"best"`` or ``"last"``."""
        return cls("snapshot", snapshot=snapshot)

    @classmethod
    def warm(cls, prior: Any) -> Origin:
        """From prior knowledge that ``reset`` makes of what it likes; ``prior`` must be savable."""
        return cls("warm", prior=prior)

    @classmethod
    def prefix(cls, *, attempt: int, step: int) -> Origin:
        """From the state that attempt number ``attempt`` had after ``step`` (or at its newest snapshot before it)."""
        return cls("prefix", attempt=attempt, step=step)

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Origin:
        return cls(**data)


class Process:
    """Something iterative. Subclass it, or give any object that has these four methods.

    ``step`` may be a coroutine function; such a process is run with :func:`dalsegno.arun`.
    Optional methods that the engine uses where they are there: ``skip(start, stop)`` (leave out the data at these
    positions, counted from 0), ``skipped`` (how many items that were so far), and ``close()``, called at the end of a run where the engine made the process from its
    class. In a step, :func:`dalsegno.snapshot` names the snapshot to be taken after it.

    >>> class Count(Process):
    ...     def reset(self, *, seed, origin=None): self.n = 0
    ...     def step(self):
    ...         self.n += 1
    ...         return Report(metrics={"n": float(self.n)}, status="succeeded" if self.n == 3 else "running")
    ...     def state_dict(self): return {"n": self.n}
    ...     def load_state_dict(self, state): self.n = state["n"]
    """

    def reset(self, *, seed: int, origin: Origin | None = None) -> None:
        """Begin an attempt. All randomness must come from ``seed`` or from the global generators."""
        raise TypeError(f"{type(self).__name__} has no reset(self, *, seed, origin=None): a Process needs one")

    def step(self) -> Report:
        """Do one step and report it."""
        raise TypeError(f"{type(self).__name__} has no step(self): a Process needs one that returns a Report")

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, in types that a snapshot can hold."""
        raise TypeError(
            f"{type(self).__name__} has no state_dict(self): without it nothing can be saved or gone back to"
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` gave."""
        raise TypeError(f"{type(self).__name__} has no load_state_dict(self, state): a Process needs one")
