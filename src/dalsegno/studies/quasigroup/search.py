"""The search as a Process: so many nodes a step, stopped, saved and gone on with at any of them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import SnapshotError, UsageError
from dalsegno.core.process import Origin, Process
from dalsegno.core.report import Failure, Report
from dalsegno.studies.quasigroup.layout import (
    BACKTRACKS,
    DEPTH,
    EXHAUSTED,
    NODES,
    OPEN,
    RETRY,
    SOLVED,
    STATUS,
    TOP,
    VALUES,
)
from dalsegno.studies.quasigroup.squares import Square, check_order, generator_state

STATUS_OF = {OPEN: "running", RETRY: "running", SOLVED: "succeeded", EXHAUSTED: "failed"}


class Completion(Process):
    """Randomised backtracking for quasigroup completion.

    Branches on an empty cell with the fewest values left, ties broken at random, and tries its values in
    random order; after each the consequences are carried through rows and columns (a fixed value leaves its
    row and column; with ``hidden_singles`` a value with one place left is put there).  The search is
    complete: it ends with a completion (status succeeded) or with the proof that there is none (status
    failed).

    One step tries up to ``nodes_per_step`` values (default 100) and reports how many as cost ``{"nodes":
    ...}``; the metric ``depth`` is the number of choices that stand.  ``givens`` is an integer array (order,
    order), -1 for a hole. ``solution`` is the completed square, or None; ``proved_unsolvable`` is true where
    there is none.
    """

    def __init__(self, givens: Square, *, nodes_per_step: int = 100, hidden_singles: bool = True) -> None:
        self.givens = check_givens(givens)
        if isinstance(nodes_per_step, bool) or not isinstance(nodes_per_step, int) or nodes_per_step < 1:
            raise UsageError(f"nodes_per_step={nodes_per_step!r}: expected a whole number of at least 1")
        self.nodes_per_step = nodes_per_step
        self.hidden_singles = hidden_singles
        self.order = order = int(self.givens.shape[0])
        self.masks = np.zeros((3, order, order), np.int64)
        self.trail = np.zeros(order**3, np.int32)
        self.frames = np.zeros((order * order + 1, 3), np.int64)
        self.numbers = np.zeros(5, np.int64)
        self.random = np.zeros(1, np.uint64)
        self.waiting = np.empty(3 * order**3 + 1, np.int32)  # the kernel's scratch: empty between steps

    def reset(self, *, seed: int, origin: Origin | None = None) -> None:
        from dalsegno.studies.quasigroup.kernel import set_up

        self.random[:] = generator_state(seed)
        set_up(self.order, self.hidden_singles, self.givens, self.masks, self.trail, self.numbers, self.waiting)

    def step(self) -> Report:
        from dalsegno.studies.quasigroup.kernel import search

        used = search(
            self.order,
            self.hidden_singles,
            self.nodes_per_step,
            self.masks,
            self.trail,
            self.frames,
            self.numbers,
            self.random,
            self.waiting,
        )
        status = STATUS_OF[int(self.numbers[STATUS])]
        failure = None
        if status == "failed":
            failure = Failure(("Unsolvable",), "the search has shown that the given cells have no completion")
        return Report({"depth": float(self.numbers[DEPTH])}, {"nodes": float(used)}, status, failure=failure)

    def state_dict(self) -> dict[str, Any]:
        """The whole search: masks, trail, choices, counters and random generator."""
        return {
            "masks": self.masks.copy(),
            "trail": self.trail[: self.numbers[TOP]].copy(),
            "frames": self.frames[: self.numbers[DEPTH]].copy(),
            "numbers": self.numbers.copy(),
            "random": self.random.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["masks"].shape != self.masks.shape:
            there = state["masks"].shape[-1]
            raise SnapshotError(f"the state is of a search of order {there}, this one has order {self.order}")
        self.masks[:] = state["masks"]
        self.numbers[:] = state["numbers"]
        self.random[:] = state["random"]
        self.trail[: self.numbers[TOP]] = state["trail"]
        self.frames[: self.numbers[DEPTH]] = state["frames"]

    @property
    def nodes(self) -> int:
        """How many values have been tried since the reset."""
        return int(self.numbers[NODES])

    @property
    def backtracks(self) -> int:
        """How many of them led to a contradiction at once."""
        return int(self.numbers[BACKTRACKS])

    @property
    def solution(self) -> Square | None:
        if self.numbers[STATUS] != SOLVED:
            return None
        return np.asarray(np.log2(self.masks[VALUES]).round(), np.int64)

    @property
    def proved_unsolvable(self) -> bool:
        return bool(self.numbers[STATUS] == EXHAUSTED)


def check_givens(givens: npt.ArrayLike) -> Square:
    """``givens`` as an array of its own; refused where it is no square of values and holes."""
    array = np.asarray(givens)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind not in "iu":
        raise UsageError(
            f"givens has shape {array.shape} and type {array.dtype}: expected whole numbers (order, order)"
        )
    check_order(array.shape[0])
    if array.min() < -1 or array.max() >= array.shape[0]:
        row, column = np.argwhere((array < -1) | (array >= array.shape[0]))[0]
        raise UsageError(
            f"givens[{row}, {column}] is {array[row, column]}: "
            f"expected -1 for a hole or a value from 0 to {array.shape[0] - 1}"
        )
    return array.astype(np.int64, order="C")


def warm_up() -> float:
    """Compile the kernel, or load it from Numba's cache; the seconds that took, apart from any search."""
    began = time.perf_counter()
    from dalsegno.studies.quasigroup.squares import square_with_holes

    search = Completion(square_with_holes(order=4, holes=8, seed=0))
    search.reset(seed=0)
    search.step()
    return time.perf_counter() - began
