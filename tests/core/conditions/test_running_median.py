"""The robust level of a window: exact figures, and bounds that hold whatever comes next."""

from __future__ import annotations

from statistics import median as textbook_median

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalsegno.core.conditions.running_median import NORMAL, deviation, least_deviation, least_median, median

figures = some.floats(-1e6, 1e6)


@given(some.lists(figures, min_size=1, max_size=40))
def test_the_median_is_the_textbooks(values: list[float]) -> None:
    assert median(sorted(values)) == pytest.approx(textbook_median(values))


def test_the_deviation_of_the_worked_example() -> None:
    ordered = sorted([1.00, 1.02] * 64)
    assert (median(ordered), deviation(ordered, 1.01)) == (pytest.approx(1.01), pytest.approx(0.01))


def test_the_limit_of_the_worked_example() -> None:
    ordered = sorted([1.00, 1.02] * 64)
    assert median(ordered) + 8 * NORMAL * deviation(ordered, median(ordered)) == pytest.approx(1.128608)


@given(some.lists(figures, min_size=2, max_size=30), some.lists(figures, max_size=8), some.integers(0, 30))
def test_neither_figure_falls_below_its_bound(values: list[float], further: list[float], kept: int) -> None:
    allowed = (len(values) - 1) // 2
    further = further[:allowed]
    ordered = sorted(values)
    bounds = least_median(ordered, len(further)), least_deviation(ordered, len(further))
    gone = min(kept, len(further))  # of the old values at most as many leave as come in
    window = sorted(values[gone:] + further)
    assert median(window) >= bounds[0]
    assert deviation(window, median(window)) >= bounds[1]
