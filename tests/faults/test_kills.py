"""SIGKILL at random instants: never a lost acknowledged decision, and the same result, journal and state at the end."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from tests.faults.chains import check_nothing_was_lost, killed_chain, outcome
from tests.faults.programs_run import start_alone

import dalsegno as ds

pytestmark = pytest.mark.torture

PROGRAMS = ["walk.py", "training.py", "calls.py"]
KILLS = 36  # of each program under each kind of rules: 216 in all
CHAIN = 6  # kills in a row, at most
LONGEST = {"walk.py": 0.7, "training.py": 0.9, "calls.py": 0.6}


@pytest.fixture
def starting(request):
    """``starting(script, rules)`` gives what starts that program on a journal."""

    def of(script, rules):
        launcher = request.getfixturevalue("torch_launcher" if script == "training.py" else "launcher")
        return lambda journal, out: launcher.start(script, journal, rules, out=out)

    return of


_undisturbed = {}


@pytest.fixture
def undisturbed(starting, tmp_path_factory):
    """What a program comes to under rules that look at no clock, when it is left alone."""

    def of(script):
        if script not in _undisturbed:
            folder = tmp_path_factory.mktemp("undisturbed")
            told = starting(script, "steps")(folder / "runs.db", folder / "out").ended().told
            _undisturbed[script] = outcome(folder / "runs.db", told)
            verbs = Counter(taken[2] for taken in _undisturbed[script]["decisions"])
            assert set(verbs) == {"adapt", "roll back", "restart", "stop"}
        return _undisturbed[script]

    return of


def chains(count, start, tmp_path, seed, longest):
    """Chains of kills until there have been ``count``; those of programs that ended first do not count."""
    drawn, done = random.Random(seed), 0
    for number in range(10 * count):
        folder = tmp_path / f"chain {number}"
        folder.mkdir()
        chain = killed_chain(start, folder, min(CHAIN, count - done), drawn, longest)
        done += chain.kills
        yield chain
        if done >= count:
            return
    raise AssertionError(f"only {done} of {count} kills struck")


def world(journal):
    return [line.split() for line in open(f"{journal}.world").read().splitlines()]


def check_calls(chain):
    """No acknowledged call was made twice; each kill sent at most the one call in flight once more, under its own key."""
    sent, used = Counter(), set()
    for word, key in world(chain.journal):
        if word == "sent":
            assert key not in used
            sent[key] += 1
        else:
            used.add(key)
    assert sum(sent.values()) - len(sent) <= chain.kills
    calls = ds.Journal(chain.journal).rows("calls")
    assert {row["idempotency_key"] for row in calls} == set(sent)
    assert all(row["state"] == "done" and row["sent"] >= sent[row["idempotency_key"]] for row in calls)
    return len(sent)


@pytest.mark.parametrize("script", PROGRAMS)
def test_killed_at_random_instants_a_run_ends_as_if_left_alone(tmp_path, script, starting, undisturbed, torture_count):
    expected = undisturbed(script)
    for chain in chains(torture_count(KILLS), starting(script, "steps"), tmp_path, f"steps {script}", LONGEST[script]):
        check_nothing_was_lost(chain)
        assert outcome(chain.journal, chain.told) == expected
        if script == "calls.py":
            check_calls(chain)


@pytest.mark.parametrize("script", PROGRAMS)
def test_killed_under_rules_that_look_at_the_clock(tmp_path, script, starting, torture_count):
    for chain in chains(torture_count(KILLS), starting(script, "clock"), tmp_path, f"clock {script}", LONGEST[script]):
        check_nothing_was_lost(chain)
        check_seconds(chain, limit=0.9)
        if script == "calls.py":
            check_calls(chain)


def check_seconds(chain, limit):
    """The run stopped at the step that crossed its limit of running time, and at no other."""
    last = ds.Journal(chain.journal).rows("steps")[-1]
    reset = ds.Journal(chain.journal).rows("attempts")[-1]["reset_seconds"]
    seconds = chain.told["seconds"]
    assert seconds >= limit and seconds - last["seconds"] - reset < limit
    assert chain.told["result"]["rule"] == "stop when spent(seconds=0.9)"


def test_the_same_call_is_made_again_under_the_same_key_and_never_after_its_answer(tmp_path, starting, undisturbed):
    """Of the undisturbed calls each has one key; a run with kills has the same number of keys."""
    start = starting("calls.py", "steps")
    left = start(tmp_path / "left.db", tmp_path / "left").ended()
    folder = tmp_path / "killed"
    folder.mkdir()
    chain = killed_chain(start, folder, 3, random.Random(8), 0.5)
    keys = {key for word, key in world(tmp_path / "left.db")}
    assert left.status == 0 and check_calls(chain) == len(keys)


def test_a_script_with_an_interpreter_of_its_own_killed_in_all_its_life(tmp_path, undisturbed, torture_count):
    chain = killed_chain(
        lambda journal, out: start_alone("calls.py", journal, "steps", out=out),
        tmp_path,
        torture_count(30),
        random.Random(4),
        0.8,
    )
    check_nothing_was_lost(chain)
    assert outcome(chain.journal, chain.told) == undisturbed("calls.py")
