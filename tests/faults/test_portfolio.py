"""Parallel attempts under kills: of the driver, of a worker, of both; hung workers; programs started by spawn."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest
from tests.faults.chains import Chain, Seen, check_nothing_was_lost
from tests.faults.programs_run import start_alone, until

import dalsegno as ds

pytestmark = pytest.mark.torture

KILLS = 30  # of each kind


@pytest.fixture(scope="module")
def trajectories(launcher, room):
    """What each attempt reports step by step when attempts are taken one after another, none of them cut."""
    text = json.dumps({"alone": True, "succeeds": False, "pause": 0.0})
    assert launcher.run("portfolio.py", room / "runs.db", text, out=room / "out").status == 0
    return by_attempt(room / "runs.db")


def by_attempt(journal):
    """Every step that each attempt took, in order, those that a roll back left behind too."""
    numbers = {row["id"]: row["number"] for row in ds.Journal(journal).rows("attempts")}
    found = {}
    rows = ds.Journal(journal).rows("steps", all=True)
    for row in sorted(rows, key=lambda row: (row["branch"], row["step"])):
        found.setdefault(numbers[row["attempt"]], []).append((row["step"], row["jump"], row["height"]))
    return found


def workers_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def strike(program, who, drawn):
    """Kill the driver, one of its workers, or both at once."""
    if "worker" in who:
        workers = workers_of(program.pid)
        if workers:
            kill(drawn.choice(workers))
    if "driver" in who:
        program.kill()


def struck_chain(launcher, folder, who, kills, drawn, text="{}"):
    """A portfolio struck ``kills`` times at random instants, then left to end."""
    journal, seen, done = folder / "runs.db", Seen(), 0
    program = launcher.start("portfolio.py", journal, text, out=folder / "out 0")
    while done < kills and program.alive:
        instant = time.monotonic() + drawn.uniform(0.05, 0.6)
        while program.alive and time.monotonic() < instant:
            time.sleep(0.02)
            seen.look(journal)
        if not program.alive:
            break
        strike(program, who, drawn)
        done += 1
        if "driver" in who:
            if program.ended().status != -9:
                break
            program = launcher.start("portfolio.py", journal, text, out=folder / f"out {done}")
    ended = program.ended()
    told = ended.told if ended.status == 0 else launcher.run("portfolio.py", journal, text, out=folder / "end").told
    return Chain(done, told, seen, journal)


def check_trajectories(chain, trajectories):
    """Each attempt took the steps that it takes alone, and none is missing from the one that won."""
    for number, steps in by_attempt(chain.journal).items():
        assert steps == trajectories[number][: len(steps)], number
    won = [one for one in chain.told["result"]["attempts"] if one[1] == "succeeded"]
    number, _, steps, seed, _ = won[0]
    assert chain.told["result"]["succeeded"] and steps == 60 + seed % 40
    own = {row["number"]: row["id"] for row in ds.Journal(chain.journal).rows("attempts")}[number]
    line = [row["step"] for row in ds.Journal(chain.journal).rows("steps") if row["attempt"] == own]
    assert line == list(range(1, steps + 1))


@pytest.mark.parametrize("who", ["driver", "worker", "driver and worker"])
def test_a_portfolio_survives_the_kill_of(tmp_path, launcher, trajectories, torture_count, who):
    drawn, done = random.Random(who), 0
    for number in range(20 * KILLS):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        chain = struck_chain(launcher, folder, who, min(3, torture_count(KILLS) - done), drawn)
        done += chain.kills
        check_nothing_was_lost(chain)
        check_trajectories(chain, trajectories)
        states = {one[1] for one in chain.told["result"]["attempts"]}
        if who != "worker":
            assert "interrupted" not in states
        if done >= torture_count(KILLS):
            return
    raise AssertionError("too few kills struck")


def test_workers_leave_with_their_driver(tmp_path, launcher):
    program = launcher.start("portfolio.py", tmp_path / "runs.db", json.dumps({"pause": 0.05}), out=tmp_path / "out")
    workers = until(lambda: len(found := workers_of(program.pid)) == 2 and found)
    until(lambda: len(safe_rows(tmp_path / "runs.db", "snapshots")) >= 2)
    program.kill()
    until(lambda: not any(alive(worker) for worker in workers), patience=10)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def safe_rows(journal, table):
    try:
        return ds.Journal(journal).rows(table)
    except ds.JournalError:
        return []


def test_a_killed_worker_is_a_failure_of_its_attempt_by_name(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    text = json.dumps({"pause": 0.02, "again": False})
    program = launcher.start("portfolio.py", journal, text, out=tmp_path / "out")
    workers = until(lambda: len(found := workers_of(program.pid)) == 2 and found)
    until(lambda: len(safe_rows(journal, "snapshots")) >= 3)
    kill(workers[0])
    told = program.ended().told
    states = {one[0]: one[1] for one in told["result"]["attempts"]}
    assert told["result"]["succeeded"] and sorted(states.values()) == ["failed", "succeeded"]
    (failed,) = [row for row in ds.Journal(journal).rows("attempts") if row["state"] == "failed"]
    assert (
        failed["failure"]["types"][0] == "dalsegno.WorkerLost" and "killed by signal 9" in failed["failure"]["message"]
    )


def test_a_worker_killed_before_its_first_message_is_followed_by_another(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    program = launcher.start("portfolio.py", journal, json.dumps({"pause": 0.001}), out=tmp_path / "out")
    workers = until(lambda: workers_of(program.pid), pause=0.0005)
    kill(workers[0])
    told = program.ended().told
    assert told["result"]["succeeded"] and told["result"]["attempts"][0][1:3] == ["failed", 0]
    restarts = [
        row["attempt"] for row in ds.Journal(journal).rows("decisions") if row["rule"] == "restart when failed()"
    ]
    assert len(restarts) == 1 and len(ds.Journal(journal).rows("attempts")) == 3


def test_rules_of_the_run_decide_about_attempts_taken_up_after_a_kill_of_the_driver(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    text = json.dumps({"pause": 0.01, "limit": 90, "succeeds": False})
    program = launcher.start("portfolio.py", journal, text, out=tmp_path / "out")
    until(lambda: len(safe_rows(journal, "steps")) >= 30)
    program.kill()
    assert program.ended().status == -9
    told = launcher.run("portfolio.py", journal, text, out=tmp_path / "again").told
    assert told["result"]["rule"] == "stop when spent(steps=90)" and 90 <= told["result"]["steps"] < 130
    assert {one[1] for one in told["result"]["attempts"]} == {"cut"} and told["verdict"] == "exact"


def test_a_hung_worker_is_killed_and_the_next_attempt_begins(tmp_path, launcher):
    journal = tmp_path / "runs.db"
    text = json.dumps({"hangs": str(tmp_path / "hung once"), "timeout": 0.5, "pause": 0.001, "parallel": 1})
    begun = time.monotonic()
    told = launcher.run("portfolio.py", journal, text, out=tmp_path / "out").told
    assert told["result"]["succeeded"] and time.monotonic() - begun < 30
    rows = ds.Journal(journal).rows("attempts")
    assert [row["state"] for row in rows] == ["failed", "succeeded"]
    assert "did not return" in rows[0]["failure"]["message"]
    assert [row["verb"] for row in ds.Journal(journal).rows("decisions") if row["rule"].startswith("restart")] == [
        "restart"
    ]


def test_programs_started_by_spawn_take_the_same_steps(tmp_path, trajectories):
    text = json.dumps({"method": "spawn", "pause": 0.001})
    told = start_alone("portfolio.py", tmp_path / "runs.db", text, out=tmp_path / "out").ended().told
    check_trajectories(Chain(0, told, Seen(), tmp_path / "runs.db"), trajectories)
