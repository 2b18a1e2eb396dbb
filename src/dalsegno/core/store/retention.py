"""Retention: which snapshots a run keeps. Pure: descriptions in, ids out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol

from dalsegno.core.errors import UsageError


class Kept(Protocol):
    """What retention asks of a snapshot's description."""

    @property
    def id(self) -> Any: ...
    @property
    def attempt(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def order(self) -> int: ...
    @property
    def label(self) -> str | None: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def value(self) -> float | None: ...
    @property
    def sound(self) -> bool: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class Entry:
    """One acknowledged snapshot: ``order`` is its place in the journal, ``label`` the name a user gave it.

    ``kind`` is ``"reset"``, ``"schedule"``, ``"named"``, ``"end"`` or another word for why it was taken; ``sound`` is
    False once damage was found.
    """

    id: Hashable
    attempt: int
    step: int
    order: int
    label: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None
    sound: bool = True
    kind: str = "schedule"


@dataclass(frozen=True)
class Keep:
    """Keep the newest ``last`` snapshots of the current attempt, the best of the run, and every named one.

    ``best`` is the name of a metric, with ``mode`` ``"min"`` or ``"max"``, or ``"value"``, of which higher is better.
    A tie does not displace the earlier best, a figure that is not finite is never the best, and a snapshot without the
    metric is no candidate.  ``ages=True`` keeps others of the current attempt at geometric ages: for every lag, one
    that is at least that old and less than twice as old.

    Damaged snapshots are neither counted nor removed.  The state right after reset is kept until a later snapshot of
    its attempt is sound.  Snapshots of earlier attempts go, unless they are the best, named or protected.

    >>> run = [Entry(i, attempt=1, step=i, order=i, metrics={"loss": x}) for i, x in enumerate([3.0, 1.0, 2.0, 2.5])]
    >>> sorted(Keep(last=2, best="loss").keep(run))
    [1, 2, 3]
    """

    last: int = 3
    best: str | None = None
    mode: str = "min"
    ages: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.last, bool) or not isinstance(self.last, int) or self.last < 1:
            raise UsageError(f"Keep(last={self.last!r}): expected a whole number of at least 1")
        if self.mode not in ("min", "max"):
            raise UsageError(f"Keep(mode={self.mode!r}): expected 'min' or 'max'")
        if self.best is not None and (not isinstance(self.best, str) or not self.best):
            raise UsageError(f"Keep(best={self.best!r}): expected the name of a metric, or 'value'")

    def keep(self, snapshots: Sequence[Kept], protected: Collection[Hashable] = ()) -> set[Any]:
        """The ids of the snapshots to keep; ``protected`` are those that something still needs."""
        kept = {one.id for one in snapshots if not one.sound or is_named(one) or one.id in protected}
        sound = sorted((one for one in snapshots if one.sound), key=lambda one: one.order)
        if not sound:
            return kept
        current = [one for one in sound if one.attempt == sound[-1].attempt]
        counted = [one for one in current if one.kind != "reset"]
        kept |= {one.id for one in counted[-self.last :] or current[-1:]}
        best = self.best_of(sound)
        if best is not None:
            kept.add(best.id)
        if self.ages and counted:
            everything = [one for one in snapshots if one.attempt == sound[-1].attempt and one.kind != "reset"]
            first = min(one.order for one in everything)
            numbers = at_geometric_ages([one.order - first for one in counted])
            kept |= {one.id for one in counted if one.order - first in numbers}
        return kept

    def best_of(self, sound: Sequence[Kept]) -> Kept | None:
        """The best of the run; of equals the earliest."""
        if self.best is None:
            return None
        sign = 1.0 if self.mode == "max" or self.best == "value" else -1.0
        best, height = None, 0.0
        for one in sound:
            figure = self.figure(one)
            if figure is None or not isfinite(figure) or one.kind == "reset":
                continue
            if best is None or sign * figure > height:
                best, height = one, sign * figure
        return best

    def figure(self, one: Kept) -> float | None:
        return one.value if self.best == "value" else one.metrics.get(self.best or "")


def is_named(one: Kept) -> bool:
    return one.label is not None or one.kind == "named"


def kept_at_age(number: int, newest: int) -> bool:
    """Whether snapshot ``number`` is kept while ``newest`` is the newest, both counted from 0.

    It is if newest - number < 3 * 2^v, where v is the exponent of 2 in the number; number 0 always is.  For every lag
    L <= newest some kept one then has an age in [L, 2L - 1], and at most 2 log2(newest + 1) + 1 are kept.

    >>> [number for number in range(21) if kept_at_age(number, 20)]
    [0, 8, 12, 16, 18, 19, 20]
    """
    return number == 0 or newest - number < 3 * (number & -number)


def at_geometric_ages(numbers: Sequence[int]) -> set[int]:
    """Which of these numbers to keep by :func:`kept_at_age` while the last is the newest; they ascend from 0.

    Numbers may be missing: another event got them, or the snapshot is damaged.  Where that leaves a gap, those that
    close it are kept too, so that every lag is still covered as well as it can be.

    >>> sorted(at_geometric_ages([0, 5, 9, 10, 11, 13, 15, 17, 19, 20]))
    [0, 5, 13, 17, 19, 20]
    """
    newest = last = numbers[-1]
    kept = {newest}
    for place in range(len(numbers) - 2, -1, -1):
        number = numbers[place]
        gap = place == 0 or newest - numbers[place - 1] > 2 * (newest - last) + 1
        if gap or kept_at_age(number, newest):
            kept.add(number)
            last = number
    return kept
