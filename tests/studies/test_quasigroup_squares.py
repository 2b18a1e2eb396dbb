"""Latin squares and the instances made of them."""

from __future__ import annotations

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.studies.quasigroup import is_completion, latin_square, partial_square, square_with_holes

pytest.importorskip("numba")


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7, 16, 25, 62])
def test_sampled_square_is_latin(order: int) -> None:
    assert is_completion(latin_square(order, seed=order), np.full((order, order), -1))


def test_squares_of_order_three_are_sampled_uniformly() -> None:
    counts: dict[bytes, int] = {}
    draws = 6000
    for seed in range(draws):
        square = latin_square(3, seed).tobytes()
        counts[square] = counts.get(square, 0) + 1
    assert len(counts) == 12
    expected = draws / 12
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_square < 31.3  # the 99.9 % point with 11 degrees of freedom


def test_both_isotopy_classes_of_order_four_appear_in_proportion() -> None:
    # Of the 576 squares 144 are tables of the group Z2 x Z2 up to isotopy, 432 of Z4.  The former hold 12
    # subsquares of order 2, the latter 4.
    draws, klein = 2000, 0
    for seed in range(draws):
        square = latin_square(4, seed)
        subsquares = sum(
            square[i, j] == square[k, m] and square[i, m] == square[k, j]
            for i in range(4)
            for k in range(i + 1, 4)
            for j in range(4)
            for m in range(j + 1, 4)
        )
        assert subsquares in (4, 12)
        klein += subsquares == 12
    assert abs(klein / draws - 0.25) < 4 * (0.25 * 0.75 / draws) ** 0.5  # four standard errors


def test_square_depends_on_nothing_but_order_and_seed() -> None:
    first = square_with_holes(12, 60, seed=5)
    np.random.default_rng().random(10)
    assert (first == square_with_holes(12, 60, seed=5)).all()
    assert (first != square_with_holes(12, 60, seed=6)).any()


@pytest.mark.parametrize(("order", "holes"), [(6, 0), (6, 14), (6, 36), (11, 55), (25, 264)])
def test_holes_are_balanced_and_as_many_as_asked(order: int, holes: int) -> None:
    empty = square_with_holes(order, holes, seed=1) < 0
    assert empty.sum() == holes
    for axis in (0, 1):
        assert set(empty.sum(axis=axis).tolist()) <= {holes // order, -(-holes // order)}


def test_cells_that_stay_are_those_of_a_latin_square() -> None:
    givens = square_with_holes(10, 40, seed=2)
    assert is_completion(latin_square(10, seed=2), givens)


def test_partial_square_repeats_no_value_in_a_line() -> None:
    square = partial_square(11, 50, seed=4)
    assert (square >= 0).sum() == 50
    for line in [*square, *square.T]:
        given = line[line >= 0]
        assert len(set(given.tolist())) == given.size


@pytest.mark.parametrize(
    ("square", "right"),
    [
        ([[0, 1], [1, 0]], True),
        ([[1, 0], [0, 1]], False),  # latin, but not what was given
        ([[0, 1], [0, 1]], False),
        ([[0, 0], [1, 1]], False),
        ([[0, 1, 2], [1, 2, 0], [2, 0, 1]], False),
    ],
)
def test_is_completion_needs_a_latin_square_that_extends_the_given_cells(square: list[list[int]], right: bool) -> None:
    assert is_completion(np.array(square), np.array([[0, -1], [-1, -1]])) is right


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: latin_square(0, seed=0),
        lambda: latin_square(63, seed=0),
        lambda: latin_square(2.5, seed=0),  # type: ignore[arg-type]
        lambda: square_with_holes(5, 26, seed=0),
        lambda: square_with_holes(5, -1, seed=0),
        lambda: partial_square(5, 26, seed=0),
    ],
)
def test_impossible_sizes_are_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="expected|has 0 to"):
        wrong()  # type: ignore[operator]
