"""How figures are written for people: numbers, times, sizes, costs."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any


def number(value: Any, digits: int = 6) -> str:
    """A figure in a few digits; whole numbers with their thousands apart; nothing where there is none.

    >>> number(1234567), number(0.1234567891), number(float("nan")), number(None)
    ('1,234,567', '0.123457', 'NaN', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        if value == int(value) and abs(value) < 1e15:
            value = int(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else f"{value:.{digits}g}"
    return f"{value:.{digits}g}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them.

    >>> duration(0.0042), duration(12.34), duration(3725), duration(200000)
    ('4.2 ms', '12.3 s', '1 h 02 min', '2 d 8 h')
    """
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds == 0:
        return "0 s"
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h"


def clock(seconds: float) -> str:
    """Seconds as a clock, of steady width for a line that is drawn again and again.

    >>> clock(65), clock(3725)
    ('1:05', '1:02:05')
    """
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(count: float) -> str:
    """Bytes, in the units of a thousand.

    >>> size(512), size(15360), size(256e6)
    ('512 B', '15.4 kB', '256 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def moment(time: float | None) -> str:
    """A moment in local time."""
    if time is None:
        return ""
    return datetime.datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "step"), plural(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def costs(cost: Mapping[str, float] | None) -> str:
    """A cost by unit in one line.

    >>> costs({"tokens": 1200, "usd": 0.5})
    '1,200 tokens, 0.5 usd'
    """
    return ", ".join(f"{number(amount)} {unit}" for unit, amount in (cost or {}).items())


def figures(saw: Any) -> str:
    """What a rule saw, in one line.

    >>> figures({"metric": "loss", "value": 9.0, "steps": {"spent": 75, "limit": 900}})
    'metric loss, value 9, steps: spent 75, limit 900'
    """
    if isinstance(saw, Mapping):
        parts = []
        for name, value in saw.items():
            inner = figures(value)
            parts.append(f"{name}: {inner}" if isinstance(value, Mapping) else f"{name} {inner}")
        return ", ".join(parts)
    if isinstance(saw, (list, tuple)):
        return ", ".join(figures(item) for item in saw)
    return "none" if saw is None else number(saw)
