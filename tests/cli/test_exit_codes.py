"""How a run may end, as a shell and a reader of its journal see it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from dalsegno import Journal


def run_row(place):
    (row,) = Journal(place.path / "runs.db").rows("runs")
    return row


def snapshots(place):
    return [row["step"] for row in Journal(place.path / "runs.db").rows("snapshots") if row["state"] == "ok"]


def test_a_rule_that_stops_ends_with_0_and_is_named_in_the_journal(place):
    done = place("run", "slow:stopped", "--journal", "runs.db", "--seed", 0)
    assert (done.returncode, run_row(place)["state"]) == (0, "finished")
    assert run_row(place)["rule"] == "stop when elapsed(steps=25)"


def test_a_finished_run_is_not_run_again(place):
    first = place("run", "slow:stopped", "--journal", "runs.db", "--seed", 0, "--json")
    taken = place.taken
    again = place("run", "slow:stopped", "--journal", "runs.db", "--seed", 0, "--json")
    assert (again.returncode, again.stdout, place.taken) == (0, first.stdout, taken)


def test_the_users_exception_ends_with_1_and_its_traceback_last(place):
    (place.path / "fail").touch()
    done = place("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: the data are <gone>"
    assert "dalsegno/core" not in done.stderr, "the frames that led there are not the user's"


def test_a_failed_run_is_failed_with_its_traceback_and_goes_on_from_the_newest_snapshot(place):
    (place.path / "fail").touch()
    place("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    row = run_row(place)
    assert row["state"] == "failed" and "the data are <gone>" in row["traceback"]
    (place.path / "fail").unlink()
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(40)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=60)
    assert place.taken[place.taken.index(19) + 1] == 11, "on from the snapshot of step 10"
    assert Journal(place.path / "runs.db").rows("attempts")[0]["state"] == "failed"


@pytest.mark.parametrize(
    ("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {143, -15}), (signal.SIGKILL, {-9})]
)
def test_a_signal_interrupts_and_the_same_command_goes_on(place, number, codes):
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(35)
    begun.send_signal(number)
    begun.communicate(timeout=60)
    assert begun.returncode in codes
    assert run_row(place)["state"] == "interrupted"
    before = len(place.taken)
    stopped_at = place.taken[-1]
    again = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(stopped_at + 10)
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    resumed_at = place.taken[before]
    # After a signal that can be caught nothing is redone; after SIGKILL the steps since the snapshot are.
    assert resumed_at == stopped_at + 1 if number != signal.SIGKILL else 1 < resumed_at <= stopped_at + 1


def test_a_signal_that_can_be_caught_saves_the_last_completed_step(place):
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(25)
    begun.send_signal(signal.SIGTERM)
    begun.communicate(timeout=60)
    assert snapshots(place)[-1] == place.taken[-1]


def test_a_run_in_use_is_running_and_refused_with_5_and_the_process(place):
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(5)
    row = run_row(place)
    second = place("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    begun.kill()
    begun.communicate()
    assert (row["state"], row["pid"], row["host"]) == ("running", begun.pid, os.uname().nodename)
    assert second.returncode == 5 and f"process {begun.pid}" in second.stderr


def test_a_run_that_the_engine_gives_up_ends_with_3(place):
    assert place("run", "slow:given_up", "--journal", "runs.db", "--seed", 0).returncode == 3


def test_a_step_that_hangs_ends_with_8(place):
    assert place("run", "slow:hung", "--journal", "runs.db", "--seed", 0).returncode == 8


def test_a_changed_plan_is_refused_with_4(place):
    place("run", "slow:train", "--journal", "runs.db", "--seed", 0)
    changed = place("run", "slow:train", "--journal", "runs.db", "--seed", 0, "--set", "rate=2.0")
    assert changed.returncode == 4 and "rate" in changed.stderr


def test_fresh_if_changed_begins_a_changed_plan_anew(place):
    place("run", "slow:train", "--journal", "runs.db", "--seed", 0)
    words = ("run", "slow:train", "--journal", "runs.db", "--seed", 0, "--set", "rate=2.0", "--fresh-if-changed")
    assert place(*words).returncode == 0
    assert [row["generation"] for row in Journal(place.path / "runs.db").rows("runs")] == [1, 0]


def test_what_is_no_journal_ends_with_6_and_stays_as_it_was(place):
    (place.path / "runs.db").write_text("my notes")
    done = place("run", "slow:stopped", "--journal", "runs.db", "--seed", 0)
    assert done.returncode == 6 and "runs.db" in done.stderr.splitlines()[-1]
    assert (place.path / "runs.db").read_text() == "my notes"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["slow"], "module:object"),
        (["slow:nothing"], "nothing"),
        (["nowhere:x"], "no module 'nowhere'"),
        (["nowhere.py:x"], "no file"),
        (["slow:Slow", "--set", "speed=1"], "length, fail, pause"),
        (["slow:Slow", "--set", "length"], "key=value"),
        (["slow:long", "--set", "length=2"], "made already"),
        (["slow:train", "--set", "rate=1", "--set", "rate=2"], "twice"),
        (["slow:stopped", "--fresh", "--extend"], "exclude"),
        (["slow:every"], "expected a Process"),
        (["slow:stopped", "--seed", "-1"], "--seed"),
        ([], "Missing argument"),
        (["slow:stopped", "--nothing"], "No such option"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(place, words, said):
    done = place("run", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_an_error_in_the_users_module_is_theirs(place):
    (place.path / "broken.py").write_text("import slow\nslow.nothing\n")
    done = place("run", "broken:x")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("AttributeError") and "importlib" not in done.stderr


def test_a_library_error_in_the_users_module_names_the_line(place):
    (place.path / "rules.py").write_text("import dalsegno as ds\n\nrules = [ds.stop(ds.when.spent(100))]\n")
    done = place("run", "slow:stopped", "--rules", "rules.py:rules")
    assert done.returncode == 2 and "(rules.py, line 3)" in done.stderr


def test_with_json_standard_output_is_strict_json_whatever_the_user_prints(place):
    done = place("run", "slow:bad", "--json", "--seed", 0)
    told = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (done.returncode, told["returned"], told["exit_code"]) == (0, "Infinity", 0)
    done = place("run", "slow:train", "--json", "--seed", 0)
    assert json.loads(done.stdout)["returned"] == "plain" and "a word from the user" in done.stderr


def test_with_json_an_error_is_json_too(place):
    told = json.loads(place("run", "nowhere:x", "--json").stdout)
    assert (told["error"], told["exit_code"]) == ("UsageError", 2)


def test_quiet_prints_nothing_but_what_the_user_prints(place):
    done = place("run", "slow:train", "--quiet", "--seed", 0)
    assert (done.stdout, done.stderr) == ("a word from the user\n", "")


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_is_told_as_json(place, number, word):
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0, "--json")
    place.wait_for(5)
    begun.send_signal(number)
    out, _ = begun.communicate(timeout=60)
    told = json.loads(out)
    assert (told["error"], told["exit_code"]) == (word, begun.returncode)


@pytest.mark.parametrize("options", [["--out", "/proc/none/x.csv"], ["--tensorboard", "/proc/none"]])
def test_a_place_that_cannot_be_written_is_named(tmp_path, options):
    import dalsegno as ds

    def train(attempt):
        for step, _ in attempt.over(range(2)):
            step.report(loss=1.0)

    ds.run(train, journal=tmp_path / "runs.db", seed=0)
    command = [sys.executable, "-m", "dalsegno", "export", str(tmp_path / "runs.db"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in (2, 6)
    assert "/proc/none" in ended.stderr
    assert "Traceback" not in ended.stderr
