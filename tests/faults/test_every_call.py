"""Every write, fsync, rename and the like fails once, or the program dies in it: one clear error, and the same command resumes.

The shim counts the calls of the C library under the run's folder, those of SQLite too; ``short.py`` makes some 650.
"""

from __future__ import annotations

import errno
import re
import time
from collections import Counter
from itertools import count as counting

import pytest
from tests.conftest import FULL
from tests.faults.chains import outcome

import dalsegno as ds

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600 if FULL else 300)]

FORMS = ["process", "function"]
WAYS = {  # what happens at call k: environment of the shim, and whether the program may end by itself
    "cannot be written": {"FAULTS_MODE": "fail", "FAULTS_ERRNO": errno.EIO},
    "has no room": {"FAULTS_MODE": "fail", "FAULTS_ERRNO": errno.ENOSPC},
    "has no room from then on": {"FAULTS_MODE": "gone", "FAULTS_ERRNO": errno.ENOSPC},
    "killed before": {"FAULTS_MODE": "before"},
    "killed in the middle of a write": {"FAULTS_MODE": "torn"},
}
OURS = re.compile(r"dalsegno\.core\.errors\.(JournalError|SnapshotError): ")
_numbers = counting()


@pytest.fixture
def short(shim_launcher, tmp_path):
    """``short(folder, form, **faults)`` runs the program once on the journal of that folder and says how it ended."""

    def run(folder, form, **faults):
        folder.mkdir(exist_ok=True)
        out = tmp_path / f"out {next(_numbers)}"
        return shim_launcher.run("short.py", folder / "runs.db", form, out=out, FAULTS_UNDER=folder, **faults)

    return run


_undisturbed = {}


@pytest.fixture
def undisturbed(short, room):
    """What the program comes to without a fault, and its calls: (name, path) of each in order."""

    def of(form):
        if form not in _undisturbed:
            folder, log = room / f"undisturbed {form}", room / f"log {form}"
            ended = short(folder, form, FAULTS_LOG=log)
            calls = [line.split(" ", 2)[1:] for line in log.read_text().splitlines()]
            _undisturbed[form] = outcome(folder / "runs.db", ended.told), calls
        return _undisturbed[form]

    return of


@pytest.mark.parametrize("form", FORMS)
def test_the_shim_sees_what_sqlite_and_the_store_do(undisturbed, form):
    _, calls = undisturbed(form)
    seen = Counter((name, path.rsplit("/", 1)[-1]) for name, path in calls)
    for name, file in [
        ("pwrite", "runs.db-wal"),
        ("fdatasync", "runs.db-wal"),
        ("write", "manifest.json"),
        ("open", "runs.db"),
    ]:
        assert seen[name, file], seen
    assert {"rename", "mkdir", "unlink", "rmdir", "ftruncate", "fsync"} <= {name for name, _ in calls}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_at_call_k(undisturbed, short, room, form, way):
    expected, calls = undisturbed(form)
    kill = not way.startswith(("cannot", "has"))
    place = 2 * list(WAYS).index(way) + FORMS.index(form)
    wrong = []
    for k in range(1, len(calls) + 1) if FULL else range(1 + 5 * place, len(calls) + 1, 100 if kill else 50):
        folder = room / f"{form} {way} {k}"
        ended = short(folder, form, FAULTS_AT=k, **WAYS[way])
        trouble = wrong_end(ended, kill) or marked_failed(folder)
        if not trouble:
            again = short(folder, form)
            if again.status != 0:
                trouble = f"the same command then ended with {again.status}: {again.printed[-2000:]}"
            elif unlike := differences(outcome(folder / "runs.db", again.told), expected):
                trouble = f"resumed it is not the same: {unlike}"
        if trouble:
            wrong.append(f"call {k} ({' '.join(calls[k - 1])}): {trouble}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("form", FORMS if FULL else FORMS[:1])
def test_killed_right_after_each_commit(undisturbed, short, room, form):
    """Between two transactions: a decision is durable, and nothing of what it led to."""
    expected, calls = undisturbed(form)
    commits = [k for k, (name, path) in enumerate(calls, 1) if name == "fdatasync" and path.endswith("-wal")]
    assert len(commits) > 20
    wrong = {}
    for k in commits:
        folder = room / f"{form} commit {k}"
        ended = short(folder, form, FAULTS_AT=k, FAULTS_MODE="after")
        begun = time.monotonic()
        again = short(folder, form)
        if again.status != 0:
            wrong[k] = again.printed[-1500:]
        elif (took := time.monotonic() - begun) > 20:
            wrong[k] = f"the same command waited {took:.0f} s for a program that is dead"
        elif unlike := differences(outcome(folder / "runs.db", again.told), expected):
            wrong[k] = f"resumed it is not the same: {unlike}"
        assert ended.status == -9
    assert not wrong


def wrong_end(ended, kill):
    """What is wrong with how the program under the fault ended, if anything."""
    if ended.status == 0:  # it coped, or the calls of this run were fewer
        return ""
    if kill:
        return "" if ended.status == -9 else f"status {ended.status}: {ended.printed[-2000:]}"
    lines = [line for line in ended.printed.splitlines() if line and not line.startswith(" ")]
    if ended.status == 1 and lines and OURS.match(lines[-1]):
        return ""
    return f"status {ended.status}: {ended.printed[-2000:]}"


def marked_failed(folder):
    """Bookkeeping trouble is no failure of an attempt, nor of the run."""
    try:
        rows = [row for table in ("runs", "attempts") for row in ds.Journal(folder / "runs.db").rows(table)]
    except ds.JournalError:
        return ""
    failed = [row["state"] for row in rows if row["state"] in ("failed", "hung")]
    return "an attempt or the run is marked as failed" if failed else ""


def differences(found, expected):
    return [name for name in expected if found[name] != expected[name]]
