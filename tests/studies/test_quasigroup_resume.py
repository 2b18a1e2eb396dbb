"""The search on the engine: killed with SIGKILL and started again, it ends as if it had been left alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")
from dalsegno.studies.demo.killing import Course, Kill, run_with_kills

PROGRAM = """
import json, os, sys, time
import dalsegno as ds
from dalsegno.studies.quasigroup import Completion, square_with_holes

log = open(sys.argv[2], "ab", buffering=0)

class Slow(Completion):
    def step(self):
        report = super().step()
        log.write(f"{os.getpid()} {self.nodes} {self.backtracks} {self.numbers[0]}\\n".encode())
        time.sleep(0.002)
        return report

search = Slow(square_with_holes(16, 124, seed=11), nodes_per_step=20, hidden_singles=False)
result = ds.run(
    search,
    rules=[ds.stop(ds.when.spent(nodes=9_000)), ds.policies.Luby(unit=1_000, of="nodes")],
    checkpoint=ds.checkpoint.Every(steps=7),
    journal=sys.argv[1],
    seed=4,
)
attempts = [[attempt.number, attempt.steps, attempt.seed] for attempt in result.attempts]
print(json.dumps([result.cost, result.steps, attempts, result.verdict]))
"""


def run(folder: Path, kills: list[Kill]) -> Course:
    folder.mkdir()
    log = folder / "log"
    command = [sys.executable, "-c", PROGRAM, str(folder / "runs.db"), str(log)]
    return run_with_kills(command, log, kills, environment=os.environ)


def test_search_killed_twice_costs_and_ends_the_same(tmp_path: Path) -> None:
    left_alone = run(tmp_path / "left", [])
    total = len(left_alone.lines)
    assert total > 100
    first = left_alone.lines[total // 3]
    killed = run(tmp_path / "killed", [Kill(first.step, 0.003), Kill(first.step + 20)])
    assert sum(life.killed for life in killed.lives) == 2
    expected = json.loads(left_alone.output.splitlines()[-1])
    assert expected[3] == "exact"
    assert json.loads(killed.output.splitlines()[-1]) == expected
    assert killed.lines[-1].loss == left_alone.lines[-1].loss
