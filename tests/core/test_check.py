"""`dalsegno check`: somebody's own script resumes, or it is said what it loses."""

from __future__ import annotations

import json
import sys

import pytest

from dalsegno.core.check import check, main

GOOD = """
import random
import dalsegno as ds

def train(attempt):
    weights = {"x": 0.0}
    attempt.keep(weights=weights)
    for step, item in attempt.over(range(1000)):
        weights["x"] = 0.9 * weights["x"] + random.random() * item
        step.report(loss=weights["x"])

ds.run(train, journal="real.db", seed=0, rules=[ds.stop(ds.when.spent(steps=500))])
"""
UNKEPT = GOOD.replace("    attempt.keep(", "    own = random.Random(attempt.seed)\n    attempt.keep(").replace(
    "random.random()", "own.random()"
)
CHANCE = GOOD.replace("random.random()", "random.SystemRandom().random()")
FAILS = GOOD.replace("        step.report", "        assert step < 9\n        step.report")
NO_RUN = "print('hello')"
PROCESS = """
import dalsegno as ds

class Count(ds.Process):
    def reset(self, *, seed, origin=None): self.n = self.hidden = 0
    def step(self):
        self.n += 1
        self.hidden += 1
        return ds.Report({"n": float(self.n), "hidden": float(self.hidden)})
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state): self.n = state["n"]
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(source):
        (tmp_path / "job.py").write_text(source)
        return [sys.executable, "job.py"]

    return write


def test_a_script_that_resumes_is_exact_and_its_real_run_is_not_touched(script, tmp_path):
    found = check(script(GOOD), steps=30)
    assert (found.verdict, found.kills, found.exit_code) == ("exact", 3, 0) and found.steps == 30
    assert not (tmp_path / "real.db").exists()


def test_a_generator_that_is_not_kept_is_found(script):
    found = check(script(UNKEPT), steps=30)
    assert (found.verdict, found.metric, found.exit_code) == ("approximate", "loss", 3)
    assert found.first_step and found.undisturbed != found.resumed
    assert found.state == ["state.kept.weights.x"] and "generator" in found.suspects[0]


def test_a_program_that_is_not_deterministic_is_told_apart(script):
    found = check(script(CHANCE), steps=30)
    assert found.verdict == "approximate" and "not deterministic" in found.reason and found.first_step == 2


@pytest.mark.parametrize(("source", "words"), [(FAILS, "without any kill"), (NO_RUN, "began no run")])
def test_a_program_that_cannot_be_checked_has_failed(script, source, words):
    found = check(script(source), steps=30)
    assert found.verdict == "failed" and words in found.reason


def test_a_process_by_its_address(script, capsys):
    script(PROCESS)
    assert main(["job:Count"], steps=20, as_json=True) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "approximate" and said["metric"] == "hidden"


TWO_RUNS = """
import random
import dalsegno as ds

def good(attempt):
    kept = {"x": 0.0}
    attempt.keep(kept=kept)
    for step, item in attempt.over(range(12)):
        kept["x"] += item
        step.report(x=kept["x"])

def forgetful(attempt):
    own = random.Random(3)
    for step, item in attempt.over(range(12)):
        step.report(drawn=own.random())

ds.run(good, journal="real.db", seed=0)
ds.run(forgetful, journal="real.db", seed=0)
"""
RETURNS = """
import dalsegno as ds

total = 0

def train(attempt):
    global total
    for step, item in attempt.over(range(20)):
        total += item
        step.report(item=item)
    return total

ds.run(train, journal="real.db", seed=0)
"""


def test_every_run_of_a_program_is_killed(script):
    found = check(script(TWO_RUNS), steps=12, kills=2)
    assert (found.verdict, found.metric, found.kills) == ("approximate", "drawn", 2)


def test_what_a_function_returned_is_compared(script):
    found = check(script(RETURNS), steps=30, kills=3)
    assert found.verdict == "approximate"
    assert any("returned" in path for path in found.state)


def test_what_is_not_finite_is_valid_json(script, capsys):
    source = GOOD.replace(
        "step.report(loss=weights", "step.report(odd=float('inf') if step % 2 else float('nan'), loss=weights"
    )
    assert main(script(source), steps=10, kills=1, as_json=True) == 0
    json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))


def test_a_program_that_cannot_be_found_is_a_usage_error(script, capsys):
    assert main(["no_such_module_at_all:train"]) == 2
    assert "no_such_module_at_all" in capsys.readouterr().out


def test_the_whole_of_an_error_is_shown(script):
    found = check(script(FAILS), steps=30)
    assert "AssertionError" in found.reason
    assert "train" in found.reason
