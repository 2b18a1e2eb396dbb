"""Geometric: cutoffs that grow, and the factors at which the expected total is infinite."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies import Geometric


def test_cutoffs_grow_by_the_factor() -> None:
    assert [Geometric(2, factor=3.0).cutoff(k) for k in (1, 2, 3)] == [2.0, 6.0, 18.0]


def test_the_default_factor_is_1_1() -> None:
    assert Geometric(1).cutoff(3) == pytest.approx(1.21)


def test_a_cutoff_beyond_all_numbers_is_infinite() -> None:
    assert Geometric(1, factor=10.0).cutoff(10_000) == inf


@pytest.mark.parametrize(("factor", "success"), [(2.0, 0.5), (1.25, 0.2), (10.0, 0.9)])
def test_a_factor_whose_expected_total_is_infinite_is_refused(factor: float, success: float) -> None:
    with pytest.raises(UsageError, match="infinite"):
        Geometric(1, factor=factor, success=success)


@pytest.mark.parametrize(("factor", "success"), [(1.99, 0.5), (1.24, 0.2), (1e6, 1.0), (1.0, 0.01)])
def test_a_factor_whose_expected_total_is_finite_is_taken(factor: float, success: float) -> None:
    # An attempt that succeeds does so at once: the total is the sum of unit x (factor (1 - success)) ** k.
    ratio = Geometric(1, factor=factor, success=success).factor * (1.0 - success)
    assert ratio < 1.0


@pytest.mark.parametrize(
    "keywords",
    [{"factor": 0.9}, {"factor": inf}, {"factor": float("nan")}, {"success": 0.0}, {"success": 1.1}],
)
def test_other_mistakes_are_refused(keywords: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"Geometric\("):
        Geometric(1, **keywords)


def test_it_reads_like_its_constructor_call() -> None:
    assert str(Geometric(5, factor=1.5)) == "Geometric(5.0, factor=1.5)"
