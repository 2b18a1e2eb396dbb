"""Pages: one self-contained HTML file for a run or a comparison of runs, which opens with no network."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from dalsegno.core.errors import JournalError, UsageError
from dalsegno.core.journal import Journal
from dalsegno.report import chart, numbers, sections, versus
from dalsegno.report import comparison as comparing
from dalsegno.report.comparison import Comparison
from dalsegno.report.markup import Markup, element
from dalsegno.report.record import Record, open_journal, read

LARGEST = 900_000  # bytes; what is left to a page's runs in full


def write(journal: str | os.PathLike[str] | Journal, runs: Sequence[int] | None, out: str | os.PathLike[str]) -> Path:
    """Write the page of one run, or of several beside each other, to ``out``, and return its path.

    ``runs`` are ids; None is every run of the journal but those put aside by ``fresh``.  The page is one file under 1 MB
    however long the run is, needs no network, and is replaced as a whole where it is there already.

    Raises :class:`JournalError` where there is no such journal or run, :class:`UsageError` where the journal is empty.
    """
    return write_places([(journal, runs)], out)


def write_places(places: Iterable[comparing.Place], out: str | os.PathLike[str]) -> Path:
    """The same for runs of several journals."""
    records: list[Record] = []
    for journal, ids in places:
        file = open_journal(journal)
        chosen = [row["id"] for row in file.rows("runs") if not row["generation"]] if ids is None else ids
        records += [read(file, run) for run in chosen]
    if not records:
        raise UsageError("the journal has no run yet: there is nothing to show")
    if len(records) == 1:
        return save(run_page(records[0]), out)
    return write_comparison(comparing.group(records), out)


def write_comparison(compared: Comparison, out: str | os.PathLike[str]) -> Path:
    """Write the page of a comparison to ``out``, and return its path."""
    return save(comparison_page(compared), out)


def run_page(record: Record) -> str:
    """The page of one run as text."""
    parts = sections.whole(record)
    head = element("header", element("h1", record.title), sections.heading(record))
    return document(f"{record.title} · dalsegno", [head, contents(parts), *parts])


def comparison_page(compared: Comparison) -> str:
    """The page of a comparison as text: the comparison, then each run in full as far as there is room."""
    names = " and ".join(group.label for group in compared.groups[:3]) + (
        " and others" if len(compared.groups) > 3 else ""
    )
    title = f"{names}: {numbers.plural(len(compared.records), 'run')}"
    parts = versus.whole(compared)
    size = sum(len(part.encode()) for part in parts)
    folded: list[Markup] = []
    for record in compared.records:
        inside = [*sections.heading(record), [sections.metrics(record, f"m{len(folded)}")], sections.tree(record, f"t{len(folded)}"),
                  sections.decisions(record, f"d{len(folded)}")]  # fmt: skip
        one = element("details", element("summary", f"{record.title} (run {record.run['id']})"), inside, class_="run")
        size += len(one.encode())
        if size > LARGEST:
            rest = len(compared.records) - len(folded)
            folded.append(element("p", f"{rest} further runs: `dalsegno view` writes a page for each.", class_="note"))
            break
        folded.append(one)
    parts.append(sections.section("runs", "Each run", folded))
    return document(f"{title} · dalsegno", [element("header", element("h1", title)), contents(parts), *parts])


def contents(parts: Sequence[Markup]) -> Markup:
    """Links to the sections."""
    links = []
    for part in parts:
        identifier = part.partition('aria-labelledby="')[2].partition('"')[0]
        name = Markup(part.partition(">")[2].partition(">")[2].partition("</h2>")[0])
        links.append(element("li", element("a", name, href=f"#{identifier}")))
    return element("nav", element("ul", links), aria_label="Contents")


@cache
def template(name: str) -> str:
    return files("dalsegno.report").joinpath("templates", name).read_text(encoding="utf-8")


def document(title: str, body: Sequence[Any]) -> str:
    """A whole page. Its policy lets it load nothing, and run no script but its own."""
    style, script = template("page.css"), template("page.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    inside = element(
        "rect",
        x=chart.LEFT,
        y=chart.TOP,
        width=chart.WIDTH - chart.LEFT - chart.RIGHT,
        height=chart.HEIGHT - chart.TOP - chart.BOTTOM,
    )
    frame = element("svg", element("clipPath", inside, id="frame"), class_="defs", aria_hidden="true")
    whole = element(
        "html",
        head,
        element(
            "body",
            frame,
            element("main", body),
            element("footer", "Written by dalsegno."),
            element("script", Markup(script)),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{whole}\n"


def save(text: str, out: str | os.PathLike[str]) -> Path:
    """Write a page as a whole: whoever looks meanwhile sees the old one."""
    path = Path(out)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file, such as {path / 'run.html'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            os.chmod(name, 0o666 & ~current_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise JournalError(f"the page {path} cannot be written: {error.strerror or error}") from None
    return path


def current_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
