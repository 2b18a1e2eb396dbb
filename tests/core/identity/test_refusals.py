"""A changed run under the same name, through the front door: refused with the difference, and every way on."""

from __future__ import annotations

import pytest

import dalsegno as ds


class Count(ds.Process):
    def __init__(self, by=1.0):
        self.by = by

    def reset(self, *, seed, origin=None):
        self.n = 0.0

    def step(self):
        self.n += self.by
        return ds.Report(metrics={"n": self.n})

    def state_dict(self):
        return {"n": self.n, "by": self.by}

    def load_state_dict(self, state):
        self.n, self.by = state["n"], state["by"]


class Faster(Count):
    pass


@pytest.fixture
def go(tmp_path):
    def run(process=None, steps=5, level=100.0, **more):
        rules = [ds.stop(ds.when.spent(steps=steps)), ds.stop(ds.when.above("n", level))]
        return ds.run(process or Count(), rules=rules, journal=tmp_path / "runs.db", seed=0, name="count", **more)

    return run


def test_the_same_again_is_the_stored_result(go):
    assert go().steps == go().steps == 5


def test_a_process_that_was_changed_while_it_ran_is_known_again(go):
    process = Count()
    go(process)
    process.by = 9.0
    assert go(process).steps == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"process": Count(2.0)}, r"process\.by: it was 1\.0, now it is 2\.0"),
        ({"level": 50.0}, r"rules\[1\]\.condition\.limit: it was 100\.0, now it is 50\.0"),
        ({"steps": 9}, r"rules\[0\]\.condition\.steps \(a limit\): it was 5, now it is 9"),
        ({"process": Faster()}, r"process: it was Count\(by=1\.0\), now it is Faster\(by=1\.0\)"),
    ],
)
def test_a_change_is_refused_by_name_with_both_values(go, change, words):
    go()
    with pytest.raises(ds.ChangedError, match=words):
        go(**change)


def test_accepting_the_names_goes_on(go):
    go()
    assert go(level=50.0, accept=["rules[1].condition.limit"]).steps == 5


def test_a_moved_limit_goes_on_when_it_is_extended(go):
    go()
    assert go(steps=9, extend=True).steps == 9


@pytest.mark.parametrize("fresh", [True, "if changed"])
def test_a_changed_run_can_begin_anew(go, fresh):
    go()
    assert go(Count(30.0), fresh=fresh).steps == 4
