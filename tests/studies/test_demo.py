"""The demonstration itself, with real programs, kills and searches, at a small size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")
from dalsegno.core.errors import UsageError
from dalsegno.studies.demo import search, training
from dalsegno.studies.demo.program import clear, run_demo


def test_demonstration_holds_its_checks_and_says_what_it_measured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = run_demo(
        tmp_path,
        as_json=True,
        train=training.Setting(epochs=1, kills=1, seed=2),
        solve=search.Setting(order=16, holes=132, training=2, training_seeds=4, test=3, seeds=2, seed=2),
    )
    figures = json.loads(capfd.readouterr().out)  # nothing but JSON was printed
    assert status == 0 and figures["held"]
    (loss,) = figures["training"]["losses"]
    assert 0 <= loss["lost"] <= 10  # a snapshot every 10 steps
    assert len(figures["training"]["roll_backs"]) == 1
    assert {policy["runs"] for policy in figures["search"]["policies"].values()} == {6}
    assert all(Path(path).stat().st_size > 0 for path in figures["pages"].values())


def test_folder_with_somebodys_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not of a demonstration"):
        clear(tmp_path)
    assert (tmp_path / "training" / "thesis.txt").read_text() == "years of work"


def test_folder_of_an_earlier_demonstration_is_emptied_and_keeps_its_images(tmp_path: Path) -> None:
    out = tmp_path / "out"
    clear(out)
    (out / "search" / "search.db").touch()
    (out / "cache").mkdir()
    clear(out)
    assert sorted(path.name for path in out.iterdir()) == [".dalsegno-demo", "cache", "search", "training"]
    assert list((out / "search").iterdir()) == []
