"""Steps as blocks of columns: a row of JSON for each step would cost more than the step's whole allowance.

A block holds up to 4,096 steps of one branch: a JSON list of its columns and one run of bytes.  A column of floats is 8
bytes a step, little-endian, NaN and infinities as they are; where some steps lack the metric a byte a step follows that
says which have it, so that absent is not NaN.

    kind     name     bytes a step
    step     ""       8 (a signed integer; only where the steps are not consecutive)
    seconds  ""       8
    metric   its own  8, and 1 if some steps lack it
    cost     its own  8, and 1 if some steps lack it
    status   ""       1 (its place in ``STATUSES``; only where a step was not "running")
    value    ""       8 and 1 (only where a step had one)
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import nan
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

STATUSES = ("running", "succeeded", "failed")
LARGEST = 4096  # steps in a block; a step's id is its block's id times this, plus its place: no other row ever has it

Taken = tuple[int, float, dict[str, float], dict[str, float], str, "float | None"]
Row = tuple[int, int, float, dict[str, float], dict[str, float], str, "float | None"]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def pack(rows: Sequence[Taken]) -> tuple[str, bytes]:
    """Columns (as JSON) and data of rows of (step, seconds, metrics, cost, status, value).

    >>> columns, data = pack([(1, 0.5, {"loss": 2.0}, {}, "running", None), (2, 0.5, {}, {}, "running", None)])
    >>> columns, len(data)
    ('[["seconds","",false],["metric","loss",true]]', 34)
    """
    steps, seconds, metrics, costs, statuses, values = zip(*rows, strict=True)
    columns: list[tuple[str, str, bool]] = []
    data = bytearray()
    first = steps[0]
    if steps != tuple(range(first, first + len(steps))):
        columns.append(("step", "", False))
        data += little(array("q", steps))
    columns.append(("seconds", "", False))
    data += little(array("d", seconds))
    pack_named("metric", metrics, columns, data)
    if any(costs):
        pack_named("cost", costs, columns, data)
    if statuses.count("running") != len(statuses):
        columns.append(("status", "", False))
        data += bytes(map(STATUSES.index, statuses))
    if values.count(None) != len(values):
        columns.append(("value", "", True))
        data += little(array("d", [nan if value is None else value for value in values]))
        data += bytes([value is not None for value in values])
    return json.dumps(columns, separators=(",", ":")), bytes(data)


def pack_named(
    kind: str, dicts: Sequence[dict[str, float]], columns: list[tuple[str, str, bool]], data: bytearray
) -> None:
    """The columns of one kind; a block whose rows all have the same names takes the short way."""
    names = tuple(dicts[0])
    if names and set(map(len, dicts)) == {len(names)}:
        try:
            figures = map(itemgetter(*names), dicts)
            flat = np.fromiter(
                figures if len(names) == 1 else chain.from_iterable(figures), "<f8", len(names) * len(dicts)
            )
        except KeyError:
            pass  # as many names, but others
        else:
            for place, name in enumerate(names):
                columns.append((kind, name, False))
                data += flat[place :: len(names)].tobytes()
            return
    for name in dict.fromkeys(chain.from_iterable(dicts)):
        there = bytes([name in one for one in dicts])
        gaps = 0 in there
        columns.append((kind, name, gaps))
        data += little(array("d", [one.get(name, nan) for one in dicts]))
        if gaps:
            data += there


def little(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


@dataclass(slots=True)
class Columns:
    """A block read back: arrays of ``count`` entries, each named one with where it is present (None: everywhere)."""

    steps: npt.NDArray[np.int64]
    seconds: Floats
    metrics: dict[str, tuple[Floats, Flags | None]] = field(default_factory=dict)
    cost: dict[str, tuple[Floats, Flags | None]] = field(default_factory=dict)
    status: npt.NDArray[np.uint8] | None = None
    value: tuple[Floats, Flags | None] | None = None

    @property
    def total_cost(self) -> dict[str, float]:
        """The cost of all steps of the block, by unit."""
        return {
            unit: float(amounts.sum() if there is None else amounts[there].sum())
            for unit, (amounts, there) in self.cost.items()
        }


def columns_of(first_step: int, count: int, columns: str, data: bytes) -> Columns:
    """A block read back, by columns."""
    place = 0

    def take(kind: str) -> Any:
        nonlocal place
        found = np.frombuffer(data, dtype=kind, count=count, offset=place)
        place += found.nbytes
        return found

    block = Columns(np.arange(first_step, first_step + count, dtype=np.int64), np.empty(0))
    for kind, name, gaps in json.loads(columns):
        if kind == "status":
            block.status = take("u1")
            continue
        numbers = take("<i8" if kind == "step" else "<f8")
        there = take("?") if gaps else None
        if kind == "step":
            block.steps = numbers
        elif kind == "seconds":
            block.seconds = numbers
        elif kind == "metric":
            block.metrics[name] = (numbers, there)
        elif kind == "cost":
            block.cost[name] = (numbers, there)
        elif kind == "value":
            block.value = (numbers, there)
    return block


def unpack(block_id: int, first_step: int, count: int, columns: str, data: bytes) -> Iterator[Row]:
    """A block read back, by rows: id, step, seconds, metrics, cost, status, value.

    >>> columns, data = pack([(7, 0.5, {"loss": 2.0}, {}, "succeeded", None)])
    >>> list(unpack(1, 7, 1, columns, data))
    [(4096, 7, 0.5, {'loss': 2.0}, {}, 'succeeded', None)]
    """
    return rows(block_id, columns_of(first_step, count, columns, data))


def rows(block_id: int, block: Columns) -> Iterator[Row]:
    """The rows of a block that has been read back by columns."""
    count = len(block.steps)
    steps, seconds = block.steps.tolist(), block.seconds.tolist()
    statuses = bytes(count) if block.status is None else block.status.tobytes()
    values: list[float | None] = [None] * count
    if block.value is not None:
        ((_, numbers, there),) = listed({"value": block.value})
        values = [number if there is None or there[i] else None for i, number in enumerate(numbers)]
    metrics, cost = listed(block.metrics), listed(block.cost)
    for i in range(count):
        yield (
            block_id * LARGEST + i,
            steps[i],
            seconds[i],
            {name: column[i] for name, column, there in metrics if there is None or there[i]},
            {name: column[i] for name, column, there in cost if there is None or there[i]},
            STATUSES[statuses[i]],
            values[i],
        )


def listed(columns: Mapping[str, tuple[Floats, Flags | None]]) -> list[tuple[str, list[float], list[bool] | None]]:
    """Columns as lists of Python numbers, which are read one by one faster than arrays."""
    return [
        (name, column.tolist(), None if there is None else there.tolist()) for name, (column, there) in columns.items()
    ]
