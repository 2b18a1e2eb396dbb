"""Disks that are full, cannot be written, or are slower than the loop."""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.faults.chains import outcome

import dalsegno as ds

pytestmark = pytest.mark.torture


@pytest.fixture
def mounted(tmp_path):
    """``mounted(size)`` mounts a small file system in memory and gives its folder; skipped where that is not permitted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounts = []

    def mount(size):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
        mounts.append(folder)
        return folder

    yield mount
    for one in mounts:
        subprocess.run(["umount", "-l", one], check=True)


LARGE = json.dumps({"until": 40, "size": 300_000, "every": 2})


def undisturbed(launcher, tmp_path):
    ended = launcher.run("counting.py", tmp_path / "left.db", LARGE, out=tmp_path / "left")
    return outcome(tmp_path / "left.db", ended.told)


def test_a_full_disk_is_one_clear_error_and_the_same_command_goes_on_when_there_is_room(mounted, launcher, tmp_path):
    folder = mounted("1600k")
    journal = folder / "runs.db"
    full = launcher.run("counting.py", journal, LARGE, out=tmp_path / "full")
    assert full.status == 1, full.printed
    assert full.last_words.startswith("dalsegno.core.errors.JournalError: ")
    assert "full" in full.last_words or "No space left" in full.last_words
    assert [row["state"] for row in ds.Journal(journal).rows("attempts")] == ["interrupted"]
    subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
    ended = launcher.run("counting.py", journal, LARGE, out=tmp_path / "again")
    assert ended.told["verdict"] == "exact"
    assert outcome(journal, ended.told) == undisturbed(launcher, tmp_path)


def test_a_folder_that_cannot_be_written_is_said_before_the_first_step(mounted, launcher, tmp_path):
    folder = mounted("4m")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    ended = launcher.run("counting.py", folder / "runs.db", LARGE, out=tmp_path / "out")
    assert ended.status == 1 and ended.last_words.startswith("dalsegno.core.errors.JournalError: ")
    assert str(folder / "runs.db") in ended.last_words
    assert list(folder.iterdir()) == []


def test_a_journal_that_cannot_be_written_any_more_can_still_be_read(mounted, launcher, tmp_path):
    folder = mounted("16m")
    journal = folder / "runs.db"
    launcher.run("counting.py", journal, LARGE, out=tmp_path / "out")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    assert len(ds.Journal(journal).rows("steps")) == 40
    ended = launcher.run("counting.py", journal, json.dumps({"seed": 1}), out=tmp_path / "second")
    assert ended.status == 1 and ended.last_words.startswith("dalsegno.core.errors.JournalError: ")


def test_a_disk_slower_than_the_loop_loses_no_step_and_memory_stays_bounded(shim_launcher, tmp_path):
    """Each fsync takes 100 ms: what is buffered meanwhile is bounded, since a flush is waited for."""
    kilobytes = {}
    for steps in (8_000, 60_000):
        folder = tmp_path / f"{steps}"
        folder.mkdir()
        text = json.dumps({"until": steps, "every": steps})
        slow = {"FAULTS_UNDER": folder, "FAULTS_MODE": "slow", "FAULTS_DELAY": 100}
        ended = shim_launcher.run("counting.py", folder / "runs.db", text, out=tmp_path / "out", **slow)
        kilobytes[steps] = ended.told["kilobytes"]
        found = [row["step"] for row in ds.Journal(folder / "runs.db").rows("steps")]
        assert found == list(range(1, steps + 1))
    assert kilobytes[60_000] - kilobytes[8_000] < 8_000  # 52,000 reports kept in memory would take 17,000
