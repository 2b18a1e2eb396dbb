"""Where an attempt begins, where a run ends: snapshots, prefixes, warm starts, the best put back."""

from __future__ import annotations

import pytest

import dalsegno as ds


class Climb(ds.Process):
    """Its value rises to step 6 and falls after it; it says where it began."""

    began: list

    def __init__(self):
        self.began = []

    def reset(self, *, seed, origin=None):
        self.n, self.seed = 0, seed
        self.prior = origin.prior if origin is not None else None
        self.began.append((origin.kind, self.prior))

    def step(self):
        self.n += 1
        return ds.Report({"n": float(self.n)}, value=float(6 - abs(self.n - 6)))

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


EVERY = ds.checkpoint.Every(steps=2, keep=ds.checkpoint.Keep(last=9))


def climb(*rules, **more):
    process = Climb()
    more.setdefault("checkpoint", EVERY)
    return process, ds.run(process, rules=[*rules, ds.stop(ds.when.spent(steps=20))], seed=0, **more)


def first_positions(journal):
    found = {}
    for row in ds.Journal(journal).rows("steps"):
        found.setdefault(row["attempt"], row["n"])
    return list(found.values())


@pytest.mark.parametrize(
    ("origin", "begins_at"),
    [
        (ds.Origin.scratch(), 1.0),
        (ds.Origin.at("best"), 7.0),
        (ds.Origin.at("last"), 11.0),
        (ds.Origin.prefix(attempt=1, step=5), 5.0),
        (lambda trace: ds.Origin.prefix(attempt=trace.attempt.number, step=8), 9.0),
        (ds.Origin.warm({"lr": 0.5}), 1.0),
    ],
    ids=["scratch", "best", "last", "prefix", "a function of the trace", "warm"],
)
def test_an_attempt_begins_where_its_origin_says(tmp_path, origin, begins_at):
    rules = [ds.restart(ds.when.elapsed(steps=11), origin=origin)]
    process, result = climb(*rules, journal=tmp_path / "j.db")
    assert first_positions(tmp_path / "j.db")[1] == begins_at
    assert [attempt.steps for attempt in result.attempts] == [11, 9]
    if not callable(origin):
        assert process.began[1] == (origin.kind, origin.prior)


def test_a_restart_gets_a_seed_of_its_own_and_a_wait():
    waits = []

    def backoff(begun):
        waits.append(begun)
        return 0.01 * begun

    _, result = climb(ds.restart(ds.when.elapsed(steps=6), wait=backoff))
    assert waits == [1, 2, 3] and len({attempt.seed for attempt in result.attempts}) == 4
    assert result.seconds >= 0.06  # a wait is running time of the run


def test_no_sound_snapshot_for_an_origin_lets_the_rule_stand_down():
    _, result = climb(ds.restart(ds.when.elapsed(steps=5), origin=ds.Origin.at("never saved")))
    assert not result.succeeded and "no sound snapshot" in result.reason


@pytest.mark.parametrize("journal", [None, "j.db"])
def test_stop_puts_the_best_back(tmp_path, journal):
    process, result = climb(
        ds.stop(ds.when.elapsed(steps=10), restore="best"), journal=None if journal is None else tmp_path / journal
    )
    assert result.value == 6.0 and result.best.step == 6 and process.n == 6


def test_the_best_is_kept_for_a_stop_that_puts_it_back_even_if_keep_would_not(tmp_path):
    process, _ = climb(
        ds.stop(ds.when.elapsed(steps=10), restore="best"),
        checkpoint=ds.checkpoint.Every(steps=1, keep=ds.checkpoint.Keep(last=1)),
        journal=tmp_path / "j.db",
    )
    assert process.n == 6


@pytest.mark.parametrize(
    ("to", "lands_on"),
    [
        ("last", 8),
        ("best", 6),
        ("start", 0),
        (ds.Target("before", step=5), 4),
        (ds.Target("before", step=-4), 4),
        (ds.Target("good", metric="n", limit=4.5), 4),
        (ds.Target("best", metric="n", mode="min"), 2),
    ],
)
def test_a_roll_back_goes_to_the_snapshot_that_it_names(to, lands_on):
    landed = []

    def note(process):
        landed.append(process.n)
        process.n += 100

    keep = ds.checkpoint.Keep(last=9)
    rules = [ds.roll_back(lambda trace: trace.metrics.get("n") == 9.0, to=to, then=note)]
    climb(*rules, checkpoint=ds.checkpoint.Every(steps=2 if to != "start" else 50, keep=keep))
    assert landed == [lands_on]


def test_a_roll_back_to_a_named_snapshot():
    landed = []

    def train(attempt):
        kept = {"n": 0, "again": 0}
        attempt.keep(kept=kept)
        for step, _ in attempt.over(range(8)):
            kept["n"] += 1
            if step == 3 and not kept["again"]:
                attempt.snapshot("before the storm")
            step.report(n=float(kept["n"]))

    def note(pieces):
        landed.append(pieces["kept"]["n"])
        pieces["kept"]["n"] = 100

    rules = [ds.roll_back(lambda trace: trace.metrics.get("n") == 7.0, to="before the storm", then=note)]
    assert ds.run(train, rules=rules, checkpoint=ds.checkpoint.Every(steps=2), seed=0).succeeded
    assert landed == [3]


def test_adapt_by_the_name_of_a_method():
    class Tuned(Climb):
        def slow_down(self):
            self.slowed = self.n

    process = Tuned()
    ds.run(process, rules=[ds.adapt(ds.when.every(steps=4), "slow_down"), ds.stop(ds.when.spent(steps=6))], seed=0)
    assert process.slowed == 4


def test_three_identical_exceptions_at_one_step_end_restarting():
    class Same(Climb):
        def step(self):
            if self.n == 2:
                raise ValueError("always")
            return super().step()

    process = Same()
    with pytest.raises(ValueError, match="always"):
        ds.run(process, rules=[ds.restart(ds.when.failed())], seed=0)
    assert len(process.began) == 3
    process = Same()
    result = ds.run(process, rules=[ds.stop(ds.when.spent(attempts=5)), ds.restart(ds.when.failed())], seed=0)
    assert len(result.attempts) == 5


def test_a_policy_of_ones_own_with_state_goes_on_after_a_kill(tmp_path):
    class Third:
        """Restarts at every third step it is asked about."""

        def __init__(self):
            self.asked = 0

        def decide(self, trace):
            self.asked += 1
            return ds.Restart() if self.asked % 3 == 0 else None

        def state_dict(self):
            return {"asked": self.asked}

        def load_state_dict(self, state):
            self.asked = state["asked"]

    policy = Third()
    process = Climb()
    result = ds.run(process, rules=[ds.stop(ds.when.spent(steps=8)), policy], seed=0, journal=tmp_path / "j.db")
    assert [attempt.steps for attempt in result.attempts] == [3, 3, 2]
    assert policy.asked == 0  # a policy is copied, so that one object can serve many runs


def test_luby_and_a_fixed_cutoff_drive_restarts():
    lengths = [attempt.steps for attempt in climb(ds.policies.Luby(unit=2))[1].attempts]
    assert lengths == [2, 2, 4, 2, 2, 4, 4]
    lengths = [attempt.steps for attempt in climb(ds.policies.FixedCutoff(6))[1].attempts]
    assert lengths == [6, 6, 6, 2]
