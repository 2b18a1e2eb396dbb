"""Sections: the parts of a page about one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dalsegno.report import chart, curves, lanes, numbers, tables
from dalsegno.report.markup import Markup, element, table
from dalsegno.report.record import Record

MOST_METRICS = 24
MOST_ROWS = 120
POINTS = 40_000  # of all curves of a page, about 12 bytes each


def section(identifier: str, title: str, *children: Any) -> Markup:
    return element("section", element("h2", title, id=identifier), children, aria_labelledby=identifier)


def state(word: str) -> Markup:
    kind = "unsuccessful" if word == "finished, not succeeded" else word
    return element("span", word, class_=f"state {kind}")


def heading(record: Record) -> list[Any]:
    """Name, how it ended and the figures that are asked for first."""
    run = record.run
    logical = record.logical
    facts = [
        ("steps", numbers.number(logical["steps"])),
        ("running time", numbers.duration(logical["seconds"])),
        ("attempts", numbers.number(len(record.attempts))),
        ("decisions", numbers.number(sum(not row["superseded"] for row in record.decisions))),
    ]
    if run["best"]:
        best = run["best"]
        facts.insert(
            0, (f"best {best['metric']}", f"{numbers.number(best['value'])} at step {numbers.number(best['step'])}")
        )
    elif run["value"] is not None:
        facts.insert(0, ("value", numbers.number(run["value"])))
    cells = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return [
        element("p", state(tables.word(run)), tables.ended(run)),
        element("p", f"Verdict: {record.verdict}", element("span", f" ({VERDICTS[record.verdict]})", class_="dim")),
        element("dl", cells, class_="facts"),
        warned(record),
        failure(record),
    ]


UNCHANGED = "nothing that was done again after an interruption came out differently"
VERDICTS = {
    "exact": UNCHANGED,
    "exact so far": UNCHANGED,
    "approximate": "something that was done again after an interruption came out differently, or could not be put back",
}


def warned(record: Record) -> Markup | None:
    if not record.warnings:
        return None
    items = [element("li", text) for text in record.warnings]
    return element(
        "div",
        element("strong", numbers.plural(len(items), "warning")),
        element("ul", items),
        class_="warnings",
        role="note",
    )


def failure(record: Record) -> Markup | None:
    if not record.run["traceback"]:
        return None
    trace = element("pre", record.run["traceback"].rstrip(), tabindex="0", aria_label="traceback")
    return element("details", element("summary", "Traceback"), trace)


def metrics(record: Record, identifier: str = "metrics") -> Markup | None:
    names = record.metrics
    if not names:
        return None
    most = min(curves.MOST_POINTS, POINTS // min(len(names), MOST_METRICS))
    figures = [chart.draw(curves.chart(record, name, most)) for name in names[:MOST_METRICS]]
    left = len(names) - MOST_METRICS
    note = (
        element("p", f"{left} further metrics are in the journal: {', '.join(names[MOST_METRICS:])}", class_="note")
        if left > 0
        else None
    )
    return section(identifier, "Metrics", element("div", figures, class_="charts"), note)


def tree(record: Record, identifier: str = "tree") -> Markup:
    return section(identifier, "Attempts and branches", lanes.draw(record), lanes.in_words(record))


def some(rows: Sequence[Any], noun: str) -> tuple[list[Any], Markup | None]:
    """The first and last rows of very many, with a note."""
    if len(rows) <= MOST_ROWS:
        return list(rows), None
    half = MOST_ROWS // 2
    note = element(
        "p", f"The first and last {half} of {len(rows):,} {noun}; `dalsegno export` writes them all.", class_="note"
    )
    return [*rows[:half], *rows[-half:]], note


def attempts(record: Record, identifier: str = "attempts") -> Markup:
    """The cost of each attempt, with a bar of what counts and what was abandoned."""
    units = list(dict.fromkeys(unit for row in record.attempts for unit in row["cost"] or ()))
    counted = {
        row["id"]: (record.steps_of(row["id"], counts=True), record.steps_of(row["id"], counts=False))
        for row in record.attempts
    }
    most = max((sum(pair) for pair in counted.values()), default=0)
    shown, note = some(record.attempts, "attempts")
    rows = []
    for row in shown:
        kept, lost = counted[row["id"]]
        word = row["state"] if row["state"] != "open" else record.run["state"]
        costs = [numbers.number((row["cost"] or {}).get(unit)) for unit in units]
        why = row["failure"]["message"].splitlines()[0] if row["failure"] and row["failure"]["message"] else ""
        seconds = numbers.duration(row["seconds"]) + (" or more" if row["censored"] else "")
        if row["steps"] is not None:
            kept = row["steps"]
        rows.append(
            [
                row["number"],
                tables.origin(row["origin"]),
                state(word),
                bar(counted[row["id"]], most),
                numbers.number(kept),
                numbers.number(lost),
                seconds,
                *costs,
                numbers.costs(row.get("paid")),
                why,
            ]
        )
    heads = ["attempt", "origin", "ended", "", "steps", "abandoned", "seconds", *units, "paid", "failure"]
    for place in (len(heads) - 1, len(heads) - 2):  # columns that are empty all the way down are left out
        if not any(row[place] for row in rows):
            del heads[place]
            for row in rows:
                del row[place]
    listed = table(heads, rows, label="cost by attempt", figures=(0, *range(4, 7 + len(units))))
    return section(identifier, "Cost by attempt", listed, note)


def bar(pair: tuple[int, int], most: int) -> Markup:
    """Steps that count and steps that were abandoned, beside each other."""
    width = 140.0
    kept, lost = (width * count / most if most else 0.0 for count in pair)
    words = f"{pair[0]:,} steps count, {pair[1]:,} were abandoned"
    return element(
        "svg",
        element("title", words),
        element("rect", x=0, y=2, width=chart.x(kept), height=10, class_="counts"),
        element("rect", x=chart.x(kept), y=2, width=chart.x(lost), height=10, class_="abandoned"),
        viewBox=f"0 0 {width:g} 14",
        class_="bar",
        role="img",
    )


def cost(record: Record, identifier: str = "cost") -> Markup:
    """The logical cost beside what was really paid."""
    logical, paid = record.logical, record.paid
    lost = {"steps": record.abandoned_steps, "seconds": record.abandoned_seconds, **record.abandoned_cost}

    def written(unit: str, amount: float | None) -> str:
        if amount is None:
            return "not recorded"
        return numbers.duration(amount) if unit == "seconds" else numbers.number(amount)

    rows = [
        [unit, written(unit, logical.get(unit)), written(unit, lost.get(unit, 0.0)), written(unit, paid.get(unit))]
        for unit in dict.fromkeys([*logical, *paid])
    ]
    listed = table(["unit", "logical", "of it abandoned", "paid"], rows, label="cost by unit", figures=(1, 2, 3))
    words = (
        "Logical is what the rules see: the same with and without interruptions, roll backs included. "
        "Paid is what was really done, work redone after an interruption included; its seconds also hold saving and journaling."
    )
    return section(identifier, "Logical and paid", listed, element("p", words, class_="note"))


def decisions(record: Record, identifier: str = "decisions") -> Markup | None:
    """Every decision with what each rule saw."""
    if not record.decisions:
        return None
    shown, note = some(record.decisions, "decisions")
    rows, classes = [], []
    for row in shown:
        verb = row["verb"] + (" (superseded)" if row["superseded"] else "")
        others = [one for one in row["saw"] or () if not one.get("fired")]
        rest = [element("li", element("b", one["rule"]), " ", numbers.figures(one.get("saw"))) for one in others]
        folded = (
            element("details", element("summary", numbers.plural(len(rest), "other rule")), element("ul", rest))
            if rest
            else None
        )
        rows.append(
            [
                record.numbers.get(row["attempt"], ""),
                numbers.number(row["step"]),
                verb,
                row["rule"],
                tables.saw(row),
                tables.effect(row),
                folded,
            ]
        )
        classes.append("aside" if row["superseded"] else row["verb"].replace(" ", "-"))
    heads = ["attempt", "step", "decision", "rule", "it saw", "effect", "the others saw"]
    return section(
        identifier, "Decisions", table(heads, rows, label="decisions", figures=(0, 1), classes=classes), note
    )


def snapshots(record: Record, identifier: str = "snapshots") -> Markup | None:
    kept = [row for row in record.snapshots if row["state"] != "removed"]
    if not record.snapshots:
        return None
    shown, note = some(kept, "snapshots")
    rows = [
        [row["id"], record.numbers.get(row["attempt"], ""), numbers.number(row["step"]), row["kind"], row["label"] or "",
         numbers.size(row["bytes"]), numbers.duration(row["seconds"]), f"{row['state']}: {row['why']}" if row["why"] else row["state"]]
        for row in shown
    ]  # fmt: skip
    heads = ["snapshot", "attempt", "step", "kind", "label", "size", "took", "state"]
    removed = len(record.snapshots) - len(kept)
    written = sum(row["bytes"] for row in record.snapshots)
    words = f"{numbers.plural(len(record.snapshots), 'snapshot')} of {numbers.size(written)} in all were saved"
    words += f"; {removed:,} were removed as newer ones came." if removed else "."
    classes = ["damaged" if row["state"] in ("damaged", "missing") else None for row in shown]
    listed = table(heads, rows, label="snapshots", figures=(0, 1, 2, 5, 6), classes=classes)
    return section(identifier, "Snapshots", listed, note, element("p", words, class_="note"))


def origin_of_page(record: Record, identifier: str = "about") -> Markup:
    run = record.run
    facts = [
        ("journal", record.path),
        ("run", f"{run['id']} ({run['uid']})"),
        ("begun", numbers.moment(run["started"])),
        ("ended", numbers.moment(run["ended"]) or "not yet"),
        (
            "programs",
            "; ".join(
                f"process {row['pid']} on {row['host']} at {numbers.moment(row['began'])}"
                for row in record.owners[-20:]
            ),
        ),
        ("journaled calls", numbers.number(record.calls)),
    ]
    rows = [[name, value] for name, value in facts if value not in ("", "0")]
    return section(identifier, "Where it comes from", table(["", ""], rows, label="where this run comes from"))


def whole(record: Record) -> list[Markup]:
    """Everything about a run but its heading, in order."""
    parts = (
        metrics(record),
        tree(record),
        attempts(record),
        cost(record),
        decisions(record),
        snapshots(record),
        origin_of_page(record),
    )
    return [part for part in parts if part is not None]
