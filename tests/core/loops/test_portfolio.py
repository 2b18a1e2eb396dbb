"""Parallel attempts: the first success wins, the journal is the driver's, a kill loses nothing acknowledged."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from tests.cases.conftest import elsewhere  # noqa: F401  (a fixture)

import dalsegno as ds
from dalsegno.core.executors import Local

EVERY = ds.checkpoint.Every(steps=5)


def guess(attempt):
    """Succeeds at the first draw above 0.97, which attempt and step decide."""
    kept = {"best": 0.0}
    attempt.keep(kept=kept)
    for step, _ in attempt.over(range(60)):
        time.sleep(0.002)
        draw = random.random()
        kept["best"] = max(kept["best"], draw)
        step.report(draw=draw, value=draw, cost={"draws": 1})
        if draw > 0.97:
            return attempt.number
    attempt.fail("never")


RULES = [ds.stop(ds.when.spent(attempts=9)), ds.restart(ds.when.failed())]


def trajectories(journal):
    found = {}
    for row in ds.Journal(journal).rows("steps"):
        found.setdefault(row["attempt"], []).append(row["draw"])
    return found


def test_an_attempts_own_trajectory_is_the_same_on_every_executor(tmp_path):
    for executor, parallel in (("here", 1), ("local", 1), ("local", 3)):
        result = ds.run(
            guess,
            rules=RULES,
            seed=11,
            checkpoint=EVERY,
            executor=executor,
            parallel=parallel,
            journal=tmp_path / f"{executor}{parallel}.db",
        )
        assert result.succeeded and result.returned in range(1, 10)
    plain = ds.run(guess, rules=RULES, seed=11, checkpoint=EVERY, journal=tmp_path / "plain.db")
    reference = trajectories(tmp_path / "plain.db")
    assert len(plain.attempts) == len(reference)
    for name in ("here1", "local1", "local3"):
        for attempt, draws in trajectories(tmp_path / f"{name}.db").items():
            own = {row["id"]: row["number"] for row in ds.Journal(tmp_path / f"{name}.db").rows("attempts")}[attempt]
            mine = reference.get(own)
            if mine is not None:
                shorter = min(len(mine), len(draws))
                assert draws[:shorter] == mine[:shorter]


def test_losers_are_cut_and_censored(tmp_path):
    result = ds.run(guess, rules=RULES, seed=11, executor="local", parallel=3, journal=tmp_path / "j.db")
    states = [attempt.state for attempt in result.attempts]
    assert states.count("succeeded") == 1
    assert all(attempt.censored for attempt in result.attempts if attempt.state == "cut")
    assert {row["state"] for row in ds.Journal(tmp_path / "j.db").rows("attempts")} <= {"succeeded", "cut", "failed"}


def test_a_finished_portfolio_is_finished(tmp_path):
    first = ds.run(guess, rules=RULES, seed=11, executor="local", parallel=3, journal=tmp_path / "j.db")
    steps = len(ds.Journal(tmp_path / "j.db").rows("steps"))
    again = ds.run(guess, rules=RULES, seed=11, executor="local", parallel=3, journal=tmp_path / "j.db")
    assert again.to_dict() == first.to_dict() and len(ds.Journal(tmp_path / "j.db").rows("steps")) == steps


def hopeless(attempt):
    for step, _ in attempt.over(range(3)):
        step.report(x=1.0)
    attempt.fail("never")


def test_a_start_reserves_its_place_in_a_budget_of_attempts():
    result = ds.run(
        hopeless,
        rules=[ds.stop(ds.when.spent(attempts=5)), ds.restart(ds.when.failed())],
        seed=0,
        executor="local",
        parallel=3,
    )
    assert len(result.attempts) == 5 and not result.succeeded and "spent(attempts=5)" in result.rule


def test_if_no_attempt_succeeds_and_no_rule_speaks_the_run_has_not_succeeded():
    result = ds.run(hopeless, seed=0, executor="local", parallel=2)
    assert len(result.attempts) == 2 and not result.succeeded and "never" in result.reason


def test_steps_of_all_attempts_are_charged_to_the_run():
    def endless(attempt):
        for step, _ in attempt.over(range(10**9)):
            time.sleep(0.001)
            step.report(cost={"draws": 1})

    result = ds.run(endless, rules=[ds.stop(ds.when.spent(draws=100))], seed=0, executor="local", parallel=2)
    assert "spent(draws=100)" in result.rule and result.cost["draws"] >= 100
    assert result.cost["draws"] == sum(attempt.cost["draws"] for attempt in result.attempts) == result.steps


def test_attempts_that_agree():
    def votes(attempt):
        return "a" if attempt.number != 2 else "b"

    rules = [ds.stop(ds.when.agrees(3, of=5, by="returned")), ds.restart(ds.when.succeeded())]
    result = ds.run(votes, rules=rules, seed=0, executor="local", parallel=2)
    assert "agrees" in result.rule and len(result.attempts) in (4, 5)  # the fifth may have begun


def stubborn(attempt):
    for step, _ in attempt.over(range(3)):
        if attempt.number == 1 and step == 2:
            time.sleep(60)
        step.report(x=1.0)
    return attempt.number


def test_a_step_that_never_returns_is_killed_with_its_program(tmp_path):
    rules = [ds.restart(ds.when.failed())]
    begun = time.monotonic()
    result = ds.run(
        stubborn, rules=rules, seed=0, executor="local", parallel=1, step_timeout=1.0, journal=tmp_path / "j.db"
    )
    assert result.succeeded and result.returned == 2 and time.monotonic() - begun < 20
    assert [attempt.state for attempt in result.attempts] == ["failed", "succeeded"]


def dies(attempt):
    for step, _ in attempt.over(range(3)):
        if attempt.number == 1 and step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        step.report(x=1.0)
    return attempt.number


def test_a_worker_that_dies_has_failed_and_the_rules_are_asked():
    result = ds.run(dies, rules=[ds.restart(ds.when.failed())], seed=0, executor="local")
    assert result.returned == 2 and "signal 9" in result.attempts[0].failure.message


def slow(folder):
    def body(attempt):
        kept = {"n": 0}
        attempt.keep(kept=kept)
        for step, _ in attempt.over(range(20)):
            time.sleep(0.02)
            kept["n"] += 1
            step.report(n=float(kept["n"]), draw=random.random())
        if attempt.number < 3:
            attempt.fail("not this one")
        return attempt.number

    return ds.run(
        body,
        rules=[ds.restart(ds.when.failed())],
        seed=3,
        checkpoint=EVERY,
        executor="local",
        parallel=2,
        journal=folder / "j.db",
    )


def killed_driver(folder, after):
    import threading

    threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    slow(folder)


@pytest.mark.parametrize("after", [0.15, 0.3, 0.45, 0.7])
def test_a_killed_driver_goes_on_where_it_was(tmp_path, elsewhere, after):  # noqa: F811
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    undisturbed = slow(tmp_path / "one")
    elsewhere(killed_driver, tmp_path / "two", after)
    result = slow(tmp_path / "two")
    # attempts 3 and 4 run side by side: either may be the first
    assert result.succeeded and {result.returned, undisturbed.returned} <= {3, 4}
    one, two = (
        {
            (names[row["attempt"]], row["step"]): row["draw"]
            for names in [
                {attempt["id"]: attempt["number"] for attempt in ds.Journal(folder / "j.db").rows("attempts")}
            ]
            for row in ds.Journal(folder / "j.db").rows("steps")
        }
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert {place for place in one if place[0] <= 2} == {place for place in two if place[0] <= 2}
    assert all(one[place] == two[place] for place in one if place in two)


def test_no_worker_outlives_its_driver(tmp_path, elsewhere):  # noqa: F811
    elsewhere(killed_driver, tmp_path, 0.3)
    time.sleep(1.0)
    alive = [path for path in Path("/proc").iterdir() if path.name.isdigit() and names_folder(path, tmp_path)]
    assert not alive


def names_folder(path, folder):
    try:
        return any(str(folder) in os.readlink(link) for link in (path / "fd").iterdir() if link.is_symlink())
    except OSError:
        return False


def test_spawned_programs_take_importable_plans():
    result = ds.run(hopeless, seed=0, executor=Local("spawn"), parallel=1)
    assert len(result.attempts) == 1 and "never" in result.reason


@pytest.mark.parametrize(
    ("rules", "more", "words"),
    [
        ([ds.adapt(ds.when.spent(steps=5), len)], {}, "whole run"),
        ([], {"budget": ds.Budget(tokens=5)}, "held by one program"),
        ([], {"parallel": 0}, "at least 1"),
        ([], {"executor": "cloud"}, "'cloud'"),
    ],
)
def test_what_parallel_attempts_cannot_do_is_refused_with_the_reason(rules, more, words):
    with pytest.raises(ds.UsageError, match=words):
        ds.run(hopeless, rules=rules, seed=0, **{"executor": "local", **more})
