"""Killing a program and starting it again: what the log says about how far each one came."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dalsegno.studies.demo.killing import DemoError, Kill, Line, Log, run_with_kills

COUNTER = """
import os, sys, time
log = open(sys.argv[1], "ab", buffering=0)
at = sys.argv[2]  # a file with the step to go on from: this program forgets nothing
step = int(open(at).read()) if os.path.exists(at) else 0
while step < 60:
    step += 1
    log.write(f"{os.getpid()} {step} {step % 7} {1 / step}\\n".encode())
    if step % 10 == 0:
        open(at, "w").write(str(step))
    time.sleep(0.005)
print("counted to", step)
"""


def count(folder: Path, kills: list[Kill], program: str = COUNTER):  # type: ignore[no-untyped-def]
    command = [sys.executable, "-c", program, str(folder / "log"), str(folder / "at")]
    return run_with_kills(command, folder / "log", kills, environment=os.environ)


def test_program_without_kills_runs_once_to_its_end(tmp_path: Path) -> None:
    course = count(tmp_path, [])
    assert [life.killed for life in course.lives] == [False]
    assert [line.step for line in course.lines] == list(range(1, 61))
    assert "counted to 60" in course.output


def test_killed_program_is_started_again_and_its_last_step_is_known(tmp_path: Path) -> None:
    course = count(tmp_path, [Kill(14), Kill(33, 0.01)])
    assert [life.killed for life in course.lives] == [True, True, False]
    for life, at in zip(course.lives, (14, 33), strict=False):
        assert at <= life.lines[-1].step < at + 40
    for before, after in zip(course.lives, course.lives[1:], strict=False):
        assert after.lines[0].step == before.lines[-1].step // 10 * 10 + 1
    assert course.lines[-1].step == 60


def test_program_that_ends_before_its_kill_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="before step 99"):
        count(tmp_path, [Kill(99)])


def test_program_that_fails_is_an_error_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="(?s)status 1.*no such luck"):
        count(tmp_path, [], "raise SystemExit('no such luck')")


def test_log_gives_a_line_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = Log(path)
    assert reader.new_lines() == []
    path.write_bytes(b"7 1 0 0.5\n7 2 ")
    assert reader.new_lines() == [Line(7, 1, 0, 0.5)]
    path.write_bytes(b"7 1 0 0.5\n7 2 1 0.25\n")
    assert reader.new_lines() == [Line(7, 2, 1, 0.25)]
