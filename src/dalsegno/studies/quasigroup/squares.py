"""Instances: latin squares sampled from a seed, with holes; and partial squares that may have no completion.

A square is an integer array (order, order) with values 0 to order - 1, and -1 where a cell is a hole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError

Square = npt.NDArray[np.int64]
LARGEST_ORDER = 62  # a row of values is one signed 64-bit mask
PURPOSES = {"square": 0, "holes": 1, "partial": 2}


def generator_state(*seeds: int) -> npt.NDArray[np.uint64]:
    """The state (1,) of the kernel's generator that seeds of any size stand for."""
    return np.asarray(np.random.SeedSequence(seeds).generate_state(1, np.uint64), np.uint64)


def check_order(order: int) -> None:
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or not 1 <= order <= LARGEST_ORDER:
        raise UsageError(f"order={order!r}: expected a whole number from 1 to {LARGEST_ORDER}")


def latin_square(order: int, seed: int, *, moves: int | None = None) -> Square:
    """A random latin square (order, order) by the Markov chain of Jacobson and Matthews (1996).

    ``moves`` (default ``order ** 3``) is how far the chain runs from the cyclic square; its stationary law is
    uniform.

    >>> sorted(latin_square(4, seed=0)[0].tolist())
    [0, 1, 2, 3]
    """
    check_order(order)
    from dalsegno.studies.quasigroup.kernel import sample_square

    length = order**3 if moves is None else moves
    return np.asarray(sample_square(order, length, generator_state(seed, PURPOSES["square"])))


def square_with_holes(order: int, holes: int, seed: int) -> Square:
    """A random latin square with ``holes`` cells emptied: it has a completion (Achlioptas et al. 2000).

    The holes are balanced, which is the hard kind (Kautz et al. 2001): every row and every column has the
    same number of them, or one more.  They are the cells where a second random latin square is small.
    Completion is hardest around ``holes = 1.7 * order ** 1.55``.

    >>> sorted((square_with_holes(order=6, holes=14, seed=3) < 0).sum(axis=0).tolist())
    [2, 2, 2, 2, 3, 3]
    """
    check_order(order)
    if not 0 <= holes <= order * order:
        raise UsageError(f"holes={holes!r}: a square of order {order} has 0 to {order * order} of them")
    from dalsegno.studies.quasigroup.kernel import sample_square

    square = latin_square(order, seed)
    pattern = np.asarray(sample_square(order, order**3, generator_state(seed, PURPOSES["holes"])))
    everywhere, more = divmod(holes, order)
    square[pattern < everywhere] = -1
    if more:
        generator = np.random.default_rng((seed, PURPOSES["holes"]))
        rows, columns = np.nonzero(pattern == everywhere)
        chosen = generator.choice(rows.size, more, replace=False)
        square[rows[chosen], columns[chosen]] = -1
    return square


def partial_square(order: int, filled: int, seed: int) -> Square:
    """A square with ``filled`` random cells, no value twice in a row or column: it may have no completion.

    The original problem of Gomes and Selman (1997); about half have a completion with 42 % of the cells
    filled, the hardest place.  Raises :class:`UsageError` where a hundred tries cannot place so many.

    >>> int((partial_square(order=5, filled=10, seed=0) >= 0).sum())
    10
    """
    check_order(order)
    if not 0 <= filled <= order * order:
        raise UsageError(f"filled={filled!r}: a square of order {order} has 0 to {order * order} cells")
    generator = np.random.default_rng((seed, PURPOSES["partial"]))
    for _ in range(100):
        square = np.full((order, order), -1, np.int64)
        left = filled
        for cell in generator.permutation(order * order):
            if not left:
                break
            row, column = divmod(int(cell), order)
            values = np.setdiff1d(np.arange(order), np.concatenate([square[row], square[:, column]]))
            if values.size:
                square[row, column] = generator.choice(values)
                left -= 1
        if not left:
            return square
    raise UsageError(f"filled={filled}: no such partial square of order {order} was found in 100 tries; ask for fewer")


def is_completion(square: Square | None, givens: Square) -> bool:
    """Whether ``square`` is a latin square that agrees with every cell given.

    >>> is_completion(np.array([[0, 1], [1, 0]]), np.array([[-1, 1], [-1, -1]]))
    True
    >>> is_completion(np.array([[0, 1], [0, 1]]), np.array([[-1, 1], [-1, -1]]))
    False
    """
    if square is None or square.shape != givens.shape:
        return False
    values = np.arange(givens.shape[0])
    rows = bool((np.sort(square, axis=1) == values).all())
    columns = bool((np.sort(square, axis=0) == values[:, None]).all())
    return rows and columns and bool((square == givens)[givens >= 0].all())
