"""What the journal's tests share: runs to write into, and programs of their own that write, hold and die."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dalsegno
from dalsegno.core.journal import Journal
from dalsegno.core.report import Report

# What every program of a test begins with. `begin` opens a run with an attempt and its branch.
PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from dalsegno.core.errors import DalsegnoError, InUseError, JournalError
from dalsegno.core.journal import Journal, owner
from dalsegno.core.report import Report

path = Path(sys.argv[1])

def begin(name="train", seed=0, wait=30.0):
    writer = Journal(path, wait=wait).open_run(name, seed, identity={})
    attempt = writer.begin_attempt(1, 7, {"kind": "scratch"}, started_from=None, verified=None)
    return writer, attempt, writer.begin_branch(attempt, 0, None, 0, "start", None)

def decide(writer, attempt, branch, step):
    return writer.decision(attempt=attempt, branch=branch, step=step, rule="r", action={"verb": "adapt"}, saw=[],
                           state={"step": step}, seconds=float(step))

def say(*words):
    print(*words, flush=True)
"""


class Program:
    """A Python program of its own; lines go back and forth."""

    def __init__(self, code: str, path: Path, environment: dict[str, str] | None = None) -> None:
        source = str(Path(dalsegno.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": source, **(environment or {})},
        )
        self.pid = self.process.pid

    def line(self) -> str:
        """The next line that the program says."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, self.process.communicate()[1]
        return text.strip()

    def tell(self, text: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        """Its exit status, what it still said, and its errors."""
        said, errors = self.process.communicate(timeout=120)
        return self.process.returncode, said.strip(), errors

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(tmp_path):
    """Start a program with some code; ``path`` is the journal unless another is given. All are killed in the end."""
    programs = []

    def begin(code, path=None, environment=None):
        programs.append(Program(code, path or tmp_path / "runs.db", environment))
        return programs[-1]

    yield begin
    for program in programs:
        if program.process.poll() is None:
            program.kill()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


class Run:
    """A run with one attempt and one branch, and short ways to do things in it."""

    def __init__(self, journal: Journal, name: str = "train", seed: int | None = 0) -> None:
        self.writer = journal.open_run(name, seed, identity={})
        self.attempt = self.writer.begin_attempt(1, 7, {"kind": "scratch"}, started_from=None, verified=None)
        self.branch = self.writer.begin_branch(self.attempt, 0, None, 0, "start", None)

    def step(self, step, metrics=None, seconds=0.5, branch=None, **report):
        lane = self.writer.lane(self.attempt, branch or self.branch)
        lane.add((step, seconds, Report(metrics if metrics is not None else {"loss": float(step)}, **report)))

    def decide(self, step, verb="adapt", **more):
        return self.writer.decision(
            attempt=self.attempt,
            branch=more.pop("branch", self.branch),
            step=step,
            rule="rule",
            action={"verb": verb},
            saw=[{"answer": True}],
            state={"step": step},
            seconds=float(step),
            **more,
        )

    def snapshot(self, step, **changed):
        row = {
            "attempt": self.attempt,
            "branch": self.branch,
            "step": step,
            "name": f"s{step}",
            "kind": "schedule",
            "label": None,
            "path": f"s{step}",
            "bytes": 10,
            "checksum": "abc",
            "metrics": {"loss": 1.0},
            "value": None,
            "seconds": 0.1,
            "changes": 0,
            "logical": {"steps": step},
        }
        return self.writer.snapshot(**{**row, **changed})

    def end_attempt(self, **changed):
        row = {
            "state": "succeeded",
            "censored": False,
            "steps": 3,
            "seconds": 1.5,
            "cost": {},
            "value": None,
            "best_step": None,
            "failure": None,
        }
        self.writer.end_attempt(self.attempt, **{**row, **changed})


@pytest.fixture
def run(path):
    made = Run(Journal(path))
    yield made
    made.writer.close()


@pytest.fixture
def begin():
    """Begin a run in a journal: ``begin(journal, name, seed)``."""
    made = []

    def begin_one(journal, name="train", seed=0):
        made.append(Run(journal, name, seed))
        return made[-1]

    yield begin_one
    for one in made:
        one.writer.close()


@pytest.fixture
def contents():
    """The bytes of every file in a folder, as checksums. Never of a journal that this very program is writing."""

    def of(folder: Path) -> dict[str, str]:
        return {
            str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }

    return of
