"""The commands that look at journals, tidy them and write them elsewhere."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys

import pytest
from tests.cli.conftest import Place

from dalsegno import Journal


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """A folder with a journal of three runs of one name and three seeds."""
    place = Place(tmp_path_factory.mktemp("three"))
    for seed in range(3):
        assert place("run", "slow:stopped", "--journal", "runs.db", "--seed", seed, "--quiet").returncode == 0
    return place.path


@pytest.fixture
def ended(three_runs, tmp_path):
    """A copy of it: a journal goes where its folder goes."""
    shutil.copytree(three_runs, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)


def test_show_lists_runs_and_one_run_in_full(ended):
    listed = ended("show", "runs.db")
    assert listed.returncode == 0 and listed.stdout.count("stop when elapsed(steps=25)") == 3
    one = ended("show", "2")
    assert "Slow, seed 1: finished" in one.stdout and "elapsed 25, limit 25" in one.stdout


def test_show_as_json_has_the_tables_of_a_run_that_is_named(ended):
    (row,) = json.loads(ended("show", "runs.db:3", "--json").stdout)
    assert (row["seed"], row["tables"]["decisions"][0]["step"]) == (2, 25)


def test_output_in_a_pipe_has_no_colours_and_one_line_a_row(ended):
    out = ended("show", "runs.db").stdout
    assert "\x1b" not in out and len([line for line in out.splitlines() if "Slow" in line]) == 3


def test_view_writes_a_page_beside_the_journal_and_prints_its_path(ended):
    done = ended("view", "runs.db:1")
    assert done.stdout == "runs-1.html\n" and (ended.path / "runs-1.html").stat().st_size > 5_000


def test_compare_gives_medians_with_intervals_from_three_seeds_on(ended):
    told = json.loads(ended("compare", "runs.db", "--json", "-o", "both.html").stdout)
    spread = told["groups"][0]["spreads"]["steps"]
    assert (spread["median"], spread["seeds"], len(spread["interval"])) == (25.0, 3, 2)
    assert (ended.path / told["page"]).exists()
    two = json.loads(ended("compare", "runs.db:1", "runs.db:2", "--json").stdout)
    assert two["groups"][0]["spreads"]["steps"]["interval"] is None


def test_a_running_run_can_be_looked_at(place):
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(5)
    shown, page = place("show", "runs.db"), place("view", "runs.db:1")
    begun.kill()
    begun.communicate()
    assert f"process {begun.pid}" in shown.stdout and page.returncode == 0


def test_delete_asks_first_and_then_takes_the_snapshots_too(ended):
    assert ended("delete", "runs.db:1").returncode == 2
    assert ended("delete", "runs.db").returncode == 2
    done = ended("delete", "runs.db:1", "--yes")
    assert done.returncode == 0 and "run 1" in done.stdout
    uids = {row["uid"] for row in Journal(ended.path / "runs.db").rows("runs")}
    left = {folder.name.split(".")[0] for folder in (ended.path / "runs.db.snapshots").iterdir()}
    assert len(uids) == 2 and left == uids
    assert ended("delete", "runs.db:1", "--yes").returncode == 6


def test_a_run_in_use_is_not_deleted(place):
    begun = place.start("run", "slow:long", "--journal", "runs.db", "--seed", 0)
    place.wait_for(5)
    done = place("delete", "runs.db:1", "--yes")
    begun.kill()
    begun.communicate()
    assert done.returncode == 5


def test_gc_takes_what_nobody_can_go_back_to_and_nothing_else(ended):
    store = ended.path / "runs.db.snapshots"
    kept = {folder.name for folder in store.iterdir()}
    uid = Journal(ended.path / "runs.db").rows("runs")[0]["uid"]
    for name in (f"{uid}.orphan", f"{uid}.half.unfinished", "0123456789ab.lost"):
        (store / name).mkdir()
        (store / name / "data").write_bytes(b"x" * 1000)
    looked = json.loads(ended("gc", "runs.db", "--dry-run", "--json").stdout)
    assert (len(looked["found"]), looked["bytes"], looked["removed"]) == (3, 3000, [])
    assert ended("gc", "runs.db").stdout.splitlines()[-1] == "freed 3 kB in 3 snapshots"
    assert {folder.name for folder in store.iterdir()} == kept


def test_export_writes_the_line_that_counts_as_csv_that_replay_reads(place):
    place("run", "slow:given_up", "--journal", "runs.db", "--seed", 0, "--quiet")
    rows = list(csv.DictReader(io.StringIO(place("export", "runs.db").stdout)))
    every = list(csv.DictReader(io.StringIO(place("export", "runs.db", "--all").stdout)))
    assert [row["step"] for row in rows] == [row["step"] for row in every if row["abandoned"] == "0"]
    assert len(every) > len(rows)
    assert place("export", "runs.db", "-o", "steps.csv").returncode == 0
    found = json.loads(place("replay", "slow:rules", "steps.csv", "--json").stdout)
    assert found["firings"] == []


def test_replay_says_where_rules_would_have_fired(ended):
    done = ended("replay", "slow.py:rules", "runs.db")
    assert done.returncode == 0 and done.stdout.count("step 11") >= 3


def test_export_for_tensorboard_says_which_extra_is_missing(ended):
    (ended.path / "tensorboardX.py").write_text("raise ImportError('none here')")
    done = ended("export", "runs.db:1", "--tensorboard", "board")
    assert done.returncode == 2 and "dalsegno[tensorboard]" in done.stderr


def test_export_for_tensorboard_writes_a_folder_an_attempt(ended):
    pytest.importorskip("tensorboardX")
    done = ended("export", "runs.db:1", "--tensorboard", "board")
    assert done.returncode == 0 and list((ended.path / "board/Slow-1/attempt-1").glob("events.*"))


def test_systems_lists_every_row_of_the_catalog(place):
    rows = json.loads(place("systems", "--json").stdout)
    assert [row["number"] for row in rows] == list(range(64))
    assert {row["state"] for row in rows} <= {"planned", "works"}
    assert place("systems", "--wing", "nothing").returncode == 2


@pytest.mark.parametrize("words", [["show", "none.db"], ["view", "none.db"], ["export", "none.db"], ["gc", "none.db"]])
def test_a_journal_that_is_not_there_is_an_error_and_is_not_made(place, words):
    done = place(*words)
    assert done.returncode == 6 and "none.db" in done.stderr and not list(place.path.glob("none.db*"))


@pytest.mark.parametrize("word", ["7", "other"])
def test_a_run_that_is_not_there_is_named_with_those_that_are(ended, word):
    done = ended("show", f"runs.db:{word}")
    assert done.returncode == 6 and "1 (Slow)" in done.stderr


def test_without_a_journal_anywhere_show_says_what_to_do(place):
    done = place("show")
    assert done.returncode == 2 and "DALSEGNO_JOURNAL" in done.stderr


def test_settings_reach_class_function_and_maker_with_their_types(place):
    assert json.loads(place("run", "slow:train", "--set", "kind=3", "--json").stdout)["returned"] == 3
    assert json.loads(place("run", "slow:train", "--set", "kind=adam", "--json").stdout)["returned"] == "adam"
    assert json.loads(place("run", "slow:Slow", "--set", "length=4", "--set", "pause=0", "--json").stdout)["steps"] == 4
    made = json.loads(place("run", "slow:make", "--set", "length=5", "--json").stdout)
    assert (made["name"], made["steps"]) == ("made", 5)


def test_rules_and_snapshots_can_be_said_on_the_command_line(place):
    words = ("slow:Slow", "--rules", "slow:rules", "--every", 4, "--set", "pause=0", "--journal", "runs.db", "--json")
    told = json.loads(place("run", *words).stdout)
    steps = [row["step"] for row in Journal(place.path / "runs.db").rows("snapshots")]
    assert (told["steps"], steps) == (11, [0, 4, 8, 11])


def test_parallel_attempts_stop_at_the_first_success(place):
    told = json.loads(place("run", "slow:train", "--parallel", 2, "--json", "--seed", 0).stdout)
    assert told["succeeded"] and {attempt["state"] for attempt in told["attempts"]} <= {"succeeded", "cut"}


def test_check_answers_exact_for_a_process_that_keeps_its_state(place):
    done = place("check", "--steps", 12, "--kills", 1, "--json", "slow:stopped")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "exact")
    assert not (place.path / "runs.db").exists()


def test_version_and_help(place):
    assert place("--version").stdout.startswith("dalsegno ")
    assert "Exit codes" in place("--help").stdout


def test_the_command_line_imports_nothing_heavy_for_its_help():
    code = "import sys, dalsegno.cli; print([name for name in ('numpy', 'rich', 'apsw', 'torch', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_leaves_ends_the_command_quietly(ended):
    begun = ended.start("export", "runs.db")
    begun.stdout.readline()
    begun.stdout.close()
    errors = begun.stderr.read()
    assert (begun.wait(60) in (0, 141, -signal.SIGPIPE), errors) == (True, "")
