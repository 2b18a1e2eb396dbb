"""Arguments that mean nothing are refused where they are written, by a sentence that says what was expected."""

from __future__ import annotations

import threading

import pytest

import dalsegno as ds

FIRES = ds.when.every(steps=1)


def loop(attempt):
    for step, _ in attempt.over(range(3)):
        step.report(loss=1.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ds.roll_back(FIRES, to=5), "5 names no snapshot"),
        (lambda: ds.roll_back(FIRES, to=""), "'' names no snapshot"),
        (lambda: ds.stop(FIRES, restore=5), "5 names no snapshot"),
        (lambda: ds.roll_back(FIRES, then=5), "then=5"),
        (lambda: ds.roll_back(FIRES, limit=True), "limit=True"),
        (lambda: ds.restart(FIRES, origin="scratch"), "origin='scratch'"),
        (lambda: ds.restart(FIRES, wait="soon"), "'soon' is no duration"),
        (lambda: ds.restart(FIRES, wait=-1), "-1"),
        (lambda: ds.Origin("nope"), "nope"),
        (lambda: ds.run(loop, name=5, seed=0), "name=5"),
        (lambda: ds.run(loop, name=" ", seed=0), "name=' '"),
        (lambda: ds.run(loop, step_timeout=0, seed=0), "step_timeout=0"),
        (lambda: ds.run(loop, listeners=5, seed=0), "listeners=5"),
        (lambda: ds.run(loop, listeners=["tell"], seed=0), "listeners="),
        (lambda: ds.run(loop, rules=[Locked()], seed=0), r"rules\[0\] .* cannot be copied"),
        (lambda: ds.snapshot("here"), "outside a run"),
    ],
)
def test_what_means_nothing_is_refused(make, said):
    with pytest.raises(ds.UsageError, match=said):
        make()


class Locked:
    """A policy that holds what cannot be copied."""

    def __init__(self):
        self.lock = threading.Lock()

    def decide(self, trace):
        return None


def test_a_wait_may_be_a_duration_in_words():
    assert ds.restart(FIRES, wait="1m30s").action.wait == 90.0


class Failing(ds.Process):
    def reset(self, *, seed, origin=None):
        pass

    def step(self):
        raise ValueError("x")

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_an_origin_function_that_gives_none_is_named():
    with pytest.raises(ds.UsageError, match="its origin function gave None"):
        ds.run(Failing(), rules=[ds.restart(ds.when.failed(), origin=lambda trace: None)], seed=0)


def test_a_unit_that_is_never_charged_is_warned_about():
    def calls(attempt):
        for step, _ in attempt.over(range(3)):
            step.report(cost={"tokens": 10.0})

    with pytest.warns(ds.EngineWarning, match=r"'tokns'.*limits, was never charged; charged were: tokens"):
        ds.run(calls, rules=[ds.stop(ds.when.spent(tokns=20))], seed=0)


def test_attempts_from_one_snapshot_go_different_ways():
    import random

    class Draws(ds.Process):
        def reset(self, *, seed, origin=None):
            self.drawn = []

        def step(self):
            self.drawn.append(random.random())
            if len(self.drawn) == 1:
                ds.snapshot("fork")
            return ds.Report({"n": len(self.drawn)})

        def state_dict(self):
            return {"drawn": list(self.drawn)}

        def load_state_dict(self, state):
            self.drawn = list(state["drawn"])

    ways = []

    class Watching(Draws):
        def step(self):
            report = super().step()
            if len(self.drawn) == 3:
                ways.append(tuple(self.drawn))
            return report

    ds.run(
        Watching(),
        rules=[
            ds.stop(ds.when.spent(attempts=3)),
            ds.restart(ds.when.above("n", 2.5), origin=ds.Origin.at("fork")),
        ],
        checkpoint=ds.checkpoint.Never(),
        seed=0,
    )
    assert len({way[0] for way in ways}) == 1
    assert len({way[1] for way in ways}) == len(ways) == 3


@pytest.mark.parametrize("journal", [":memory:", "file:x.db?mode=memory", b"runs.db", 5, "a\0b", "\ud800.db", ""])
def test_what_is_no_path_of_a_journal_is_refused_and_makes_no_file(tmp_path, monkeypatch, journal):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ds.UsageError, match="journal="):
        ds.run(loop, journal=journal, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_home_folder_and_a_journal_are_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    ds.run(loop, journal="~/runs.db", seed=0)
    journal = ds.Journal("~/runs.db")
    assert ds.run(loop, journal=journal, seed=0).steps == 3
    assert len(journal.rows("runs")) == 1
