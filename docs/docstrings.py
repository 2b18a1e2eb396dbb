"""Prepares docstrings for this site: examples become code blocks, tables Markdown's, and roles plain code.

Docstrings are written to be read in the source and by ``help()``, where an example is a few lines that begin
with ``>>>`` and a table stands between rules of ``=``. In Markdown those would be quotations and running text.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:py:)?(?:class|func|meth|mod|attr|data|exc):`~?([^`<]+)`")
TABLE = re.compile(
    r"^(?P<indent> *)(?P<first>=+)(?P<gap> +)=+\n(?P<rows>(?:.*\n)+?)(?P=indent)(?P=first)(?P=gap)=+$", re.MULTILINE
)


def table(found: re.Match[str]) -> str:
    """A table of two columns between rules of ``=``, in Markdown.

    >>> print(TABLE.sub(table, "====  =====\\na, b  first\\nc     last\\n====  ====="))
    <BLANKLINE>
    | name | meaning |
    | --- | --- |
    | a, b | first |
    | c | last |
    """
    indent, width = found["indent"], len(found["indent"] + found["first"] + found["gap"])
    rows = [(row[:width].strip(), row[width:].strip()) for row in found["rows"].splitlines()]
    lines = ["| name | meaning |", "| --- | --- |", *(f"| {name} | {said} |" for name, said in rows)]
    return "\n".join(["", *(indent + line for line in lines)])


def prepared(text: str) -> str:
    """Markdown for a docstring.

    >>> print(prepared("See :func:`dalsegno.run`.").strip())
    See `dalsegno.run`.
    """
    lines: list[str] = []
    inside = False
    for line in TABLE.sub(table, ROLE.sub(r"`\1`", text)).splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        if not inside and line.lstrip().startswith(">>> "):
            lines += ["", f"{indent}```pycon"]
            margin, inside = indent, True
        elif inside and not line.strip():  # an example ends with an empty line, as in doctest
            lines.append(f"{margin}```")
            inside = False
        lines.append(line)
    if inside:
        lines.append(f"{margin}```")
    return "\n".join(lines)


class Docstrings(griffe.Extension):
    """Hands every docstring through :func:`prepared` as it is collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = prepared(obj.docstring.value)
