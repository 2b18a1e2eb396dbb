"""The demonstration itself, with real programs, kills and searches, at a small size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")
from dalsegno.studies.demo import search, training
from dalsegno.studies.demo.program import run_demo


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
    assert [loss["lost"] for loss in figures["training"]["losses"]] == [
        loss["step"] - loss["went_on_at"] + 1 for loss in figures["training"]["losses"]
    ]
    assert len(figures["training"]["roll_backs"]) == 1
    assert {policy["runs"] for policy in figures["search"]["policies"].values()} == {6}
    assert all(Path(path).stat().st_size > 0 for path in figures["pages"].values())
