"""``stop(restore=...)``: the best state is there to be put back, and what cannot be put back is said."""

from __future__ import annotations

import warnings

import pytest

import dalsegno as ds
from dalsegno.core.loops.instructions import EngineWarning

LOSSES = [5.0, 4.0, 1.0, 3.0, 6.0, 7.0, 8.0]
STALLED = ds.when.stalled("loss", patience=3)


class Listed(ds.Process):
    """Reports a list of losses."""

    def __init__(self, losses=LOSSES):
        self.losses = list(losses)

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        self.i += 1
        return ds.Report({"loss": self.losses[self.i - 1]})

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


def restored(tmp_path=None, *, restore="best", when=STALLED, **options):
    """Where the process stands after a run that stopped, and what was said."""
    process = Listed()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", EngineWarning)
        result = ds.run(process, rules=[ds.stop(when, restore=restore)], seed=0, **options)
    return process.i, result, [str(one.message) for one in caught]


@pytest.mark.parametrize("journal", [False, True])
def test_the_best_is_put_back_without_a_schedule_of_ones_own(tmp_path, journal):
    place, result, said = restored(journal=tmp_path / "runs.db" if journal else None)
    assert (place, result.best.step, said) == (3, 3, [])


def test_a_schedule_by_improvement_saves_the_best():
    place, _, said = restored(checkpoint=ds.checkpoint.Improved("loss"))
    assert (place, said) == (3, [])


def test_improvements_that_nobody_asked_for_are_saved_for_a_share_of_the_time_only(monkeypatch):
    monkeypatch.setattr("dalsegno.core.objective.ALLOWANCE", -1.0)
    place, _, said = restored()
    assert place == 6
    assert "the last state stays" in said[0]


def test_a_coarser_schedule_says_which_state_came_back_instead():
    place, _, said = restored(checkpoint=ds.checkpoint.Every(steps=2))
    assert place == 4
    assert "the best loss (1) was that of step 3" in said[0]
    assert "the state of step 4" in said[0]


@pytest.mark.parametrize(
    ("restore", "said"),
    [
        ("bset", "'bset' could not be put back, the last state stays: no snapshot has that name"),
        (ds.Target("best", metric="los"), "best could not be put back, the last state stays: no snapshot was taken of"),
    ],
)
def test_a_state_that_is_not_there_is_missed_aloud(restore, said):
    place, result, warned = restored(
        restore=restore, when=ds.when.spent(steps=6), checkpoint=ds.checkpoint.Every(steps=1)
    )
    assert place == 6
    assert said in warned[0]
    assert warned == result.warnings


def test_a_damaged_best_gives_way_to_the_next_best(tmp_path):
    class Damaging(Listed):
        def step(self):
            report = super().step()
            if self.i == 6:
                for file in (tmp_path / "runs.db.snapshots").rglob("*-s3-*/*"):
                    file.write_bytes(b"")
            return report

    process = Damaging()
    with pytest.warns(EngineWarning, match="damaged"):
        ds.run(
            process,
            rules=[ds.stop(STALLED, restore="best")],
            checkpoint=ds.checkpoint.Every(steps=1, keep=ds.checkpoint.Keep(last=9)),
            journal=tmp_path / "runs.db",
            seed=0,
        )
    assert process.i == 4


def test_a_warning_points_at_the_line_of_the_user():
    with pytest.warns(EngineWarning) as caught:
        ds.run(Listed(), rules=[ds.stop(ds.when.spent(steps=6), restore="none such")], seed=0)
    assert caught[0].filename == __file__
