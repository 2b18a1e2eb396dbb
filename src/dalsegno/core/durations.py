"""Durations as people write them: ``90``, ``"6h"``, ``"1h30m"``, ``timedelta``; always seconds inside."""

from __future__ import annotations

import re
from datetime import timedelta
from numbers import Real

from dalsegno.core.errors import UsageError

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
PIECE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)\s*", re.ASCII)


def seconds(duration: float | str | timedelta) -> float:
    """A duration in seconds.

    >>> seconds("1h30m"), seconds(90), seconds("250ms")
    (5400.0, 90.0, 0.25)

    Raises :class:`UsageError` for a string without units, a negative or not finite duration.
    """
    if isinstance(duration, timedelta):
        found = duration.total_seconds()
    elif isinstance(duration, str):
        found, place = 0.0, 0
        while place < len(duration) and (piece := PIECE.match(duration, place)):
            found += float(piece[1]) * UNITS[piece[2]]
            place = piece.end()
        if place != len(duration) or not duration.strip():
            raise UsageError(
                f"{duration!r} is no duration: write a number with its unit, such as '90s', '6h' or '1h30m'"
            )
    elif isinstance(duration, bool) or not isinstance(duration, Real):
        raise UsageError(f"{duration!r} is no duration: expected seconds, or a string such as '6h'")
    else:
        found = float(duration)
    if not 0 <= found < float("inf"):
        raise UsageError(f"{duration!r}: expected a finite duration of at least 0 seconds")
    return found
