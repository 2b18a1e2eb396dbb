"""Snapshots at geometric ages, and where a fault that was noticed late is gone back to."""

from __future__ import annotations

import itertools
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import dalsegno as ds
from dalsegno.core.errors import UsageError
from dalsegno.core.store.retention import kept_at_age
from dalsegno.policies import kept_numbers, number_to_return_to


def test_the_worked_example() -> None:
    assert kept_numbers(20) == [0, 8, 12, 16, 18, 19, 20]


@given(some.integers(0, 2000))
def test_they_are_those_that_a_run_keeps(newest: int) -> None:
    assert kept_numbers(newest) == [number for number in range(newest + 1) if kept_at_age(number, newest)]


@given(some.integers(0, 10**12))
def test_few_are_kept_and_one_for_every_lag(newest: int) -> None:
    ages = [newest - number for number in kept_numbers(newest)]
    assert len(ages) <= 2 * log2(newest + 1) + 1
    # an age in [L, 2L - 1] for every lag L: each is at most twice the next younger one and one more
    assert all(older <= 2 * younger + 1 for older, younger in itertools.pairwise(ages))
    assert ages[0] == newest and ages[-1] == 0


@given(some.integers(1, 2000), some.data())
def test_a_fault_goes_back_less_than_twice_its_lag(newest: int, data: Any) -> None:
    lag = data.draw(some.integers(1, newest))
    assert lag <= newest - number_to_return_to(newest, lag) <= 2 * lag - 1


def test_a_lag_beyond_the_oldest_goes_back_to_it() -> None:
    assert number_to_return_to(20, lag=21) == 0


@pytest.mark.parametrize("arguments", [(-1, 1), (5, -1), (5, 1.5)])
def test_mistaken_arguments_are_refused(arguments: Any) -> None:
    with pytest.raises(UsageError):
        number_to_return_to(*arguments)


@pytest.mark.parametrize("lag", [1, 2, 3, 5, 8, 13])
def test_in_a_run_a_late_judgement_passes_over_the_snapshots_younger_than_its_lag(lag: int) -> None:
    class Count(ds.Process):
        def reset(self, *, seed: int, origin: Any = None) -> None:
            self.n = 0

        def step(self) -> ds.Report:
            self.n += 1
            return ds.Report(metrics={"n": float(self.n)}, status="succeeded" if self.n == 40 else "running")

        def state_dict(self) -> dict[str, Any]:
            return {"n": self.n}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            landed.append(state["n"])
            self.n = state["n"]

    landed: list[int] = []
    rule = ds.roll_back(ds.when.above("n", 30.0), to=ds.Target("before", step=-lag), limit=1, escalate=ds.Stop())
    ds.run(
        Count(),
        rules=[rule],
        checkpoint=ds.checkpoint.Every(steps=1, keep=ds.checkpoint.Keep(last=1, ages=True)),
        seed=0,
    )
    # the 31st step was not saved, so the newest is that of step 30; that of step 1 has the number 0
    assert landed[0] - 1 == number_to_return_to(29, lag - 1)
