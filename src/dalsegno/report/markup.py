"""Markup: HTML and SVG made of elements, in which every text and attribute is escaped."""

from __future__ import annotations

from html import escape
from typing import Any

VOID = frozenset(("meta", "br", "hr"))
SHAPES = frozenset(("path", "rect", "line", "circle", "polyline", "use"))


class Markup(str):
    """Text that is markup already; any other string is escaped where it is put in."""

    __slots__ = ()


def element(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element. ``None`` children and attributes are left out; ``class_`` is class, ``data_x`` is data-x.

    >>> element("b", "1 < 2", title='"x"')
    '<b title="&quot;x&quot;">1 &lt; 2</b>'
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(readable(str(value)))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Markup(f"<{name}{told}>")
    if name in SHAPES and not children:
        return Markup(f"<{name}{told}/>")
    return Markup(f"<{name}{told}>{join(children)}</{name}>")


def join(children: Any) -> Markup:
    """Children one after another; lists and tuples of them are taken apart."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, (list, tuple)):
            parts.append(join(child))
        else:
            parts.append(child if isinstance(child, Markup) else escape(readable(str(child))))
    return Markup("".join(parts))


def readable(text: str) -> str:
    """Text without the characters that no HTML may hold: control characters and lone surrogates."""
    if text.isprintable():
        return text
    kept = (letter if letter >= " " or letter in "\n\t" else "�" for letter in text)
    return "".join(kept).encode("utf-8", "replace").decode()


def table(
    heads: list[Any], rows: list[list[Any]], *, label: str, figures: tuple[int, ...] = (), classes: Any = None
) -> Markup:
    """A table that scrolls by itself where it is wider than the page; columns ``figures`` stand to the right.

    ``classes`` is a class for each row, or None.
    """
    head = element(
        "tr", [element("th", text, scope="col", class_="n" if i in figures else None) for i, text in enumerate(heads)]
    )
    body = [
        element(
            "tr",
            [element("td", cell, class_="n" if i in figures else None) for i, cell in enumerate(row)],
            class_=None if classes is None else classes[number],
        )
        for number, row in enumerate(rows)
    ]
    whole = element("table", element("thead", head) if any(heads) else None, element("tbody", body))
    # tabindex: a region that scrolls must be reachable by keyboard
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=label)
