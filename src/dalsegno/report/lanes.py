"""Lanes: the tree of attempts and branches as a drawing, a lane a branch, and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dalsegno.report import numbers
from dalsegno.report.chart import GLYPHS, short, x
from dalsegno.report.markup import Markup, element
from dalsegno.report.record import Piece, Record
from dalsegno.report.scale import Scale
from dalsegno.report.tables import origin

WIDTH, LEFT, RIGHT, TOP, LANE = 1040, 120, 28, 22, 18
MOST = 60  # lanes
MOST_SNAPSHOTS = 400


@dataclass
class Lane:
    """One branch of one attempt."""

    attempt: dict[str, Any]
    branch: dict[str, Any]
    pieces: list[Piece]
    first: bool
    snapshots: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    tip: bool = False  # whether the attempt ended on it

    @property
    def label(self) -> str:
        return (
            f"attempt {self.attempt['number']}"
            if self.first
            else f"from step {numbers.number(self.branch['from_step'])}"
        )

    @property
    def end(self) -> int:
        return max((piece.last for piece in self.pieces), default=int(self.branch["from_step"]))


def by(rows: Iterable[dict[str, Any]], key: str) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def lanes(record: Record) -> list[Lane]:
    """Every branch of a run, attempt by attempt, in the order in which they began."""
    branches = by(record.branches.values(), "attempt")
    snapshots = by((row for row in record.snapshots if row["state"] != "removed"), "branch")
    decisions = by((row for row in record.decisions if not row["superseded"]), "branch")
    found = []
    for attempt in record.attempts:
        for place, branch in enumerate(sorted(branches.get(attempt["id"], ()), key=lambda row: int(row["id"]))):
            here = branch["id"]
            pieces = [piece for piece in record.pieces.get(attempt["id"], ()) if piece.branch == here]
            found.append(Lane(attempt, branch, pieces, place == 0, snapshots.get(here, []), decisions.get(here, [])))
        if found and found[-1].attempt is attempt:
            found[-1].tip = True
    return found


def draw(record: Record) -> Markup:
    """The tree as a figure, with the same in words below it."""
    every = lanes(record)
    shown = every if len(every) <= MOST else [*every[: MOST // 2], *every[-(MOST // 2) :]]
    longest = max((lane.end for lane in every), default=0)
    across = Scale(0, max(longest, 1), LEFT, WIDTH - RIGHT)
    height = TOP + LANE * len(shown) + 26
    rows = {lane.branch["id"]: TOP + LANE * place + LANE // 2 for place, lane in enumerate(shown)}
    picture = element(
        "svg",
        element("title", told(record, every)),
        scale(across, height - 20),
        [connector(lane, rows, across, record) for lane in shown],
        [drawn(lane, rows[lane.branch["id"]], across, record) for lane in shown],
        viewBox=f"0 0 {WIDTH} {height}",
        class_="lanes",
        role="img",
    )
    left_out = len(every) - len(shown)
    note = f"The first and last {MOST // 2} of {len(every):,} branches are drawn." if left_out else None
    region = element(
        "div", picture, class_="scroll", tabindex="0", role="region", aria_label="tree of attempts and branches"
    )
    return element("figure", region, element("p", note, class_="note") if note else None, legend())


def told(record: Record, every: list[Lane]) -> str:
    attempts, branches = numbers.plural(len(record.attempts), "attempt"), len(every)
    word = "branch" if branches == 1 else "branches"
    return f"{attempts} in {branches:,} {word}; {record.abandoned_steps:,} steps were abandoned"


def scale(across: Scale, foot: float) -> Markup:
    parts = []
    for tick in across.ticks(6):
        at = x(across(tick))
        parts.append(element("line", x1=at, x2=at, y1=TOP - 4, y2=foot, class_="grid"))
        parts.append(element("text", short(tick), x=at, y=TOP - 9, class_="tick x"))
    parts.append(element("text", "step", x=LEFT - 8, y=TOP - 9, class_="tick name"))
    return element("g", parts, aria_hidden="true")


def connector(lane: Lane, rows: dict[int, int], across: Scale, record: Record) -> Markup | None:
    """From where a branch left its parent, or an attempt the snapshot that it began from."""
    here = rows[lane.branch["id"]]
    parent, step = lane.branch["parent"], lane.branch["from_step"]
    if lane.first and lane.attempt["started_from"]:
        source = next((row for row in record.snapshots if row["id"] == lane.attempt["started_from"]), None)
        parent = None if source is None else source["branch"]
    if parent not in rows:
        return None
    at = x(across(step))
    return element("path", d=f"M{at},{rows[parent]} V{here}", class_="joint")


def drawn(lane: Lane, here: int, across: Scale, record: Record) -> Markup:
    parts: list[Any] = [
        element("text", lane.label, x=LEFT - 8, y=here, class_="label" if lane.first else "label minor")
    ]
    for piece in lane.pieces:
        start, end = x(across(piece.first - 1)), x(across(piece.last))
        words = f"steps {numbers.number(piece.first)} to {numbers.number(piece.last)}"
        words += ", on the line that counts" if piece.counts else ", abandoned"
        line = element(
            "path",
            element("title", words),
            d=f"M{start},{here} H{end}",
            class_="counts" if piece.counts else "abandoned",
        )
        parts.append(line)
    for row in thinned(lane.snapshots):
        words = (
            f"snapshot {row['id']} at step {row['step']} ({row['kind']}, {numbers.size(row['bytes'])}): {row['state']}"
        )
        dot = element(
            "circle",
            element("title", words),
            cx=x(across(row["step"])),
            cy=here,
            r="3",
            class_=f"snapshot {row['state']}",
        )
        parts.append(dot)
    for row in thinned(lane.decisions):
        words = f"step {numbers.number(row['step'])}: {row['rule']}"
        glyph = element(
            "path",
            d=GLYPHS.get(row["verb"], GLYPHS["stop"]),
            transform=f"translate({x(across(row['step']))},{here + 5})",
        )
        parts.append(element("g", element("title", words), glyph, class_=f"mark {row['verb'].replace(' ', '-')}"))
    parts.append(ending(lane, here, across, record))
    return element("g", parts)


def thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:: max(1, len(rows) // MOST_SNAPSHOTS)]


def ending(lane: Lane, here: int, across: Scale, record: Record) -> Markup | None:
    """At the tip of an attempt, how it ended."""
    if not lane.tip:
        return None
    word = lane.attempt["state"] if lane.attempt["state"] != "open" else record.run["state"]
    sign = {"succeeded": "✓", "failed": "✗", "hung": "✗", "cut": "|"}.get(word, "…")
    at = x(min(across(lane.end) + 8, WIDTH - 14))
    return element(
        "text",
        element("title", f"attempt {lane.attempt['number']}: {word}"),
        sign,
        x=at,
        y=here,
        class_=f"ending {word}",
    )


def legend() -> Markup:
    """What the signs mean."""
    entries = []
    for verb, glyph in GLYPHS.items():
        picture = element(
            "svg",
            element("path", d=glyph, transform="translate(7,12)"),
            viewBox="0 0 14 14",
            class_=f"sign mark {verb.replace(' ', '-')}",
            aria_hidden="true",
        )
        entries.append(element("li", picture, verb))
    dot = element(
        "svg",
        element("circle", cx=7, cy=7, r=3, class_="snapshot ok"),
        viewBox="0 0 14 14",
        class_="sign",
        aria_hidden="true",
    )
    grey = element(
        "svg",
        element("path", d="M0,7 H14", class_="abandoned line"),
        viewBox="0 0 14 14",
        class_="sign lanes",
        aria_hidden="true",
    )
    return element("ul", entries, element("li", dot, "snapshot"), element("li", grey, "abandoned"), class_="legend")


def in_words(record: Record) -> Markup:
    """The tree as a list, for those who read rather than look."""
    items = []
    every = lanes(record)
    for attempt in record.attempts[:MOST]:
        mine = [lane for lane in every if lane.attempt["id"] == attempt["id"]]
        below = [element("li", words(lane)) for lane in mine[:MOST]]
        word = attempt["state"] if attempt["state"] != "open" else record.run["state"]
        head = f"attempt {attempt['number']} from {origin(attempt['origin'])}: {word}"
        items.append(element("li", head, element("ul", below)))
    return element("details", element("summary", "The same in words"), element("ul", items))


def words(lane: Lane) -> str:
    if lane.first:
        head = "begins" + (f" at step {lane.branch['from_step']:,}" if lane.branch["from_step"] else "")
    else:
        head = f"{lane.branch['cause']} to step {lane.branch['from_step']:,}"
    parts = [
        f"steps {piece.first:,} to {piece.last:,}" + ("" if piece.counts else " abandoned") for piece in lane.pieces
    ]
    return f"{head}: {', '.join(parts) or 'no steps'}"
