"""Naming: a step asks for a snapshot of the state after it, under a name by which it can be gone back to."""

from __future__ import annotations

from dalsegno.core.errors import UsageError
from dalsegno.core.once import CURRENT


def snapshot(name: str) -> None:
    """Save a snapshot under ``name`` at the boundary of the running step; retention never removes it.

    For the step of a process; in a loop of your own ``attempt.snapshot(name)`` is the same. A rule goes back to it with
    ``roll_back(..., to=name)``.

    >>> import dalsegno as ds
    >>> class Climb(ds.Process):
    ...     def reset(self, *, seed, origin=None): self.n = 0
    ...     def step(self):
    ...         self.n += 1
    ...         if self.n == 2:
    ...             ds.snapshot("camp")
    ...         return ds.Report({"n": self.n})
    ...     def state_dict(self): return {"n": self.n}
    ...     def load_state_dict(self, state): self.n = state["n"]
    >>> climb = Climb()
    >>> rules = [ds.stop(ds.when.above("n", 4), restore="camp")]
    >>> result = ds.run(climb, rules=rules, checkpoint=ds.checkpoint.Never(), seed=0)
    >>> climb.n
    2

    Raises :class:`UsageError` outside a run, in a run without snapshots, and for a name that is no text.
    """
    conductor = CURRENT.get()
    if conductor is None:
        raise UsageError("snapshot() was called outside a run: it belongs into a step of a run")
    if not isinstance(name, str) or not name:
        raise UsageError(f"snapshot({name!r}): expected a name to find it by")
    if conductor.saver is None:
        raise UsageError("snapshot(...): this run has no snapshots; give it a journal or a checkpoint=")
    conductor.saver.label = name
    conductor.call_attention()
