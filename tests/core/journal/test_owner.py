"""One owner a run, by a lock of the operating system: whoever is dead holds nothing, whoever lives is found."""

from __future__ import annotations

import os
import signal
import time

import pytest

from dalsegno.core.errors import InUseError, JournalError
from dalsegno.core.journal import Journal, owner

HOLD = "held = owner.acquire(path, 3, 'run 3'); say('held'); sys.stdin.readline()"


def child(work):
    """Do something in a forked child; its exit status."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_byte_that_another_program_holds_is_refused_with_its_process_id(path, start):
    other = start(HOLD)
    other.line()
    with pytest.raises(InUseError, match=f"run 3 in .*runs.db is in use by process {other.pid}: wait"):
        owner.acquire(path, 3, "run 3")


def test_another_byte_is_free(path, start):
    start(HOLD).line()
    owner.release(owner.acquire(path, 4, "run 4"))


def test_a_second_owner_in_the_same_program_is_refused(path):
    held = owner.acquire(path, 3, "run 3")
    with pytest.raises(InUseError, match="very program"):
        owner.acquire(path, 3, "run 3")
    owner.release(held)
    owner.release(owner.acquire(path, 3, "run 3"))


def test_the_holder_is_found_in_this_program_and_in_others(path, start):
    other = start(HOLD)
    other.line()
    held = owner.acquire(path, 4, "run 4")
    assert [owner.holder(path, byte) for byte in (3, 4, 5)] == [other.pid, os.getpid(), None]
    owner.release(held)


def test_any_holder_is_found_by_asking_for_all_bytes(path, start):
    other = start(HOLD)
    other.line()
    assert (owner.holder(path, 1, length=0), owner.holder(path, 4, length=0)) == (other.pid, None)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_program_holds_nothing(path, start, how):
    other = start(HOLD)
    other.line()
    os.kill(other.pid, how)
    other.process.wait()
    assert owner.holder(path, 3) is None
    owner.release(owner.acquire(path, 3, "run 3"))


def test_a_stopped_program_still_holds(path, start):
    other = start(HOLD)
    other.line()
    os.kill(other.pid, signal.SIGSTOP)
    assert owner.holder(path, 3) == other.pid


def test_asking_makes_no_lock_file(path, tmp_path):
    assert owner.holder(path, 3) is None
    assert list(tmp_path.iterdir()) == []


def test_asking_and_letting_go_of_another_byte_drop_nothing(path, start):
    held = owner.acquire(path, 3, "run 3")
    owner.holder(path, 4)
    owner.release(owner.acquire(path, 4, "run 4"))
    asked = start("say(owner.holder(path, 3))")
    assert asked.line() == str(os.getpid())
    owner.release(held)


def test_a_forked_child_does_not_own_what_its_parent_owns(path):
    held = owner.acquire(path, 3, "run 3")

    def work():
        try:
            owner.acquire(path, 3, "run 3")
        except InUseError as error:
            return 0 if str(os.getppid()) in str(error) else 2

    assert child(work) == 0
    owner.release(held)


def test_a_forked_child_drops_nothing_when_it_lets_go_and_ends(path, start):
    held = owner.acquire(path, 3, "run 3")
    assert child(lambda: owner.release(held)) == 0
    assert start("say(owner.holder(path, 3))").line() == str(os.getpid())
    owner.release(held)


def test_a_forked_child_that_outlives_its_parent_does_not_keep_its_lock(path, start):
    code = """
owner.acquire(path, 3, "run 3")
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
say(child)
time.sleep(60)
"""
    other = start(code)
    child = int(other.line())
    os.kill(other.pid, signal.SIGKILL)
    other.process.wait()
    os.kill(child, 0)  # it lives, and has the lock file open
    assert owner.holder(path, 3) is None
    os.kill(child, signal.SIGKILL)


def test_a_lock_file_that_was_removed_is_made_anew(path, start):
    held = owner.acquire(path, 3, "run 3")
    owner.lock_path(path).unlink()
    other = start(HOLD)
    other.line()
    assert owner.holder(path, 3) == other.pid
    owner.release(held)


def test_a_lock_file_that_cannot_be_made_is_a_journal_error(tmp_path):
    with pytest.raises(JournalError, match="cannot be opened"):
        owner.acquire(tmp_path / "missing" / "runs.db", 3, "run 3")


# -- of runs ---------------------------------------------------------------------------------------------------------

KILLED = """
writer, attempt, branch = begin()
decide(writer, attempt, branch, 1)
say("ready")
sys.stdin.readline()
"""


def test_a_killed_run_is_interrupted_at_once_and_taken_over(path, start):
    other = start(KILLED)
    other.line()
    (row,) = Journal(path).rows("runs")
    assert (row["state"], row["pid"], bool(row["host"])) == ("running", other.pid, True)
    other.kill()
    (row,) = Journal(path).rows("runs")
    assert (row["state"], row["pid"]) == ("interrupted", None)
    writer = Journal(path).open_run("train", 0, identity={})
    assert not writer.created
    writer.close()


def test_a_process_id_that_is_given_out_again_makes_no_dead_run_alive(path, start):
    other = start(KILLED)
    other.line()
    other.kill()
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(other.pid - 1))
    except OSError as error:
        pytest.skip(f"the next process id cannot be chosen here ({error})")
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    try:
        if pid != other.pid:
            pytest.skip(f"the process id {other.pid} was given to somebody else")
        (row,) = Journal(path).rows("runs")
        assert row["state"] == "interrupted"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_the_process_id_in_the_file_is_not_believed(path, start):
    other = start(KILLED)
    other.line()
    other.kill()
    start(f"import apsw; apsw.Connection(str(path)).execute('UPDATE runs SET pid = {os.getpid()}')").end()
    assert [row["state"] for row in Journal(path).rows("runs")] == ["interrupted"]


def test_a_run_in_use_is_refused_with_process_and_host_and_nothing_is_changed(path, start):
    other = start(KILLED)
    other.line()
    (row,) = Journal(path).rows("runs")
    with pytest.raises(InUseError, match=rf"run 1 \('train', seed 0\) in .* process {other.pid} on {row['host']}"):
        Journal(path).open_run("train", 0, identity={})
    assert len(Journal(path).rows("owners")) == 1
    other.tell()
    assert other.end()[0] == 0


def test_a_run_in_use_is_refused_with_fresh_too(run, path):
    with pytest.raises(InUseError):
        Journal(path).open_run("train", 0, identity={}, fresh=True)
    assert [row["generation"] for row in Journal(path).rows("runs")] == [0]


def test_who_was_replaced_while_it_stood_still_writes_nothing_more(path, start):
    other = start(
        "writer, attempt, branch = begin()\nsay(1)\nsys.stdin.readline()\ntry:\n    decide(writer, attempt, branch, 1)\nexcept InUseError as error:\n    say(error)"
    )
    other.line()
    os.kill(other.pid, signal.SIGSTOP)
    owner.lock_path(path).unlink()  # as if the lock had been lost: another machine, a file copied by the program itself
    writer = Journal(path).open_run("train", 0, identity={})
    os.kill(other.pid, signal.SIGCONT)
    other.tell()
    assert "taken over by another program" in other.line()
    assert Journal(path).rows("decisions") == []
    writer.close()


def test_an_ended_owner_is_noted_and_a_killed_one_is_not(path, start):
    other = start(KILLED)
    other.line()
    other.kill()
    Journal(path).open_run("train", 0, identity={}).close()
    assert [row["ended"] is not None for row in Journal(path).rows("owners")] == [False, True]
