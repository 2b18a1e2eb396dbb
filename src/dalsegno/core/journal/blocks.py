"""Steps as blocks of columns: a row of JSON for each step would cost more than the step's whole allowance."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

STATUSES = ("running", "succeeded", "failed")
Row = tuple[int, int, float, dict[str, float], dict[str, float], str, float | None]


def pack(rows: Sequence[tuple[int, float, Any]]) -> tuple[str, bytes]:
    """Columns (as JSON) and data of consecutive (step, seconds, report) rows."""
    reports = [report for _, _, report in rows]
    data = bytearray(array("d", [seconds for _, seconds, _ in rows]).tobytes())
    columns: list[list[Any]] = []
    for kind in ("metrics", "cost"):
        values = [getattr(report, kind) for report in reports]
        names: dict[str, None] = {}
        for value in values:
            if value:
                names.update(dict.fromkeys(value))
        for name in names:
            data += array("d", [value.get(name, nan) for value in values]).tobytes()
            gaps = not all(name in value for value in values)
            if gaps:
                data += bytes([name in value for value in values])
            columns.append([kind, name, gaps])
    if any(report.status != "running" for report in reports):
        data += bytes([STATUSES.index(report.status) for report in reports])
        columns.append(["status", "", False])
    if any(report.value is not None for report in reports):
        data += array("d", [nan if r.value is None else r.value for r in reports]).tobytes()
        data += bytes([report.value is not None for report in reports])
        columns.append(["value", "", True])
    return json.dumps(columns), bytes(data)


def unpack(first_row: int, first_step: int, count: int, columns: str, data: bytes) -> Iterator[Row]:
    """The rows of a block: id, step, seconds, metrics, cost, status, value."""
    place = 0

    def floats() -> array[float]:
        nonlocal place
        place += 8 * count
        return array("d", data[place - 8 * count : place])

    def flags() -> bytes:
        nonlocal place
        place += count
        return data[place - count : place]

    seconds = floats()
    parts: dict[str, list[tuple[str, array[float], bytes | None]]] = {"metrics": [], "cost": []}
    status = bytes(count)
    value, has_value = None, bytes(count)
    for kind, name, gaps in json.loads(columns):
        if kind == "status":
            status = flags()
        elif kind == "value":
            value, has_value = floats(), flags()
        else:
            column = floats()
            parts[kind].append((name, column, flags() if gaps else None))
    for i in range(count):
        yield (
            first_row + i,
            first_step + i,
            seconds[i],
            {name: column[i] for name, column, there in parts["metrics"] if there is None or there[i]},
            {name: column[i] for name, column, there in parts["cost"] if there is None or there[i]},
            STATUSES[status[i]],
            value[i] if value is not None and has_value[i] else None,
        )
