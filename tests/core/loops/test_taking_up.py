"""What a run has when it is taken up: its snapshots, changes, newest reports, times; and what is said where one is gone."""

from __future__ import annotations

import shutil

import pytest

import dalsegno as ds


class Killed(KeyboardInterrupt):
    """Leaves a step as a kill does: nothing is saved, no rule is asked."""


TOLD = {"leaves": [], "fails": [], "spikes": [], "shift": 0.0}  # what befalls the next program; no part of the process


@pytest.fixture(autouse=True)
def undisturbed():
    TOLD.update(leaves=[], fails=[], spikes=[], shift=0.0)


class Walk(ds.Process):
    """Counts; at some steps it leaves, or fails, or its loss leaps, once each."""

    def __init__(self, steps=40):
        self.steps, self.rate = steps, 0.8

    def reset(self, *, seed, origin=None):
        self.i, self.rate = 0, 0.8

    def step(self):
        self.i += 1
        if TOLD["leaves"] and self.i == TOLD["leaves"][0]:
            TOLD["leaves"].pop(0)
            raise Killed
        if TOLD["fails"] and self.i == TOLD["fails"][0]:
            TOLD["fails"].pop(0)
            raise OSError("the disk is full")
        spike = self.i == 15 and self.rate > 0.15
        if TOLD["spikes"] and self.i == TOLD["spikes"][0]:
            TOLD["spikes"].pop(0)
            spike = True
        report = ds.Report({"n": self.i + TOLD["shift"], "loss": 9.0 if spike else 1.0, "dip": abs(self.i - 3.0)})
        report.status = "succeeded" if self.i == self.steps else "running"
        return report

    def state_dict(self):
        return {"i": self.i, "rate": self.rate}

    def load_state_dict(self, state):
        self.i, self.rate = state["i"], state["rate"]


def halve(process):
    process.rate /= 2


EVERY = ds.checkpoint.Every(steps=10)


def run(journal, process=None, rules=(), **told):
    """Run it under the same name; ``leaves`` and the like are what befalls this program."""
    TOLD.update(told)
    return ds.run(process or Walk(), name="walk", rules=rules, checkpoint=EVERY, journal=journal, seed=0)


def left(journal, process=None, rules=(), **told):
    with pytest.raises(Killed):
        run(journal, process, rules, **told)


def failed(journal, process=None, rules=(), **told):
    with pytest.raises(OSError, match="full"):
        run(journal, process, rules, **told)


@pytest.mark.filterwarnings("ignore::dalsegno.EngineWarning")
def test_a_folder_of_snapshots_that_is_elsewhere_is_asked_for_and_not_called_damaged(tmp_path):
    journal, folder = tmp_path / "runs.db", tmp_path / "runs.db.snapshots"
    left(journal, leaves=[35])
    shutil.move(folder, tmp_path / "elsewhere")
    with pytest.raises(ds.SnapshotError, match=r"folder .*runs.db.snapshots is not there: put it back"):
        run(journal)
    shutil.move(tmp_path / "elsewhere", folder)
    result = run(journal)
    assert (result.succeeded, result.steps, result.verdict) == (True, 40, "exact")


@pytest.mark.filterwarnings("ignore::dalsegno.EngineWarning")
def test_a_snapshot_that_is_put_back_is_one_again(tmp_path):
    journal, folder = tmp_path / "runs.db", tmp_path / "runs.db.snapshots"
    left(journal, leaves=[35])
    (tmp_path / "aside").mkdir()
    for one in list(folder.iterdir()):
        shutil.move(one, tmp_path / "aside" / one.name)
    with pytest.raises(ds.SnapshotError, match="every snapshot"):
        run(journal)
    for one in list((tmp_path / "aside").iterdir()):
        shutil.move(one, folder / one.name)
    assert run(journal).steps == 40
    assert {row["state"] for row in ds.Journal(journal).rows("snapshots")} <= {"ok", "removed"}


def test_changes_since_the_snapshot_stay_when_a_failed_run_goes_on(tmp_path):
    rules = [ds.stop(ds.when.succeeded()), ds.roll_back(ds.when.above("loss", 5.0), then=halve)]
    failed(tmp_path / "runs.db", Walk(30), rules, fails=[16])
    process = Walk(30)
    result = run(tmp_path / "runs.db", process, rules)
    assert (result.succeeded, process.rate) == (True, 0.1)


def test_an_attempt_after_a_failure_counts_its_own_steps(tmp_path):
    failed(tmp_path / "runs.db", fails=[26])
    result = run(tmp_path / "runs.db")
    assert [(one.number, one.state, one.steps) for one in result.attempts] == [(1, "failed", 25), (2, "succeeded", 20)]
    assert result.attempts[1].seconds < result.seconds


def test_an_attempt_from_a_snapshot_has_one_of_its_own_to_go_back_to(tmp_path):
    rules = [ds.roll_back(ds.when.above("loss", 5.0), then=halve)]
    failed(tmp_path / "runs.db", rules=rules, fails=[22])
    assert run(tmp_path / "runs.db", rules=rules, spikes=[23]).succeeded


def mean_of_ten(trace):
    reports = list(trace.attempt.reports)[-10:]
    return len(reports) == 10 and sum(report.metrics["n"] for report in reports) / 10 >= 15.5


@pytest.mark.parametrize("leaves", [[], [13], [18], [12, 19]])
def test_the_newest_reports_are_there_again(tmp_path, leaves):
    rules = [ds.stop(mean_of_ten)]
    for place in leaves:
        left(tmp_path / "runs.db", rules=rules, leaves=[place])
    assert run(tmp_path / "runs.db", rules=rules).steps == 20


def test_the_time_of_a_reset_is_known_after_a_kill(tmp_path):
    import time

    class Slow(Walk):
        def reset(self, *, seed, origin=None):
            time.sleep(0.05)
            super().reset(seed=seed)

    left(tmp_path / "runs.db", Slow(), leaves=[15])
    (attempt,) = run(tmp_path / "runs.db", Slow()).attempts
    assert 0.05 <= attempt.reset_seconds < attempt.seconds


@pytest.mark.filterwarnings("ignore::dalsegno.EngineWarning")
def test_a_damaged_origin_gives_way_to_another_sound_snapshot(tmp_path):
    class Damaging(Walk):
        def step(self):
            if self.i == 24:
                for file in (tmp_path / "runs.db.snapshots").rglob("*-s20-*/manifest.json"):
                    file.write_bytes(b"")
            return super().step()

    rules = [ds.stop(ds.when.spent(attempts=2)), ds.restart(ds.when.failed(), origin=ds.Origin.at("last"))]
    result = run(tmp_path / "runs.db", Damaging(), rules, fails=[26, 26])
    assert [one.state for one in result.attempts] == ["failed", "failed"]
    assert any("it begins from" in said for said in result.warnings)


def test_a_run_that_put_its_best_back_is_extended_from_where_it_stopped(tmp_path):
    def stop_at(steps):
        return [ds.stop(ds.when.spent(steps=steps), restore=ds.Target("best", metric="dip"))]

    options = {"name": "dip", "checkpoint": ds.checkpoint.Every(steps=1), "seed": 0}
    process = Walk()
    ds.run(process, rules=stop_at(6), journal=tmp_path / "runs.db", **options)
    assert process.i == 3
    ds.run(process, rules=stop_at(9), journal=tmp_path / "runs.db", extend=True, **options)
    rows = ds.Journal(tmp_path / "runs.db").rows("steps")
    assert [(row["step"], row["n"]) for row in rows] == [(step, float(step)) for step in range(1, 10)]


def test_a_lower_limit_extends_nothing_and_is_not_kept(tmp_path):
    def limited(steps, **options):
        rules = [ds.stop(ds.when.spent(steps=steps))]
        return ds.run(Walk(), rules=rules, journal=tmp_path / "runs.db", seed=0, **options)

    assert limited(9).steps == 9
    assert limited(4, extend=True).steps == 9
    assert limited(9).steps == 9


def test_what_was_compared_is_counted(tmp_path):
    left(tmp_path / "runs.db", leaves=[15])
    assert run(tmp_path / "runs.db").compared == 4
    assert run(tmp_path / "another.db").compared == 0


@pytest.mark.filterwarnings("ignore::dalsegno.EngineWarning")
def test_a_resume_that_was_approximate_stays_so_after_another_kill(tmp_path):
    left(tmp_path / "runs.db", leaves=[15])
    left(tmp_path / "runs.db", leaves=[25], shift=0.5)
    assert run(tmp_path / "runs.db", shift=0.5).verdict == "approximate"
