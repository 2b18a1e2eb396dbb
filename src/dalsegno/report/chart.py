"""Charts: one metric as inline SVG: the line that counts, the abandoned parts, decisions, and what is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dalsegno.report import numbers
from dalsegno.report.markup import Markup, element
from dalsegno.report.scale import Scale, fitting

WIDTH, HEIGHT = 560, 220
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 14, 22


@dataclass
class Line:
    """One curve: places and values of equal length, how it is drawn, and what it is called in the readout."""

    places: Sequence[float]
    values: Sequence[float]
    style: str = "counts"  # a class of the page's style sheet
    name: str = ""
    offset: float = 0.0  # what to take off a place to get a step


@dataclass
class Mark:
    """Something that happened at a place: a decision."""

    place: float
    kind: str
    text: str


@dataclass
class Chart:
    """What a chart shows. ``bounds`` are places with a thin line across, with their names."""

    title: str
    lines: list[Line] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    odd: list[float] = field(default_factory=list)
    bounds: list[tuple[float, str]] = field(default_factory=list)
    span: tuple[float, float] = (0.0, 1.0)
    axis: str = "step"
    note: str = ""


GLYPHS = {
    "roll back": "M-5,-4 L3,-9 L3,1 Z",
    "restart": "M-5,-9 L5,-9 L0,0 Z",
    "stop": "M-4,-9 H4 V-1 H-4 Z",
    "adapt": "M0,-10 L5,-5 L0,0 L-5,-5 Z",
}


def draw(chart: Chart) -> Markup:
    """A chart as a figure with its caption."""
    kept = [value for line in chart.lines if line.style != "abandoned" for value in line.values]
    across = Scale(chart.span[0], max(chart.span[1], chart.span[0] + 1), LEFT, WIDTH - RIGHT)
    up = fitting(kept or [value for line in chart.lines for value in line.values], HEIGHT - BOTTOM, TOP)
    order = {"abandoned": 0}
    lines = sorted(chart.lines, key=lambda line: order.get(line.style, 1))
    drawn = element(
        "g",
        [path(line, across, up) for line in lines],
        [element("path", d=f"M{x(across(place))},{HEIGHT - BOTTOM} v-6", class_="odd") for place in chart.odd],
        clip_path="url(#frame)",
    )
    parts = [
        axes(across, up, chart.axis),
        [bound(across(place), name) for place, name in chart.bounds],
        drawn,
        [mark(together, across) for together in grouped(chart.marks)],
        element("g", class_="readout", aria_hidden="true"),
    ]
    scale = "log" if up.log else "linear"
    picture = element(
        "svg",
        element("title", told(chart)),
        parts,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="chart",
        role="img",
        data_x=f"{across.low},{across.high},{across.start},{across.end}",
        data_y=f"{up.low},{up.high},{up.start},{up.end},{scale}",
        data_axis=chart.axis,
    )
    caption = [element("b", chart.title), f" ({scale} scale)" if up.log else None, element("output", class_="at")]
    note = element("p", chart.note, class_="note") if chart.note else None
    return element("figure", element("figcaption", caption), picture, note)


def told(chart: Chart) -> str:
    """The chart in words, for those who do not see it."""
    ends = [line for line in chart.lines if line.style != "abandoned" and len(line.values)]
    if not ends:
        return f"{chart.title}: no finite figure"
    values = [value for line in ends for value in line.values]
    text = f"{chart.title}: from {numbers.number(float(ends[0].values[0]))} to {numbers.number(float(ends[-1].values[-1]))}"
    text += f", least {numbers.number(float(min(values)))}, greatest {numbers.number(float(max(values)))}"
    if chart.marks:
        text += f"; {numbers.plural(len(chart.marks), 'decision')} marked"
    if chart.odd:
        text += "; some figures were not finite"
    return text


def x(place: float) -> str:
    """A coordinate in few letters."""
    return f"{place:.2f}".rstrip("0").rstrip(".")


def path(line: Line, across: Scale, up: Scale) -> Markup:
    about = {"data_name": line.name or None, "data_offset": x(line.offset) if line.offset else None}
    pairs = [f"{x(across(float(p)))},{x(up(float(v)))}" for p, v in zip(line.places, line.values, strict=True)]
    if len(pairs) == 1:
        at, height = pairs[0].split(",")
        return element("circle", cx=at, cy=height, r="2.5", class_=f"{line.style} dot", **about)
    return element("path", d="M" + " ".join(pairs), class_=f"{line.style} line", **about)


def axes(across: Scale, up: Scale, name: str) -> Markup:
    parts: list[Any] = []
    for tick in up.ticks(5):
        height = x(up(tick))
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=height, y2=height, class_="grid"))
        parts.append(element("text", numbers.number(tick, 4), x=LEFT - 6, y=height, class_="tick y"))
    for tick in across.ticks(6):
        at = x(across(tick))
        parts.append(element("text", short(tick), x=at, y=HEIGHT - BOTTOM + 14, class_="tick x"))
    parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, class_="axis"))
    parts.append(element("text", name, x=LEFT - 10, y=HEIGHT - BOTTOM + 14, class_="tick name"))
    return element("g", parts, aria_hidden="true")


def short(count: float) -> str:
    """A count on an axis.

    >>> short(250), short(20000), short(1500000)
    ('250', '20k', '1.5M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(count) >= size:
            return f"{count / (1e3 if letter == 'k' else size):.4g}{letter}"
    return numbers.number(count)


def bound(at: float, name: str) -> Markup:
    line = element("line", x1=x(at), x2=x(at), y1=TOP, y2=HEIGHT - BOTTOM, class_="bound")
    return element("g", element("title", name), line)


def grouped(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Marks of one kind at one place together: one sign is drawn for them."""
    found: dict[tuple[float, str], list[Mark]] = {}
    for one in marks:
        found.setdefault((one.place, one.kind), []).append(one)
    return list(found.values())


def mark(together: list[Mark], across: Scale) -> Markup:
    one = together[0]
    at = x(across(one.place))
    kind = one.kind.replace(" ", "-")
    several = element("text", f"×{len(together)}", x=at, y=TOP + 9, dx=4, class_="times") if len(together) > 1 else None
    return element(
        "g",
        element("title", "\n".join(mark.text for mark in together)),
        element("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM),
        element("path", d=GLYPHS.get(one.kind, GLYPHS["stop"]), transform=f"translate({at},{TOP})"),
        several,
        class_=f"mark {kind}",
    )
