"""What was acknowledged stays: over kills, a full disk and a lost tail of the log."""

from __future__ import annotations

import random
import shutil
import subprocess
import time

import pytest

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal

ACKNOWLEDGE = """
writer, attempt, branch = begin()
add = writer.lane(attempt, branch).add
for step in range(1, 100_000):
    add((step, 0.5, Report({"loss": float(step)})))
    if step % 3 == 0:
        decide(writer, attempt, branch, step)
        say(step)
"""


def whole(journal):
    """The steps and decisions of a journal, checked: a decision is there with every step before it, and none twice."""
    steps = [row["step"] for row in journal.rows("steps")]
    decisions = [row["step"] for row in journal.rows("decisions")]
    assert steps == list(range(1, len(steps) + 1))
    assert decisions == list(range(3, 3 * len(decisions) + 1, 3))
    assert len(steps) >= (decisions[-1] if decisions else 0)
    return steps, decisions


def test_no_acknowledged_decision_is_lost_to_a_kill_and_its_steps_are_there(tmp_path, start):
    generator = random.Random(0)
    for trial in range(5):
        path = tmp_path / f"{trial}.db"
        program = start(ACKNOWLEDGE, path)
        acknowledged = int(program.line())
        until = time.monotonic() + generator.uniform(0.0, 0.3)
        while time.monotonic() < until:
            acknowledged = int(program.line())
        program.process.kill()
        rest = program.process.communicate()[0].split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        _, decisions = whole(Journal(path))
        assert acknowledged <= decisions[-1] <= acknowledged + 3


def test_any_beginning_of_the_log_gives_a_whole_journal(tmp_path, start):
    """As after a power failure that lost the end of the log: cut anywhere, or its tail zeroed."""
    made = tmp_path / "made.db"
    code = ACKNOWLEDGE.replace("100_000", "31") + "os.kill(os.getpid(), signal.SIGKILL)"
    start(code, made).end()
    log = (tmp_path / "made.db-wal").read_bytes()
    generator = random.Random(1)
    seen = set()
    for trial, size in enumerate([0, 31, 32, *(generator.randrange(len(log)) for _ in range(20)), len(log)]):
        folder = tmp_path / str(trial)
        folder.mkdir()
        shutil.copy(made, folder / "runs.db")
        rest = b"" if trial % 2 else bytes(len(log) - size)
        (folder / "runs.db-wal").write_bytes(log[:size] + rest)
        journal = Journal(folder / "runs.db")
        seen.add(len(whole(journal)[1]))
        if journal.rows("runs"):
            writer = journal.open_run("train", 0, identity={})
            writer.set_root_seed(5)
            writer.close()
            whole(journal)
    assert {0, 10} <= seen and len(seen) > 5


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_one_clear_error_and_loses_nothing_that_was_acknowledged(small_disk, start):
    code = """
writer, attempt, branch = begin()
filler = path.with_name("filler")
filler.write_bytes(bytes(200_000))
add = writer.lane(attempt, branch).add
acknowledged = 0
try:
    for step in range(1, 100_000):
        add((step, 0.5, Report({"loss": float(step)})))
        if step % 3 == 0:
            writer.decision(attempt=attempt, branch=branch, step=step, rule="r", action={"verb": "adapt"}, saw=[],
                            state={"weights": "x" * 3000}, seconds=0.0)
            acknowledged = step
except JournalError as error:
    say(error)
say(acknowledged)
say(step)
filler.unlink()
writer.decision(attempt=attempt, branch=branch, step=step, rule="r", action={"verb": "adapt"}, saw=[], state={}, seconds=0.0)
say("done")
os.kill(os.getpid(), signal.SIGKILL)
"""
    program = start(code, small_disk / "runs.db")
    assert "the disk is full" in program.line()
    acknowledged, last = int(program.line()), int(program.line())
    assert program.line() == "done"
    program.end()
    steps, decisions = whole(Journal(small_disk / "runs.db"))
    assert (steps[-1], decisions[-1]) == (last, last) and decisions[-2] == acknowledged > 0


def test_a_disk_that_is_full_from_the_start_is_said(small_disk):
    (small_disk / "filler").write_bytes(bytes(1 << 20))
    with pytest.raises(JournalError, match="disk is full"):
        Journal(small_disk / "runs.db").open_run("train", 0, identity={})


def test_steps_since_the_last_write_are_all_that_a_kill_costs(path, start):
    code = """
writer, attempt, branch = begin()
add = writer.lane(attempt, branch).add
for step in range(1, 1000):
    add((step, 0.5, Report({"loss": float(step)})))
    writer.tick(time.perf_counter())
    say(step)
    time.sleep(0.005)
"""
    program = start(code)
    last = 0
    while last < 250:
        last = int(program.line())
    program.kill()
    kept = len(Journal(path).rows("steps"))
    assert last - kept <= 1.0 / 0.005  # a second's worth
    assert kept > 0


COUNT_SYNCS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
static long count;
static int next(const char *name, int descriptor) { count++; return ((int (*)(int))dlsym(RTLD_NEXT, name))(descriptor); }
int fsync(int descriptor) { return next("fsync", descriptor); }
int fdatasync(int descriptor) { return next("fdatasync", descriptor); }
long synced(void) { return count; }
"""

EVENTS = {
    "decision": "decide(writer, attempt, branch, 1)",
    "snapshot": "writer.snapshot(attempt=attempt, branch=branch, step=1, name='a', kind='x', label=None, path='a', bytes=1,"
    " checksum='', metrics={}, value=None, seconds=0.1, changes=0, logical={})",
    "end": "writer.end_run(state='finished', outcome={})",
    "call sent": "call = writer.call_begin(attempt, branch, 1, 'key', '')",
    "call ended": "writer.call_end(call, 1, {})",
    "steps": "writer.lane(attempt, branch).add((1, 0.5, Report({}))); writer.flush()",
}


def test_every_event_is_synced_when_it_returns(start, tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: the calls that SQLite makes cannot be counted")
    (tmp_path / "shim.c").write_text(COUNT_SYNCS)
    shim = tmp_path / "shim.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, tmp_path / "shim.c", "-ldl"], check=True)
    code = "import ctypes\nsynced = ctypes.CDLL(None).synced\nwriter, attempt, branch = begin()\n"
    code += "".join(f"before = synced(); {event}; say(synced() > before)\n" for event in EVENTS.values())
    program = start(code, environment={"LD_PRELOAD": str(shim)})
    assert {name: program.line() for name in EVENTS} == dict.fromkeys(EVENTS, "True")
