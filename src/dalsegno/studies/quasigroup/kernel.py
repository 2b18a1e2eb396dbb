"""The compiled inner loops: a sampler of latin squares and the randomised backtracking search.

Imported inside the functions that need it, because it imports Numba.  Everything a search depends on, its
random generator too, lies in arrays that the caller owns (``layout`` says which), so a copy of them is a
snapshot of it.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import njit

from dalsegno.studies.quasigroup.layout import (
    BACKTRACKS,
    BELOW,
    CELL,
    COLUMNS,
    DEPTH,
    EXHAUSTED,
    LEFT,
    NODES,
    OPEN,
    RETRY,
    ROWS,
    SOLVED,
    STATUS,
    TOP,
    VALUES,
)

GAMMA, MIX_1, MIX_2 = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
S27, S30, S31, S32, S58 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32), np.uint64(58)
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
POSITIONS = np.zeros(64, np.int64)
for _position in range(64):
    POSITIONS[((1 << _position) * int(DE_BRUIJN) % 2**64) >> 58] = _position


@njit(cache=True)
def draw(random, bound):
    """A number from 0 to bound - 1, by SplitMix64 (Steele, Lea and Flood 2014) and a multiply and shift."""
    random[0] += GAMMA
    z = random[0]
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    z = z ^ (z >> S31)
    return np.int64(((z >> S32) * np.uint64(bound)) >> S32)


@njit(cache=True)
def lowest(mask):
    """The number of the lowest set bit, by a de Bruijn sequence."""
    return POSITIONS[(np.uint64(mask & -mask) * DE_BRUIJN) >> S58]


@njit(cache=True)
def population(mask):
    """How many bits are set."""
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@njit(cache=True)
def one_on_line(cube, i, j, k, axis, nth):
    """Where the ``nth`` (from 0) entry 1 lies on the line through (i, j, k) along ``axis``."""
    for at in range(cube.shape[0]):
        entry = cube[at, j, k] if axis == 0 else cube[i, at, k] if axis == 1 else cube[i, j, at]
        if entry == 1:
            if nth == 0:
                return at
            nth -= 1
    return -1


@njit(cache=True)
def sample_square(order, moves, random):
    """A latin square (order, order) by the chain of Jacobson and Matthews (1996), from the cyclic square on.

    Its states are the incidence cubes of latin squares and, between them, improper ones with a single entry
    -1.  Only arrivals at latin squares are counted, up to ``moves``: to stop at the first one after a fixed
    number of moves of both kinds would favour those that end long ways through improper ones.
    """
    cube = np.zeros((order, order, order), np.int8)
    for i in range(order):
        for j in range(order):
            cube[i, j, (i + j) % order] = 1
    improper = False
    i = j = k = 0
    while order > 1 and moves > 0:
        if not improper:
            i, j, k = draw(random, order), draw(random, order), draw(random, order)
            while cube[i, j, k] != 0:
                i, j, k = draw(random, order), draw(random, order), draw(random, order)
        ways = 2 if improper else 1  # the lines through the entry -1 hold two entries 1 each
        a = one_on_line(cube, i, j, k, 0, draw(random, ways))
        b = one_on_line(cube, i, j, k, 1, draw(random, ways))
        c = one_on_line(cube, i, j, k, 2, draw(random, ways))
        cube[i, j, k] += 1
        cube[i, b, c] += 1
        cube[a, j, c] += 1
        cube[a, b, k] += 1
        cube[a, j, k] -= 1
        cube[i, b, k] -= 1
        cube[i, j, c] -= 1
        cube[a, b, c] -= 1
        improper = cube[a, b, c] < 0
        moves -= 0 if improper else 1
        i, j, k = a, b, c
    square = np.zeros((order, order), np.int64)
    for i in range(order):
        for j in range(order):
            for k in range(order):
                if cube[i, j, k] == 1:
                    square[i, j] = k
    return square


@njit(cache=True)
def switch(what, masks):
    """Rule a value in a cell out, or back in: the same operation."""
    i, j, v = what >> 12, what >> 6 & 63, what & 63
    masks[VALUES, i, j] ^= np.int64(1) << v
    masks[COLUMNS, i, v] ^= np.int64(1) << j
    masks[ROWS, j, v] ^= np.int64(1) << i


@njit(cache=True)
def rule_out(hidden, i, j, v, masks, trail, numbers, waiting, count):
    """Rule value v out of cell (i, j). The new length of ``waiting`` (cells thereby fixed), or -1: contradiction."""
    what = i << 12 | j << 6 | v
    trail[numbers[TOP]] = what
    numbers[TOP] += 1
    switch(what, masks)
    values, columns, rows = masks[VALUES, i, j], masks[COLUMNS, i, v], masks[ROWS, j, v]
    if values == 0:
        return -1
    if values & (values - 1) == 0:
        waiting[count] = i << 12 | j << 6 | lowest(values)
        count += 1
    if not hidden:
        return count
    if columns == 0 or rows == 0:
        return -1
    if columns & (columns - 1) == 0:
        waiting[count] = i << 12 | lowest(columns) << 6 | v
        count += 1
    if rows & (rows - 1) == 0:
        waiting[count] = lowest(rows) << 12 | j << 6 | v
        count += 1
    return count


@njit(cache=True)
def propagate(hidden, masks, trail, numbers, waiting, count):
    """Carry the fixed cells in ``waiting`` through rows and columns to a fixed point; False: contradiction."""
    while count > 0:
        count -= 1
        what = waiting[count]
        i, j, v = what >> 12, what >> 6 & 63, what & 63
        if not masks[VALUES, i, j] >> v & 1:
            return False  # two values have this cell as their only place
        for kind in range(3):
            keep = v if kind == VALUES else j if kind == COLUMNS else i
            left = masks[kind, j, v] if kind == ROWS else masks[kind, i, v] if kind == COLUMNS else masks[kind, i, j]
            left &= ~(np.int64(1) << keep)
            while left:
                other = lowest(left)
                left &= left - 1
                if kind == VALUES:
                    count = rule_out(hidden, i, j, other, masks, trail, numbers, waiting, count)
                elif kind == COLUMNS:
                    count = rule_out(hidden, i, other, v, masks, trail, numbers, waiting, count)
                else:
                    count = rule_out(hidden, other, j, v, masks, trail, numbers, waiting, count)
                if count < 0:
                    return False
    return True


@njit(cache=True)
def set_up(order, hidden, cells, masks, trail, numbers, waiting):
    """Begin a search: propagate the given cells (``cells`` is -1 for a hole); EXHAUSTED: contradiction."""
    masks[:] = (np.int64(1) << order) - 1
    numbers[:] = 0
    for i in range(order):
        for j in range(order):
            if cells[i, j] >= 0:
                waiting[0] = i << 12 | j << 6 | cells[i, j]
                if not propagate(hidden, masks, trail, numbers, waiting, 1):
                    numbers[STATUS] = EXHAUSTED
                    return
    numbers[TOP] = 0  # what follows from the given cells is never taken back


@njit(cache=True)
def choose(order, masks, random):
    """An unfixed cell with the fewest values left, ties broken at random; -1 where every cell is fixed."""
    chosen, smallest, ties = -1, 64, 0
    for i in range(order):
        for j in range(order):
            mask = masks[VALUES, i, j]
            if mask & (mask - 1) == 0:
                continue
            size = population(mask)
            if size < smallest:
                chosen, smallest, ties = i << 6 | j, size, 1
            elif size == smallest:
                ties += 1
                if draw(random, ties) == 0:
                    chosen = i << 6 | j
    return chosen


@njit(cache=True)
def search(order, hidden, budget, masks, trail, frames, numbers, random, waiting):
    """Go on with a search for at most ``budget`` nodes (values tried). How many were tried."""
    used = 0
    while used < budget and numbers[STATUS] < SOLVED:
        if numbers[STATUS] == OPEN:
            cell = choose(order, masks, random)
            if cell < 0:
                numbers[STATUS] = SOLVED
                break
            frame = frames[numbers[DEPTH]]
            frame[CELL], frame[LEFT], frame[BELOW] = cell, masks[VALUES, cell >> 6, cell & 63], numbers[TOP]
            numbers[DEPTH] += 1
            numbers[STATUS] = RETRY
        if numbers[DEPTH] == 0:
            numbers[STATUS] = EXHAUSTED
            break
        frame = frames[numbers[DEPTH] - 1]
        while numbers[TOP] > frame[BELOW]:
            numbers[TOP] -= 1
            switch(trail[numbers[TOP]], masks)
        left = frame[LEFT]
        if left == 0:
            numbers[DEPTH] -= 1
            continue
        for _ in range(draw(random, population(left))):
            left &= left - 1
        value = lowest(left)
        frame[LEFT] ^= np.int64(1) << value
        used += 1
        waiting[0] = frame[CELL] << 6 | value
        if propagate(hidden, masks, trail, numbers, waiting, 1):
            numbers[STATUS] = OPEN
        else:
            numbers[BACKTRACKS] += 1
    numbers[NODES] += used
    return used
