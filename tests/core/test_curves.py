"""Reading past curves: what a cell means, and which cells are refused, with their place."""

from __future__ import annotations

from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pytest

from dalsegno.core.curves import Point, read
from dalsegno.core.errors import JournalError, UsageError


@pytest.fixture
def csv_file(tmp_path: Path) -> Any:
    def write(text: str, name: str = "curve.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def points(source: Any, seconds_column: str | None = None) -> list[Point]:
    return [item for item in read(source, seconds_column, []) if isinstance(item, Point)]


def metrics(source: Any) -> list[dict[str, float]]:
    return [one.report.metrics for one in points(source)]


def test_an_empty_cell_is_an_absent_figure(csv_file: Any) -> None:
    assert metrics(csv_file("loss,acc\n1.0,\n,0.5\n")) == [{"loss": 1.0}, {"acc": 0.5}]


@pytest.mark.parametrize(
    ("cell", "figure"), [("inf", inf), ("-inf", -inf), ("Infinity", inf), ("1e-3", 0.001), (" 2 ", 2.0)]
)
def test_a_cell_is_read_as_the_figure_it_is(csv_file: Any, cell: str, figure: float) -> None:
    assert metrics(csv_file(f"loss,x\n{cell},1\n")) == [{"loss": figure, "x": 1.0}]


@pytest.mark.parametrize("cell", ["nan", "NaN", "NAN"])
def test_nan_is_a_figure(csv_file: Any, cell: str) -> None:
    assert isnan(metrics(csv_file(f"loss,x\n{cell},1\n"))[0]["loss"])


def test_the_columns_of_the_engine_are_no_metrics(csv_file: Any) -> None:
    text = "id,branch,run,attempt,step,seconds,status,value,cost.tokens,loss\n9,4,2,3,7,0.5,failed,1.5,20,0.25\n"
    (one,) = points(csv_file(text))
    report = one.report
    assert (one.run, one.attempt, one.step, one.seconds) == (2, 3, 7, 0.5)
    assert (report.status, report.value, report.cost, report.metrics) == (
        "failed",
        1.5,
        {"tokens": 20.0},
        {"loss": 0.25},
    )


def test_another_column_can_hold_the_seconds(csv_file: Any) -> None:
    assert [one.seconds for one in points(csv_file("took,loss\n0.5,1\n0.25,1\n"), "took")] == [0.5, 0.25]


def test_a_column_of_seconds_that_is_not_there_is_refused(csv_file: Any) -> None:
    with pytest.raises(UsageError, match="no such column"):
        points(csv_file("loss\n1\n"), "took")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_delimiters_are_found_out(csv_file: Any, delimiter: str) -> None:
    assert metrics(csv_file("loss,acc\n1,2\n".replace(",", delimiter))) == [{"loss": 1.0, "acc": 2.0}]


def test_a_mark_of_the_byte_order_and_windows_lines_are_no_trouble(csv_file: Any) -> None:
    assert metrics(csv_file("\ufeffloss,acc\r\n1,2\r\n\r\n")) == [{"loss": 1.0, "acc": 2.0}]


def test_rows_of_one_step_are_one_report(csv_file: Any) -> None:
    text = "epoch,step,train_loss,val_loss\n0,49,0.5,\n0,49,,0.75\n1,99,0.25,\n"
    assert metrics(csv_file(text)) == [
        {"epoch": 0.0, "train_loss": 0.5, "val_loss": 0.75},
        {"epoch": 1.0, "train_loss": 0.25},
    ]


def test_abandoned_rows_of_an_exported_journal_are_left_out(csv_file: Any) -> None:
    assert metrics(csv_file("step,loss,abandoned\n1,5,True\n1,2,False\n")) == [{"loss": 2.0}]


REFUSED = [
    ("loss\n1\nx\n", "line 3: loss is 'x': expected a number"),
    ("loss,acc\n1\n", "line 2: 1 cells under 2 columns"),
    ("loss\n1_000\n", "line 2: loss is '1_000'"),
    ('loss;acc\n"0,5";1\n', "line 2: loss is '0,5'"),
    ("step,loss\n1.5,1\n", "line 2: step 1.5: expected a whole number"),
    ("step,loss\n-1,1\n", "line 2: step -1.0"),
    ("step,loss\nnan,1\n", "line 2: step nan"),
    ("step,loss\n1,1\n,2\n", "line 3: there is no step"),
    ("step,loss\n1,1\n1,2\n", "line 3: step 1 again, with loss 2.0 where it was 1.0"),
    ("seconds,loss\n-1,1\n", "line 2: seconds is -1.0"),
    ("seconds,loss\nnan,1\n", "line 2: seconds is nan"),
    ("status,loss\ndone,1\n", "line 2: status 'done'"),
    ("cost.tokens,loss\n-1,1\n", "line 2: cost 'tokens'"),
    ("cost.tokens,loss\nnan,1\n", "line 2: cost 'tokens'"),
    ("cost.seconds,loss\n1,1\n", "line 2: cost 'seconds'"),
    ("loss,loss\n1,2\n", "line 1: two columns are called 'loss'"),
    ("loss,\n1,2\n", "line 1: column 2 has no name"),
    ("1.0,2.0\n3.0,4.0\n", "line 1: expected a header"),
    ("", "is empty"),
    ("\n", "is empty"),
]


@pytest.mark.parametrize(("text", "part"), REFUSED)
def test_a_bad_cell_is_refused_with_its_line(csv_file: Any, text: str, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        points(csv_file(text))


def test_the_line_is_that_of_the_file_though_lines_are_empty_or_broken(csv_file: Any) -> None:
    with pytest.raises(UsageError, match="line 6: loss is 'x'"):
        points(csv_file('"a\nb",loss\n1,2\n\n"1\n",x\n'))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0loss\n1\n")
    for name, part in (("none.csv", "no such file"), ("picture.csv", "no text"), (".", "no such file")):
        with pytest.raises(UsageError, match=part):
            points(tmp_path / name)


def test_a_sqlite_file_of_another_program_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE experiments (id INTEGER)")
    with pytest.raises(JournalError, match="another program"):
        points(tmp_path / "other.db")


def test_a_list_of_dicts_is_rows(csv_file: Any) -> None:
    assert metrics([{"loss": 1, "acc": None}, {"loss": inf}]) == [{"loss": 1.0}, {"loss": inf}]


def test_nan_in_a_list_of_dicts_is_a_figure() -> None:
    assert isnan(metrics([{"loss": nan}])[0]["loss"])


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([{"loss": 1.0}, {"loss": "high"}], "row 2: loss is 'high'"),
        ([{"loss": [1.0, 2.0]}], "row 1: metric 'loss' is a list"),
        ([1.0], "row 1 is a float"),
        ({"loss": [1.0]}, "dict: expected a CSV file"),
        (3, "int: expected a CSV file"),
    ],
)
def test_what_is_no_row_is_refused(rows: Any, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        points(rows)


def test_a_frames_missing_cells_are_absent_and_that_is_said() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"loss": [1.0, 0.5], "val_loss": [None, 0.75]})
    notes: list[str] = []
    found = [one.report.metrics for one in read(frame, None, notes)]
    assert (found, notes[0][:30]) == (
        [{"loss": 1.0}, {"loss": 0.5, "val_loss": 0.75}],
        "1 empty cells of 'val_loss' we",
    )


def test_a_frame_of_another_library_is_known_by_its_form() -> None:
    class Frame:
        def to_dicts(self) -> list[dict[str, float]]:
            return [{"loss": 1.0}]

    assert metrics(Frame()) == [{"loss": 1.0}]
