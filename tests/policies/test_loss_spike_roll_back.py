"""Loss spikes: where the run goes back to, and which batches it leaves out."""

from __future__ import annotations

import itertools
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import dalsegno as ds
from dalsegno.core.errors import UsageError
from dalsegno.policies import LossSpike, skipped_items


class Poisoned(ds.Process):
    """A loss of 1 on each batch but the poisoned ones; every batch that was taken is noted."""

    def __init__(self, poison: Any, end: int, loss: float = 5.0) -> None:
        self.poison, self.end, self.high = poison, end, loss
        self.taken: list[int] = []
        self.landed: list[int] = []

    def reset(self, *, seed: int, origin: Any = None) -> None:
        self.position, self.n, self.windows = 0, 0, []

    @property
    def skipped(self) -> int:
        return int(self.position - self.n)

    def skip(self, start: int, stop: int) -> None:
        self.windows.append([start, stop])

    def step(self) -> ds.Report:
        while any(start <= self.position < stop for start, stop in self.windows):
            self.position += 1
        batch, self.position, self.n = self.position, self.position + 1, self.n + 1
        self.taken.append(batch)
        loss = self.high if batch in self.poison else 1.0
        return ds.Report(metrics={"loss": loss}, status="succeeded" if self.n == self.end else "running")

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position, "n": self.n, "windows": [list(one) for one in self.windows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position, self.n = state["position"], state["n"]
        self.windows = [list(one) for one in state["windows"]]
        self.landed.append(self.n)


ALL = ds.checkpoint.Every(steps=20, keep=ds.checkpoint.Keep(last=1000))


def run(process: Any, *policies: Any, checkpoint: Any = ALL, **options: Any) -> Any:
    return ds.run(process, rules=list(policies), checkpoint=checkpoint, seed=0, **options)


def test_it_goes_back_to_the_newest_snapshot_a_hundred_steps_before_the_onset() -> None:
    process = Poisoned(range(333, 340), 500)
    result = run(process, LossSpike())
    # flagged from step 334 on, fires at 336; 220 is the newest at or before 234
    assert (result.succeeded, process.landed) == (True, [220])


def test_the_batches_from_there_to_the_fire_are_left_out_and_200_at_least() -> None:
    process = Poisoned(range(333, 340), 500)
    run(process, LossSpike())
    assert process.taken == [*range(336), *range(420, 700)]


def test_more_than_the_least_are_left_out_where_the_snapshot_is_older() -> None:
    process = Poisoned(range(333, 336), 400)
    run(process, LossSpike(skip=50))
    assert process.taken == [*range(336), *range(336, 516)]


def test_without_a_snapshot_that_old_the_oldest_is_taken() -> None:
    process = Poisoned(range(333, 336), 400)
    run(process, LossSpike(), checkpoint=ds.checkpoint.Every(steps=20, keep=ds.checkpoint.Keep(last=2)))
    assert process.landed == [300]  # those of 300 and 320 are kept


def test_an_early_spike_goes_back_to_the_oldest_and_leaves_out_what_is_since_that() -> None:
    process = Poisoned(range(50, 53), 120)
    run(process, LossSpike(skip=1))
    assert process.landed == [20] and process.taken == [*range(53), *range(53, 153)]


def test_a_second_spike_leaves_out_its_own_batches_wherever_the_first_moved_them_to() -> None:
    process = Poisoned([*range(333, 340), *range(900, 910)], 900)
    run(process, LossSpike())
    # after the first, step n is batch n + 199: the second fires at step 703, from the snapshot of step 600
    assert process.landed == [220, 600]
    assert process.taken == [*range(336), *range(420, 903), *range(1000, 1300)]


def test_a_loop_over_data_does_the_same() -> None:
    taken: list[int] = []
    poison = {*range(333, 340), *range(900, 910)}

    def train(attempt: Any) -> None:
        state = {"n": 0}
        attempt.keep(state=state)
        for step, batch in attempt.over(range(1300)):
            taken.append(batch)
            state["n"] += 1
            step.report(loss=5.0 if batch in poison else 1.0)

    assert run(train, LossSpike()).succeeded
    assert taken == [*range(336), *range(420, 903), *range(1000, 1300)]


def test_an_exception_at_a_batch_leaves_that_batch_out() -> None:
    taken: list[int] = []

    def train(attempt: Any) -> None:
        attempt.keep(state={"n": 0})
        for step, batch in attempt.over(range(30)):
            taken.append(batch)
            if batch == 15:
                raise ValueError("a broken record")
            step.report(loss=1.0)

    rule = ds.roll_back(ds.when.failed(ValueError), skip=1, skip_from="landing")
    result = run(train, rule, checkpoint=ds.checkpoint.Every(steps=10))
    assert result.succeeded and taken == [*range(16), *range(16, 30)]


def test_after_the_budget_it_stands_down() -> None:
    poison = {batch for first in range(200, 5000, 400) for batch in range(first, first + 8)}
    process = Poisoned(poison, 3000)
    result = run(process, LossSpike(skip=10))
    assert (len(process.landed), result.succeeded) == (3, False) and "3 times" in result.reason


def test_while_it_cools_it_does_not_fire() -> None:
    # the second spike lies 80 steps after the landing of the first
    process = Poisoned([*range(333, 340), *range(500, 506)], 500)
    run(process, LossSpike())
    assert process.landed == [220]


def test_a_spike_that_outlasts_the_cooldown_counts_from_its_own_onset() -> None:
    process = Poisoned([*range(333, 340), *range(500, 549)], 700)
    run(process, LossSpike())
    # the second begins at step 301; it fires at 349, when the cooldown is over: back to 200, not 240
    assert process.landed == [220, 200]


def test_what_is_not_finite_does_not_wait() -> None:
    process = Poisoned([333, 500], 500, loss=nan)
    run(process, LossSpike())
    assert process.landed == [220, 200]


def test_a_restart_begins_with_no_window_and_no_cooldown() -> None:
    process = Poisoned(range(333, 340), 10_000)
    rules = [ds.restart(ds.when.elapsed(steps=400)), LossSpike(), ds.stop(ds.when.spent(attempts=3))]
    ds.run(process, rules=rules, checkpoint=ALL, seed=0)
    assert process.landed == [220, 220, 220]  # an attempt begins at the first batch again


def test_a_change_is_made_besides() -> None:
    process = Poisoned(range(333, 340), 400)
    changed: list[int] = []
    run(process, LossSpike(then=lambda process: changed.append(process.n)))
    assert changed == [220]


def test_the_journal_says_which_batches_were_left_out(tmp_path: Any) -> None:
    process = Poisoned([*range(333, 340), *range(900, 910)], 900)
    run(process, LossSpike(), journal=tmp_path / "runs.db")
    rows = ds.Journal(tmp_path / "runs.db").rows("decisions")
    assert skipped_items(rows) == [(221, 420), (801, 1000)]
    first = rows[0]
    assert (first["action"]["made"], first["saw"][0]["saw"]["onset"]) == (["skip items 221 to 420"], 334)


@pytest.mark.parametrize("fatal", [335, 336, 337, 350, 415, 702, 703, 704])
def test_killed_it_ends_as_it_would_have(tmp_path: Any, fatal: int) -> None:
    class Killed(BaseException):
        pass

    class Fatal(Poisoned):
        left = 10**9

        def step(self) -> ds.Report:
            Fatal.left -= 1
            if Fatal.left == 0:
                raise Killed
            return super().step()

    poison = [*range(333, 340), *range(900, 910)]
    whole = Poisoned(poison, 900)
    run(whole, LossSpike())
    Fatal.left = fatal
    with pytest.raises(Killed):
        run(Fatal(poison, 900), LossSpike(), journal=tmp_path / "runs.db")
    Fatal.left = 10**9
    process = Fatal(poison, 900)
    result = run(process, LossSpike(), journal=tmp_path / "runs.db")
    assert result.verdict == "exact"
    assert (process.state_dict(), process.taken[-300:]) == (whole.state_dict(), whole.taken[-300:])


def test_a_damaged_snapshot_is_passed_over_and_the_batches_since_the_older_one_are_left_out(tmp_path: Any) -> None:
    class Damaging(Poisoned):
        def step(self) -> ds.Report:
            if self.position == 330 and not self.landed[1:]:
                for folder in (tmp_path / "runs.db.snapshots").glob("*-s220-*"):
                    for file in folder.glob("process*"):
                        file.write_bytes(b"")
            return super().step()

    process = Damaging(range(333, 340), 450)
    with pytest.warns(UserWarning, match="damaged"):
        run(process, LossSpike(), journal=tmp_path / "runs.db")
    assert process.landed[-1] == 200
    assert process.taken == [*range(336), *range(400, 650)]


@pytest.mark.parametrize("skip_from", ["start", "", None])
def test_items_are_left_out_around_the_fault_or_from_the_landing(skip_from: Any) -> None:
    with pytest.raises(UsageError, match="landing"):
        ds.roll_back(ds.when.above("loss", 2.0), skip=1, skip_from=skip_from)


@pytest.mark.parametrize(
    "arguments",
    [
        {"before": -1},
        {"skip": 0},
        {"budget": -1},
        {"cooldown": 1.5},
        {"window": 3},
        {"loss": ""},
        {"then": 3},
        {"norm": ""},
    ],
)
def test_mistaken_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LossSpike(**arguments)


def test_two_made_alike_are_one_and_have_one_identity() -> None:
    from dalsegno.core.identity import describe

    assert LossSpike(skip=300) == LossSpike(skip=300) != LossSpike()
    assert describe(LossSpike()) == describe(LossSpike()) != describe(LossSpike(skip=300))


@given(some.lists(some.tuples(some.integers(0, 500), some.integers(1, 40)), max_size=6))
def test_ranges_are_joined_and_hold_the_same_items(windows: list[tuple[int, int]]) -> None:
    rows = [{"action": {"changes": [[0, "skip", 1, [first, first + n], False, None]]}} for first, n in windows]
    items = {item for first, n in windows for item in range(first + 1, first + n + 1)}
    ranges = skipped_items(rows)
    assert {item for first, last in ranges for item in range(first, last + 1)} == items
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(ranges))
