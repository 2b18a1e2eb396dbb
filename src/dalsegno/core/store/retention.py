"""Retention: which snapshots a run keeps. Pure: entries in, ids out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from dalsegno.core.errors import UsageError


@dataclass(frozen=True)
class Keep:
    """Keep the newest ``last`` snapshots of the current attempt, the best of the run, every named one, and, with
    ``ages=True``, some at geometric ages.

    ``best`` is the name of a metric, or ``"value"`` (higher is better); ``mode`` is ``"min"`` or ``"max"``.  A tie does not
    displace the earlier best; a figure that is not finite is never the best.  Damaged snapshots are not counted and not
    removed.  The state right after reset goes once a later snapshot of its attempt is sound.

    >>> Keep(last=2, best="acc", mode="max").last
    2
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
        if self.best is not None and not isinstance(self.best, str):
            raise UsageError(f"Keep(best={self.best!r}): expected the name of a metric, or 'value'")

    def keep(self, snapshots: Sequence[Any], protected: Collection[Hashable] = ()) -> set[Any]:
        """The ids to keep. An entry has id, attempt, step, order, label, metrics, value, sound and kind."""
        kept = {entry.id for entry in snapshots if not entry.sound or entry.label is not None or entry.id in protected}
        sound = sorted((entry for entry in snapshots if entry.sound), key=lambda entry: entry.order)
        if not sound:
            return kept
        current = sound[-1].attempt
        counted = [entry for entry in sound if entry.attempt == current and entry.kind != "reset"]
        kept |= {entry.id for entry in counted[-self.last :]}
        if not counted:
            kept.add(sound[-1].id)
        best = self.best_of(sound)
        if best is not None:
            kept.add(best.id)
        if self.ages:
            newest = len(counted) - 1
            kept |= {entry.id for place, entry in enumerate(counted) if kept_at_age(place, newest)}
        return kept

    def best_of(self, sound: Sequence[Any]) -> Any:
        if self.best is None:
            return None
        sign = 1.0 if self.mode == "max" or self.best == "value" else -1.0
        best, height = None, 0.0
        for entry in sound:
            figure = entry.value if self.best == "value" else entry.metrics.get(self.best)
            if figure is None or not isfinite(figure):
                continue
            if best is None or sign * figure > height:
                best, height = entry, sign * figure
        return best


def kept_at_age(number: int, newest: int) -> bool:
    """Whether snapshot ``number`` (from 0) is kept while ``newest`` is the newest: n - i < 3 * 2^v(i); 0 always.

    For every lag L <= n some kept one then has an age in [L, 2L - 1], and at most 2 log2(n + 1) + 1 are kept.

    >>> [i for i in range(21) if kept_at_age(i, 20)]
    [0, 8, 12, 16, 18, 19, 20]
    """
    return number == 0 or newest - number < 3 * (number & -number)
