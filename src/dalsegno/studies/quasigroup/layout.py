"""How the arrays of a search are laid out; shared by the Process and the compiled kernel, and free of Numba.

That value v may stand in row i and column j is kept three times, as a bit in each of three masks:

    masks (3, n, n)    int64   VALUES[i, j]: values of a cell; COLUMNS[i, v], ROWS[j, v]: places of a value
    trail (n**3,)      int32   what was ruled out, i << 12 | j << 6 | v, newest last: the way back
    frames (n*n+1, 3)  int64   a choice: its cell i << 6 | j, the values not yet tried, the trail's length
    numbers (5,)       int64   DEPTH in frames, TOP of the trail, STATUS, NODES, BACKTRACKS
    random (1,)        uint64  the state of the generator
"""

from __future__ import annotations

VALUES, COLUMNS, ROWS = range(3)
DEPTH, TOP, STATUS, NODES, BACKTRACKS = range(5)
CELL, LEFT, BELOW = range(3)
OPEN, RETRY, SOLVED, EXHAUSTED = range(4)  # STATUS: choose a cell; try the next value; the two ends
