"""Versus: the parts of a page that compare runs."""

from __future__ import annotations

from dalsegno.report import chart, medians, numbers, tables
from dalsegno.report.chart import Chart, Line
from dalsegno.report.comparison import Comparison, Group, figures_of
from dalsegno.report.envelope import thinned
from dalsegno.report.markup import Markup, element, table
from dalsegno.report.record import Record
from dalsegno.report.sections import POINTS, section, some, state

MOST_METRICS = 16
MOST_LINES = 60  # in one chart
MOST_FIGURES = 30
COLOURS = 8


def whole(compared: Comparison) -> list[Markup]:
    """Every section of a comparison."""
    return [part for part in (beside(compared), together(compared), runs(compared)) if part is not None]


def beside(compared: Comparison) -> Markup:
    """The figures of each group: median over seeds, interval, ratio to the first group."""
    heads = ["figure"]
    for place, group in enumerate(compared.groups):
        heads.append(group.label)
        if place:
            heads.append("ratio")
    rows = [
        ["seeds that ended", *counts(compared.groups, "ended")],
        ["succeeded", *counts(compared.groups, "succeeded")],
    ]
    for name in compared.figures[:MOST_FIGURES]:
        row = [name]
        for place, group in enumerate(compared.groups):
            found = group.spreads.get(name)
            row.append(medians.spread(found))
            if place:
                row.append(medians.ratio(found))
        rows.append(row)
    words = "Medians over seeds; in brackets the 95% bootstrap interval, from three seeds on. Ratios are to the first group."
    left_out = sum(group.left_out for group in compared.groups)
    if left_out:
        words += f" {numbers.plural(left_out, 'run')} that have not ended are left out."
    listed = table(heads, [list(row) for row in rows], label="medians", figures=tuple(range(1, len(heads))))
    return section("medians", "Beside each other", listed, element("p", words, class_="note"))


def counts(groups: list[Group], what: str) -> list[str]:
    cells = []
    for place, group in enumerate(groups):
        value = getattr(group, what)
        cells.append(str(value if isinstance(value, int) else len(value)))
        if place:
            cells.append("")
    return cells


def together(compared: Comparison) -> Markup | None:
    """Each metric of all runs in one chart, a colour a group."""
    names = list(dict.fromkeys(name for record in compared.records for name in record.metrics))
    if not names:
        return None
    curves = min(len(names), MOST_METRICS) * min(len(compared.records), MOST_LINES)
    shown = [metric_chart(compared, name, max(POINTS // curves, 16)) for name in names[:MOST_METRICS]]
    keys = [
        element("li", element("span", class_=f"key g{place % COLOURS}"), group.label)
        for place, group in enumerate(compared.groups)
    ]
    legend = element("ul", keys, class_="legend")
    left = names[MOST_METRICS:]
    note = element("p", f"Further metrics: {', '.join(left)}", class_="note") if left else None
    return section("together", "Metrics together", legend, element("div", shown, class_="charts"), note)


def metric_chart(compared: Comparison, name: str, most: int) -> Markup:
    made = Chart(name)
    longest, several = 1.0, any(len(record.attempts) > 1 for record in compared.records)
    for place, group in enumerate(compared.groups):
        for record in group.records:
            places, values, end = line_that_counts(record, name)
            longest = max(longest, end)
            if places and len(made.lines) < MOST_LINES:
                made.lines.append(Line(*thinned(places, values, most), f"g{place % COLOURS}", record.title))
    made.span = (0.0, longest)
    made.note = "The attempts of a run are laid end to end." if several else ""
    if any(len(record.told_by) < len(record.attempts) for record in compared.records):
        made.note += " Of parallel attempts that is drawn which the run ended by."
    count = sum(1 for record in compared.records if name in record.metrics)
    if count > MOST_LINES:
        made.note += f" The first {MOST_LINES} of {count} runs are drawn."
    return chart.draw(made)


def line_that_counts(record: Record, name: str) -> tuple[list[float], list[float], float]:
    """A metric on the line that counts, attempts end to end, and where it ends."""
    from dalsegno.report.curves import offsets

    begins, end = offsets(record)
    if len(record.told_by) < len(record.attempts):
        (only,) = record.told_by
        begins, end = {only["id"]: 0.0}, float(record.steps_of(only["id"], counts=True))
    places: list[float] = []
    values: list[float] = []
    for attempt in record.told_by:
        for piece in record.pieces.get(attempt["id"], ()):
            curve = piece.curves.get(name)
            if piece.counts and curve is not None:
                steps, heights = curve.points()
                places += [float(step) + begins[attempt["id"]] for step in steps]
                values += [float(height) for height in heights]
    return places, values, end


def runs(compared: Comparison) -> Markup:
    """Every run with its own figures."""
    names = compared.figures[:MOST_FIGURES]
    everything = [(group, record) for group in compared.groups for record in group.records]
    shown, note = some(everything, "runs")
    rows = []
    for group, record in shown:
        found = figures_of(record)
        seed = "" if record.run["seed"] is None else record.run["seed"]
        rows.append([record.run["id"], group.label, seed, state(tables.word(record.run)), record.verdict,
                     *[numbers.number(found.get(name), 5) for name in names]])  # fmt: skip
    heads = ["run", "name", "seed", "ended", "verdict", *names]
    listed = table(heads, rows, label="runs", figures=(0, 2, *range(5, len(heads))))
    return section("every", "Runs", listed, note)
