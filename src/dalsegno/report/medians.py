"""Medians: how groups of runs stand to each other, as words and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dalsegno.report import numbers
from dalsegno.report.tables import table


def spread(found: Any) -> str:
    """A median with its interval."""
    if found is None:
        return ""
    text = numbers.number(found.median, 5)
    if found.interval is not None and found.interval[0] != found.interval[1]:
        text += f" [{numbers.number(found.interval[0], 4)}, {numbers.number(found.interval[1], 4)}]"
    return text


def ratio(found: Any) -> str:
    """How a median stands to that of the first group."""
    if found is None or found.ratio is None:
        return ""
    text = f"{found.ratio:.3g}×"
    if found.ratio_interval is not None:
        text += f" [{found.ratio_interval[0]:.3g}, {found.ratio_interval[1]:.3g}]"
    return text


def comparison(found: Any) -> Any:
    """Groups side by side: a figure a line, the median over seeds of each group and its ratio to the first."""
    groups = found.groups
    columns = ["figure", groups[0].label]
    for one in groups[1:]:
        columns += [one.label, "ratio"]
    lines = [["seeds ended", *counts(groups, lambda one: len(one.ended))],
             ["succeeded", *counts(groups, lambda one: one.succeeded)]]  # fmt: skip
    if any(one.left_out for one in groups):
        lines.append(["not ended, left out", *counts(groups, lambda one: one.left_out)])
    for name in found.figures:
        line = [name, spread(groups[0].spreads.get(name))]
        for one in groups[1:]:
            line += [spread(one.spreads.get(name)), ratio(one.spreads.get(name))]
        lines.append(line)
    return table("median over seeds [95% bootstrap interval from 3 seeds on]", columns, lines, figures=columns[1:])


def counts(groups: Sequence[Any], count: Any) -> list[str]:
    cells = [str(count(groups[0]))]
    for one in groups[1:]:
        cells += [str(count(one)), ""]
    return cells
