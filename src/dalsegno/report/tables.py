"""Tables for the terminal: runs, attempts, decisions, snapshots, systems, what a replay found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dalsegno.report import numbers
from dalsegno.report.record import Record

STATES = {
    "finished": "green",
    "succeeded": "green",
    "running": "cyan",
    "open": "cyan",
    "interrupted": "yellow",
    "finished, not succeeded": "yellow",
    "cut": "yellow",
    "failed": "red",
    "hung": "red",
    "damaged": "red",
    "missing": "red",
    "works": "green",
}


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, figures: Sequence[str] = ()) -> Any:
    """A Rich table. Cells are plain text, never markup; the columns named in ``figures`` stand to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    made.min_width = len(title)
    for name in columns:
        right = name in figures
        made.add_column(Text(name), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        cells = [cell if isinstance(cell, Text) else Text(visible(str(cell))) for cell in row]
        made.add_row(*cells)
    return made


def visible(text: str) -> str:
    """Text from a user without control characters, which could otherwise steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\x{ord(letter):02x}" for letter in text)


def state(word: Any) -> Any:
    from rich.text import Text

    return Text(visible(str(word or "")), style=STATES.get(str(word), ""))


def word(run: Mapping[str, Any]) -> str:
    """A run's state; of one that finished without success, this too."""
    gave_up = run["state"] == "finished" and run["succeeded"] is False
    return "finished, not succeeded" if gave_up else str(run["state"])


def best_of(run: Mapping[str, Any]) -> str:
    best = run.get("best")
    if not best:
        return ""
    return f"{best['metric']} {numbers.number(best['value'])} at step {numbers.number(best['step'])}"


def who(run: Mapping[str, Any]) -> str:
    """Of a running run, who runs it; of any other, why it ended."""
    if run["state"] == "running":
        return f"process {run['pid']} on {run['host']}"
    if run["state"] == "failed" and run.get("traceback"):
        return str(run["traceback"]).strip().splitlines()[-1]
    return str(run["reason"] or "")


def runs(rows: Sequence[Mapping[str, Any]], title: str = "") -> Any:
    """The runs of a journal, one a line; ``rows`` are those of ``Journal.rows("runs")``."""
    columns = ("run", "name", "seed", "state", "attempts", "steps", "seconds", "best", "verdict", "why")
    lines = []
    for run in rows:
        aside = f" (put aside, {run['generation']})" if run["generation"] else ""
        lines.append(
            (
                run["id"],
                run["name"] + aside,
                "" if run["seed"] is None else run["seed"],
                state(word(run)),
                numbers.number(run["attempts"]),
                numbers.number(run["steps"] if run["steps"] is not None else run["paid_steps"]),
                numbers.duration(run["seconds"] if run["seconds"] is not None else run["paid_seconds"]),
                best_of(run),
                run["verdict"] or "",
                who(run),
            )
        )
    return table(title, columns, lines, figures=("run", "seed", "attempts", "steps", "seconds"))


def failure_in_words(failure: Mapping[str, Any] | None) -> str:
    """What an attempt failed with: the exception's type and text, or what it said itself."""
    if not failure:
        return ""
    return f"{failure['types'][0]}: {failure['message']}" if failure["types"] else str(failure["message"])


def attempts(record: Record, most: int = 40) -> Any:
    """The attempts of a run; of very many, the first and the last."""
    columns = ("attempt", "origin", "state", "steps", "abandoned", "seconds", "cost", "value", "ended by")
    lines = []
    for row in record.attempts:
        failure = row["failure"]
        why = failure_in_words(failure)
        ended = row["state"] if row["state"] != "open" else record.run["state"]
        lines.append(
            (
                row["number"],
                origin(row["origin"]),
                state(ended),
                numbers.number(row["steps"] if row["steps"] is not None else record.steps_of(row["id"], counts=True)),
                numbers.number(record.steps_of(row["id"], counts=False) or None),
                numbers.duration(row["seconds"]) + (" +" if row["censored"] else ""),
                numbers.costs(row["cost"]),
                numbers.number(row["value"]),
                why.splitlines()[0] if why else "",
            )
        )
    title = "attempts"
    if len(lines) > most:
        title = f"attempts (the first and last {most // 2} of {len(lines):,})"
        lines = [*lines[: most // 2], *lines[-(most // 2) :]]
    return table(title, columns, lines, figures=("attempt", "steps", "abandoned", "seconds", "value"))


def origin(where: Mapping[str, Any] | None) -> str:
    """Where an attempt began, in words."""
    where = where or {"kind": "scratch"}
    if where["kind"] == "snapshot":
        return f"snapshot {where.get('snapshot')}"
    if where["kind"] == "prefix":
        return f"attempt {where.get('attempt')} at step {where.get('step')}"
    return "warm start" if where["kind"] == "warm" else str(where["kind"])


def saw(decision: Mapping[str, Any]) -> str:
    """What the rule that fired saw."""
    fired = [row for row in decision["saw"] or () if row.get("fired")]
    return "; ".join(numbers.figures(row.get("saw")) for row in fired)


def effect(decision: Mapping[str, Any]) -> str:
    """What a decision led to, in words."""
    action = decision["action"]
    parts = []
    if action.get("target_step") is not None:
        parts.append(f"to step {numbers.number(action['target_step'])}")
    own = int(action.get("own") or 0)
    if own:
        parts.append("with " + ", ".join(change(row) for row in action["changes"][-own:]))
    if action.get("origin"):
        parts.append(f"from {origin(action['origin'])}")
    if action.get("wait"):
        parts.append(f"after {numbers.duration(action['wait'])}")
    if action["verb"] == "stop" and not action.get("succeeded", True):
        parts.append("not succeeded")
    return ", ".join(parts)


def change(row: Sequence[Any]) -> str:
    """A change as the journal has it: rule, role, step, the items left out, whether escalated, its name."""
    _, role, _, window, _, named = row
    if role == "skip" and window:
        return (
            f"items {numbers.number(window[0] + 1)} to {numbers.number(window[1])} left out"  # kept from 0, half open
        )
    return str(named) if named else "its change"


def decisions(record: Record, most: int = 60) -> Any:
    """The decisions of a run, with what the rule that took each saw."""
    columns = ("attempt", "step", "decision", "rule", "saw", "effect")
    lines = []
    for row in record.decisions:
        verb = row["verb"] + (" (superseded)" if row["superseded"] else "")
        lines.append(
            (
                record.numbers.get(row["attempt"], ""),
                numbers.number(row["step"]),
                verb,
                row["rule"],
                saw(row),
                effect(row),
            )
        )
    title = "decisions"
    if len(lines) > most:
        title = f"decisions (the first and last {most // 2} of {len(lines):,})"
        lines = [*lines[: most // 2], *lines[-(most // 2) :]]
    return table(title, columns, lines, figures=("attempt", "step"))


def snapshots(record: Record) -> Any:
    """The snapshots of a run that are there, and the damaged ones."""
    columns = ("snapshot", "attempt", "step", "kind", "label", "size", "took", "state")
    lines = [
        (
            row["id"],
            record.numbers.get(row["attempt"], ""),
            numbers.number(row["step"]),
            row["kind"],
            row["label"] or "",
            numbers.size(row["bytes"]),
            numbers.duration(row["seconds"]),
            state(row["state"] if not row["why"] else f"{row['state']}: {row['why']}"),
        )
        for row in record.snapshots
        if row["state"] != "removed"
    ]
    removed = len(record.snapshots) - len(lines)
    title = "snapshots" + (f" ({removed:,} more were removed as newer ones came)" if removed else "")
    return table(title, columns, lines, figures=("snapshot", "attempt", "step", "size", "took"))


def price(record: Record) -> Any:
    """The logical cost beside what was really paid, unit by unit."""
    logical, paid = record.logical, record.paid
    abandoned = {"steps": record.abandoned_steps, "seconds": record.abandoned_seconds, **record.abandoned_cost}

    def written(unit: str, amount: float | None) -> str:
        return numbers.duration(amount) if unit == "seconds" else numbers.number(amount)

    lines = [
        (unit, written(unit, logical.get(unit)), written(unit, abandoned.get(unit)), written(unit, paid.get(unit)))
        for unit in dict.fromkeys([*logical, *paid])
    ]
    columns = ("unit", "logical", "of it abandoned", "paid")
    return table("cost", columns, lines, figures=columns[1:])


def systems(rows: Iterable[Any]) -> Any:
    """The catalog of systems."""
    columns = ("number", "name", "source", "question", "wing", "state")
    lines = [(r.number, r.name, r.source, ", ".join(r.question), r.wing, state(r.state)) for r in rows]
    return table("", columns, lines, figures=("number",))


def fields(row: Mapping[str, Any]) -> Any:
    """One thing, a field a line."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, pad_edge=False)
    for name, value in row.items():
        text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        made.add_row(Text(name, style="dim"), Text(visible(text)))
    return made


def show(record: Record, console: Any) -> None:
    """Print one run: how it ended, its attempts, decisions, snapshots, cost and warnings."""
    from rich.text import Text

    run = record.run
    console.print(Text(f"{visible(record.title)}: ", style="bold") + state(word(run)) + Text(visible(ended(run))))
    lines = [f"run {run['id']} in {record.path}, begun {numbers.moment(run['started'])}"]
    if best_of(run):
        lines.append(f"best {best_of(run)}")
    lines.append(f"verdict {record.verdict}, taken up by {numbers.plural(len(record.owners), 'program')}")
    for line in lines:
        console.print(Text(visible(line)))
    for part in (attempts(record), decisions(record), snapshots(record), price(record)):
        if part.row_count:
            console.print()
            console.print(part)
    for warning in record.warnings:
        console.print(Text("warning: ", style="yellow") + Text(visible(warning)))
    if run["traceback"]:
        console.print(Text(visible(run["traceback"].rstrip()), style="red"))


def ended(run: Mapping[str, Any]) -> str:
    why = who(run)
    return f" by {why}" if run["state"] == "running" else f": {why}" if why else ""


def replay(found: Any) -> Any:
    """Where rules would have fired on past curves; ``found`` is what :func:`dalsegno.replay` gives."""
    columns = ("rule", "run", "attempt", "first", "times", "last", "saw")
    lines = []
    for index, rule in enumerate(found.rules):
        fired = [firing for firing in found.firings if firing.index == index]
        for one in fired:
            seen = f"would ask {one.asks}" if one.asks else numbers.figures(one.saw)
            step, last = numbers.number(one.step), numbers.number(one.last)
            lines.append((rule, one.run, one.attempt, f"step {step}", one.count, f"step {last}", seen))
        if not fired:
            lines.append((rule, "", "", "never", 0, "", ""))
    return table(f"{found.size()}, as if nobody had acted", columns, lines, figures=("times",))
