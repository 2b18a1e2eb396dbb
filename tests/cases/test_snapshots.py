"""Damaged snapshots and retention (cases 8, 9), and their kinds."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.cases.processes import KillAfter, Scripted

import dalsegno as ds


class Walk(ds.Process):
    """A walk with an array large enough to lie in a file of its own."""

    def reset(self, *, seed, origin=None):
        self.x, self.n = np.zeros(4096), 0

    def step(self):
        self.n += 1
        self.x += np.random.normal(size=4096)
        return ds.Report({"norm": float(np.abs(self.x).sum())}, status="succeeded" if self.n == 50 else "running")

    def state_dict(self):
        return {"x": self.x, "n": self.n}

    def load_state_dict(self, state):
        self.x, self.n = state["x"].copy(), state["n"]


def walk(journal, *listeners):
    process = Walk()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = ds.run(process, checkpoint=ds.checkpoint.Every(steps=10), journal=journal, seed=0, listeners=listeners)
    return result.steps, result.step, process.x.tobytes(), [str(warning.message) for warning in caught]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return walk(tmp_path_factory.mktemp("undisturbed") / "runs.db")[:3]


def largest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda file: file.stat().st_size)


def halve(folder):
    file = largest(folder)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(folder):
    largest(folder).write_bytes(b"")


def flip(name):
    def damage(folder):
        (file,) = [file for file in folder.iterdir() if file.name == name]
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))

    return damage


def remove(folder):
    largest(folder).unlink()


def zero_tail(folder):
    file = largest(folder)
    data = file.read_bytes()
    file.write_bytes(data[:-4096] + bytes(4096))


def other_run(folder):
    other = folder.parent.parent / "other.db"
    walk(other, *())
    source = next(path for path in (folder.parent.parent / "other.db.snapshots").iterdir())
    shutil.copy(largest(source), largest(folder))


def damaged_run(tmp_path, elsewhere, damage):
    journal = tmp_path / "runs.db"
    assert elsewhere(walk, journal, KillAfter(step=35)) is None
    (row,) = [row for row in ds.Journal(journal).rows("snapshots") if row["step"] == 30]
    (run,) = ds.Journal(journal).rows("runs")
    folder = Path(f"{journal}.snapshots") / f"{run['uid']}.{row['name']}"
    damage(folder)
    return journal, row, folder


DAMAGES = [halve, empty, remove, zero_tail, other_run]
FILES = ["manifest.json", "process.json", "engine.json", "generators.json", "process.numpy.safetensors"]


@pytest.mark.parametrize(
    "damage",
    [*DAMAGES, *map(flip, FILES)],
    ids=[*(one.__name__ for one in DAMAGES), *(f"flip {name}" for name in FILES)],
)
def test_a_damaged_snapshot_is_passed_over_and_said(tmp_path, elsewhere, undisturbed, damage):
    journal, row, folder = damaged_run(tmp_path, elsewhere, damage)
    *result, said = elsewhere(walk, journal)
    assert tuple(result) == undisturbed
    (message,) = said
    assert row["name"] in message and "file " in message
    assert folder.exists()
    rows = ds.Journal(journal).rows("snapshots")
    found = "missing" if damage is remove else "damaged"
    assert [one["state"] for one in rows if one["id"] == row["id"]] == [found]
    kept = [one["step"] for one in rows if one["state"] == "ok"]
    assert kept == [30, 40, 50]


def test_leftovers_of_an_unfinished_save_are_cleared(tmp_path, elsewhere, undisturbed):
    journal, _, folder = damaged_run(tmp_path, elsewhere, lambda folder: None)
    left = folder.with_name(folder.name.replace("s30", "s31") + ".unfinished")
    left.mkdir()
    (left / "process.json").write_text("{")
    assert elsewhere(walk, journal)[:3] == undisturbed
    assert not left.exists()


def test_if_every_snapshot_is_damaged_the_run_refuses(tmp_path, elsewhere):
    journal, _, folder = damaged_run(tmp_path, elsewhere, lambda folder: None)
    for snapshot in folder.parent.iterdir():
        empty(snapshot)
    with pytest.raises(RuntimeError, match="every snapshot of run.*fresh=True"):
        elsewhere(walk, journal)
    assert len(ds.Journal(journal).rows("attempts")) == 1


def test_if_no_snapshot_was_acknowledged_it_begins_from_scratch_and_says_so(tmp_path, elsewhere, undisturbed):
    journal = tmp_path / "runs.db"
    assert elsewhere(walk, journal, KillAtStart()) is None
    *result, said = elsewhere(walk, journal)
    assert tuple(result) == undisturbed
    assert any("from scratch" in message for message in said)


class KillAtStart:
    """Kills when an attempt has begun and its first state is not saved yet."""

    def __call__(self, event):
        if type(event).__name__ == "AttemptStarted":
            os.kill(os.getpid(), signal.SIGKILL)


ACC = [0.5, 0.9, 0.6, 0.7, 0.9, 0.8, 0.95, 0.2]
KEPT = {
    2: [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5], [2, 5, 6], [6, 7], [7, 8]],
    1: [[1], [2], [2, 3], [2, 4], [2, 5], [2, 6], [7], [7, 8]],
}


def accuracy(journal, last, steps, *listeners):
    return ds.run(
        Scripted("acc", ACC),
        rules=[ds.stop(ds.when.elapsed(steps=8))],
        checkpoint=ds.checkpoint.Every(steps=1, keep=ds.checkpoint.Keep(last=last, best="acc", mode="max")),
        journal=journal,
        seed=0,
        listeners=listeners,
    ).step


@pytest.mark.parametrize("last", [1, 2])
def test_keeping_the_last_never_loses_the_best(tmp_path, last):
    journal = tmp_path / "runs.db"
    seen = []

    class Look:
        """Looks before each save, when the former one has been thinned out."""

        every_step = True

        def __call__(self, event):
            if type(event).__name__ == "StepTaken" and event.step > 1:
                rows = ds.Journal(journal).rows("snapshots")
                seen.append([row["step"] for row in rows if row["state"] == "ok"])

    accuracy(journal, last, 8, Look())
    seen.append([row["step"] for row in ds.Journal(journal).rows("snapshots") if row["state"] == "ok"])
    assert seen == KEPT[last]


@pytest.mark.parametrize("last", [1, 2])
def test_the_same_table_results_with_a_kill_after_every_step(tmp_path, elsewhere, last):
    journal = tmp_path / "runs.db"
    for step in range(1, 8):
        assert elsewhere(accuracy, journal, last, 8, KillAfter(step=step + 1)) is None
        kept = [row["step"] for row in ds.Journal(journal).rows("snapshots") if row["state"] == "ok"]
        assert kept == KEPT[last][step - 1]
        folders = {path.name.split("-s")[1].split("-")[0] for path in Path(f"{journal}.snapshots").iterdir()}
        assert folders == {str(step) for step in kept}
    assert elsewhere(accuracy, journal, last, 8) == 8


def test_what_this_run_did_not_write_is_never_removed(tmp_path):
    journal = tmp_path / "runs.db"
    folder = Path(f"{journal}.snapshots")
    folder.mkdir()
    (folder / "my notes.txt").write_text("mine")
    (folder / "aaaaaaaaaaaa.a1-b0-s1-1.1").mkdir()
    accuracy(journal, 1, 8)
    assert (folder / "my notes.txt").read_text() == "mine" and (folder / "aaaaaaaaaaaa.a1-b0-s1-1.1").is_dir()


def test_a_named_snapshot_is_never_removed(tmp_path):
    def train(attempt):
        for step, _ in attempt.over(range(8)):
            if step == 2:
                attempt.snapshot("mine")
            step.report(acc=0.1)

    ds.run(
        train,
        checkpoint=ds.checkpoint.Every(steps=1, keep=ds.checkpoint.Keep(last=1)),
        journal=tmp_path / "j.db",
        seed=0,
    )
    rows = ds.Journal(tmp_path / "j.db").rows("snapshots")
    assert [(row["step"], row["label"]) for row in rows if row["state"] == "ok"] == [(2, "mine"), (8, None)]
