"""Puts the catalog's table into the page of the systems when the site is built, so that the two cannot differ."""

from __future__ import annotations

from typing import Any

from dalsegno.catalog import WINGS, System, systems

PLACE = "<!-- the table of systems -->"


def row(system: System) -> str:
    """One line of the table.

    >>> row(systems()[47]).split(" | ")[0]
    '| 47'
    """
    source = system.source
    if system.arxiv:
        source = f"{system.authors} ({system.year}), [{system.arxiv}](https://arxiv.org/abs/{system.arxiv})"
    asked = ", ".join(system.question)
    return f"| {system.number:02d} | {system.name} | {system.does} | {asked} | {source} | {system.state} |"


def table() -> str:
    """The catalog by wing, in Markdown."""
    lines: list[str] = []
    for wing in WINGS:
        lines += [f"## {wing.capitalize()}", "", "| | name | what it does | question | source | state |"]
        lines += ["| --- " * 6 + "|", *(row(system) for system in systems() if system.wing == wing), ""]
    return "\n".join(lines)


def on_page_markdown(markdown: str, **_: Any) -> str:
    return markdown.replace(PLACE, table())
