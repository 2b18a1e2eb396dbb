"""One metric, one direction: two rules that disagree about whether lower is better are refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dalsegno.core.conditions.base import Condition
from dalsegno.core.errors import UsageError


def check_modes(conditions: Iterable[Condition], further: Iterable[tuple[str, str, Any]] = ()) -> dict[str, str]:
    """The mode of each metric that is watched for improvement.

    ``further`` names (metric, mode, whatever says so) from elsewhere: the retention of snapshots, the
    target of a roll back. Raises :class:`UsageError` for a metric with two modes, naming both places.

    >>> from dalsegno.core.conditions import stalled
    >>> check_modes([stalled("loss", patience=3) | stalled("accuracy", patience=5, mode="max")])
    {'loss': 'min', 'accuracy': 'max'}
    """
    said: dict[str, tuple[str, Any]] = {}
    for metric, mode, place in [*stated(conditions), *further]:
        before = said.setdefault(metric, (mode, place))
        if before[0] != mode:
            raise UsageError(
                f"{metric!r} has two modes: {before[0]!r} in {before[1]} and {mode!r} in {place}; "
                "is lower better (mode='min') or higher (mode='max')?"
            )
    return {metric: mode for metric, (mode, _) in said.items()}


def stated(conditions: Iterable[Condition]) -> Iterable[tuple[str, str, Any]]:
    for one in conditions:
        for leaf in one.leaves():
            metric, mode = getattr(leaf, "metric", None), getattr(leaf, "mode", None)
            if isinstance(metric, str) and isinstance(mode, str):
                yield metric, mode, leaf
