"""Pages: self-contained, escaped, small, and of every kind of run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

import dalsegno as ds
from dalsegno.report import page
from dalsegno.report.envelope import Envelope
from dalsegno.report.record import Piece, Record

VOID = {"meta", "br", "hr"}


class Reader(HTMLParser):
    """Reads a page: its elements in order, whether they are closed in order, its identifiers and links."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.wrong = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def pages(journal, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return {
        "run": page.write(journal, [1], folder / "run.html").read_text(encoding="utf-8"),
        "comparison": page.write(journal, None, folder / "comparison.html").read_text(encoding="utf-8"),
    }


@pytest.fixture(params=["run", "comparison"])
def text(request, pages):
    return pages[request.param]


def test_elements_are_closed_in_order(text):
    reader = Reader(text)
    assert (reader.wrong, reader.open) == ([], [])


def test_nothing_comes_from_elsewhere(text):
    reader = Reader(text)
    addresses = [
        value for _, attributes in reader.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\((?!#frame)|@import", text)
    (policy,) = [one["content"] for one in reader.all("meta") if one.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


def test_text_of_users_is_never_markup(text):
    assert "<script>alert" not in text and text.count("<script>") == 1
    assert "&lt;script&gt;alert" in text and "\x07" not in text


def test_a_page_has_language_title_viewport_and_both_schemes(text):
    reader = Reader(text)
    assert reader.all("html") == [{"lang": "en"}]
    names = {one.get("name") for one in reader.all("meta")}
    assert {"viewport", "color-scheme"} <= names
    assert "prefers-color-scheme: dark" in text and len(reader.all("h1")) == 1


def test_every_drawing_has_words_and_every_scrolling_region_a_name(text):
    reader = Reader(text)
    drawings = [one for one in reader.all("svg") if one.get("aria-hidden") != "true"]
    titles = re.findall(r'<svg[^>]*role="img"[^>]*><title>[^<]+</title>', text)
    assert len(drawings) == len(titles) > 0
    regions = [one for _, one in reader.elements if one.get("role") == "region"]
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in regions)


def test_identifiers_are_unique_and_links_lead_somewhere(text):
    reader = Reader(text)
    identifiers = [one["id"] for _, one in reader.elements if "id" in one]
    assert len(identifiers) == len(set(identifiers))
    assert {one["href"][1:] for one in reader.all("a")} <= set(identifiers)


def test_a_run_page_shows_decisions_abandoned_parts_and_both_costs(pages):
    text = pages["run"]
    assert text.count('class="mark roll-back"') >= 2 and 'class="abandoned line"' in text
    for words in ("Attempts and branches", "Cost by attempt", "of it abandoned", "paid", "metric loss, value 9"):
        assert words in text


def test_a_comparison_shows_medians_curves_and_each_run(pages):
    text = pages["comparison"]
    assert text.count('class="g0 line"') >= 3 and text.count('<details class="run">') == 6
    assert "95% bootstrap interval" in text and "×" in text


def test_a_page_of_a_million_steps_is_small_and_keeps_the_extremes(tmp_path):
    def long(attempt):
        for step, i in attempt.over(range(1_000_000)):
            step.report(loss=-7.5 if i == 654_321 else (i % 100) / 100)

    ds.run(long, journal=tmp_path / "long.db", checkpoint=ds.checkpoint.Never(), seed=0)
    out = page.write(tmp_path / "long.db", None, tmp_path / "long.html")
    assert out.stat().st_size < 200_000
    assert "least -7.5" in out.read_text(encoding="utf-8")


def record_of(attempts, metrics):
    """A record of very many short attempts, as the journal would give it."""
    run = {"id": 1, "uid": "0" * 12, "name": "many", "seed": 0, "generation": 0, "state": "finished", "started": 0.0, "ended": 1.0,
           "pid": 1, "host": "here", "verdict": "exact", "paid_seconds": 1.0, "paid_steps": 1, "paid_cost": {}, "rule": None,
           "reason": "spent", "value": None, "steps": 9, "seconds": 1.0, "cost": {}, "succeeded": True, "best": None,
           "attempts": attempts, "traceback": None}  # fmt: skip
    record = Record("runs.db", run, {}, [], {}, [], [], [])
    for number in range(1, attempts + 1):
        record.attempts.append({"id": number, "run": 1, "number": number, "origin": {"kind": "scratch"}, "state": "cut", "censored": 1,
                                "steps": 9, "seconds": 0.1, "cost": {}, "value": None, "failure": None, "started_from": None})  # fmt: skip
        record.branches[number] = {
            "id": number,
            "attempt": number,
            "number": 0,
            "parent": None,
            "from_step": 0,
            "cause": "start",
        }
        piece = Piece(number, True, 1, 9)
        for metric in range(metrics):
            piece.curves[f"metric {metric}"] = Envelope(8)
            piece.curves[f"metric {metric}"].add(range(1, 10), [float(i * number % 7) for i in range(9)])
        record.pieces[number] = [piece]
    return record


def test_a_page_of_very_many_attempts_and_metrics_is_under_a_megabyte():
    assert len(page.run_page(record_of(1500, 30)).encode()) < 1_000_000


def test_a_page_that_compares_very_many_runs_is_under_a_megabyte():
    from dalsegno.report import comparison

    records = [record_of(20, 20) for _ in range(80)]
    assert len(page.comparison_page(comparison.group(records)).encode()) < 1_000_000


def test_a_page_replaces_the_old_one_and_leaves_nothing_beside_it(journal, tmp_path):
    for _ in range(2):
        page.write(journal, [1], tmp_path / "a" / "run.html")
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["run.html"]


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_run_that_has_not_ended_has_a_page(tmp_path, state):
    def unfinished(attempt):
        for step, i in attempt.over(range(10)):
            step.report(loss=float(i))
            if i == 5:
                if state == "running":
                    seen.append(
                        page.write(tmp_path / "runs.db", None, tmp_path / "now.html").read_text(encoding="utf-8")
                    )
                raise KeyboardInterrupt

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        ds.run(unfinished, journal=tmp_path / "runs.db", seed=0)
    if state == "interrupted":
        seen.append(page.write(tmp_path / "runs.db", None, tmp_path / "now.html").read_text(encoding="utf-8"))
    assert f'class="state {state}"' in seen[0]


def test_an_empty_journal_and_a_missing_run_are_refused(journal, tmp_path):
    with pytest.raises(ds.JournalError, match="no run 99"):
        page.write(journal, [99], tmp_path / "run.html")
    ds.Journal(tmp_path / "empty.db").writable().close()
    with pytest.raises(ds.UsageError, match="no run yet"):
        page.write(tmp_path / "empty.db", None, tmp_path / "run.html")
