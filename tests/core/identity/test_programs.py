"""The same run in other programs: whatever the hash seed, as a script and imported, from a file and from standard input."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dalsegno
from dalsegno.core import identity
from dalsegno.core.identity import memory

SOURCES = str(Path(dalsegno.__file__).parents[1])
MAIN = """

if __name__ != "imported only":
    import json, sys
    from dalsegno.core import identity

    rules = [
        ds.stop(ds.when.spent(steps=5) | ds.when.above("x", 1.0)),
        ds.adapt(ds.when.below("y", {"seed": 1, "other": 2}["seed"]), lambda process: process in {"a", "b", "c", "d"}),
    ]
    of = lambda process: identity.identify(process=process, rules=rules, arguments={"tags": {"x", "y", "z"}})
    print(json.dumps([of(train), of(Walk(3)), of(Walk), of(make({"a", "b"}))], sort_keys=True))
"""


def program(*command, stdin=None, seed="0", cwd=None):
    done = subprocess.run(
        [sys.executable, *command], input=stdin, capture_output=True, text=True, cwd=cwd, timeout=120, check=False,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": SOURCES, "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def script(tmp_path, user):
    path = tmp_path / "job.py"
    path.write_text(Path(user().__file__).read_text() + MAIN)
    return path


def test_it_is_the_same_for_every_hash_seed_and_for_main_as_for_an_import(script):
    said = {program(str(script), seed=seed) for seed in "01"}
    said.add(program("-m", "job", cwd=script.parent, seed="2"))
    said.add(program("-c", "import job", cwd=script.parent, seed="3"))
    assert len(said) == 1


def test_from_standard_input_it_is_the_same_every_time_and_by_code_object(script):
    text = script.read_text()
    one, same = (json.loads(program("-", stdin=text, seed=seed)) for seed in "12")
    other = json.loads(program("-", stdin=text.replace("return x - 1", "return x - 2")))
    assert one == same and "source" not in one[0]["process"]
    assert [one.name for one in identity.differences(one[0], other[0])] == ["train"]


def test_a_script_and_the_same_from_standard_input_do_not_differ(script):
    from_file, from_input = json.loads(program(str(script))), json.loads(program("-", stdin=script.read_text()))
    for one, other in zip(from_file, from_input, strict=True):
        assert identity.differences(one, other) == []


def test_nothing_heavy_is_imported():
    said = program(
        "-c", "import sys, dalsegno.core.identity as i; i.identify(process=len, rules=[]); print(*sys.modules)"
    )
    assert {"torch", "pandas", "scipy"}.isdisjoint(said.split())


def test_the_module_itself_needs_no_checksum_library():
    said = program("-c", "import sys, dalsegno.core.identity; print(*sys.modules)")
    assert "xxhash" not in said.split()


# -- within one program ----


def test_a_process_that_has_run_is_known_again(user, of, names):
    walk = user().Walk(3)
    one = of(walk)
    walk.lr, walk.position = 0.1, 9
    walk.values.append(7.0)
    assert names(one, of(walk)) == []


def test_an_argument_that_no_method_assigns_is_compared_as_it_is_now(user, of, names):
    walk = user().Walk(3)
    one = of(walk)
    walk.width = 4
    assert names(one, of(walk)) == ["process.width"]


def test_a_process_made_anew_is_described_anew(user, of, names):
    walk = user().Walk
    one = of(walk(3, lr=0.8))
    assert names(one, of(walk(3, lr=0.4))) == ["process.lr"]


def test_what_a_function_closes_over_is_remembered_as_long_as_the_function_lives(user, of, names):
    make, state = user().make, {"a": 1}
    train = make(state)
    one = of(train)
    state["a"] = 2
    assert names(one, of(train)) == [] and names(one, of(make(state))) == ["process.rate['a']"]


def test_what_is_remembered_goes_with_its_owner(user, of):
    walk = user().Walk(3)
    of(walk)
    key = id(walk)
    assert key in memory._kept
    del walk
    gc.collect()
    assert key not in memory._kept


def test_descriptions_and_digests_remember_nothing(user):
    walk = user().Walk(3)
    before = identity.describe(walk), identity.digest(walk)
    walk.values.append(7.0)
    assert identity.describe(walk) != before[0] and identity.digest(walk) != before[1]


def test_it_is_cheap_once_the_file_has_been_parsed(user, of):
    module = user()
    of(module.Walk(3))
    times = []
    for _ in range(20):
        began = time.perf_counter()
        identity.identify(process=module.Walk(3), rules=[])
        times.append(time.perf_counter() - began)
    assert min(times) < 0.005  # seconds; the least of many, so that a busy machine does not count
