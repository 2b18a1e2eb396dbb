"""Durations as people write them; what is refused, and what the refusal says."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from dalsegno.core.durations import seconds
from dalsegno.core.errors import UsageError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (90, 90.0), (0, 0.0), (1.5, 1.5), (np.float64(2.5), 2.5), (np.float32(0.5), 0.5), (np.int64(3), 3.0),
        ("90s", 90.0), ("250ms", 0.25), ("5m", 300.0), ("5min", 300.0), ("6h", 21600.0), ("0.5h", 1800.0), ("2d", 172800.0),
        ("1w", 604800.0), ("1h30m", 5400.0), ("1h 30m", 5400.0), (" 1h30m15s ", 5415.0), ("0s", 0.0), ("1d12h", 129600.0),
        (timedelta(minutes=2), 120.0), (timedelta(), 0.0),
    ],
)  # fmt: skip
def test_durations_in_seconds(written, expected):
    assert seconds(written) == expected and type(seconds(written)) is float


@pytest.mark.parametrize(
    "written", ["90", "", " ", "h", "6 hours", "1h30", "-5s", "1:30", "6H", "1e3s", "inf", "nan s", "1h,2m", "٣h"]
)
def test_a_text_that_is_no_duration_is_refused_with_an_example(written):
    with pytest.raises(UsageError, match="is no duration: write a number with its unit, such as '90s'"):
        seconds(written)


@pytest.mark.parametrize(
    "written", [-1, -0.5, float("nan"), float("inf"), timedelta(seconds=-1), np.float64("nan"), "9" * 400 + "h"]
)
def test_a_negative_or_endless_duration_is_refused(written):
    with pytest.raises(UsageError, match="expected a finite duration of at least 0 seconds"):
        seconds(written)


@pytest.mark.parametrize("written", [True, None, [90], {"seconds": 90}, 1j, b"6h", np.ones(2)])
def test_what_is_neither_a_number_nor_a_text_is_refused(written):
    with pytest.raises(UsageError, match="is no duration: expected seconds, or a string such as '6h'"):
        seconds(written)
