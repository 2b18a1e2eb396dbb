"""Tables: plain in a pipe, and harmless whatever a user calls things."""

from __future__ import annotations

import io

import pytest

from dalsegno import Journal
from dalsegno.report import tables
from dalsegno.report.console import console
from dalsegno.report.record import read


@pytest.fixture(autouse=True)
def in_a_pipe(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


def printed(*parts):
    screen = console(io.StringIO())
    for part in parts:
        screen.print(part)
    return screen.file.getvalue()


def test_a_row_is_one_line_in_a_pipe_and_has_no_control_characters(journal):
    text = printed(tables.runs(Journal(journal).rows("runs")))
    lines = [line for line in text.splitlines() if "finished" in line]
    assert len(lines) == 6 and "\x07" not in text and "\\x07" in text


def test_names_are_text_and_never_markup_of_the_terminal():
    assert "[red]" in printed(tables.table("", ["a"], [["[red]x[/red]"]]))


def test_one_run_shows_attempts_decisions_snapshots_and_both_costs(journal):
    screen = console(io.StringIO())
    tables.show(read(journal, 1), screen)
    text = screen.file.getvalue()
    for words in (
        "RuntimeError",
        "roll back",
        "metric loss, value 9",
        "to step 10",
        "of it abandoned",
        "verdict exact",
    ):
        assert words in text


def test_an_attempt_that_says_itself_that_it_failed_is_shown_with_its_reason(tmp_path):
    import dalsegno as ds

    def train(attempt):
        for step, _ in attempt.over(range(2)):
            step.report(loss=1.0)
        attempt.fail("not good enough")

    ds.run(train, journal=tmp_path / "runs.db", seed=0)
    screen = console(io.StringIO())
    tables.show(read(Journal(tmp_path / "runs.db"), 1), screen)
    assert "failed: not good enough" in screen.file.getvalue()
