"""Which snapshots are kept."""

from __future__ import annotations

from math import log2, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalsegno as ds
from dalsegno.core.ledger import Held
from dalsegno.core.store.retention import Keep, kept_at_age


def entry(number, acc=None, *, attempt=1, kind="schedule", label=None, sound=True):
    metrics = {} if acc is None else {"acc": acc}
    return Held(number, attempt, 1, number, number, f"s{number}", kind, label, "", metrics, None, 0, sound)


def after_each(keep, entries):
    """What is kept after each save, when the rest is removed each time."""
    held, kept = [], []
    for one in entries:
        held.append(one)
        ids = keep.keep(held)
        held = [other for other in held if other.id in ids]
        kept.append([other.step for other in held])
    return kept


ACC = [0.5, 0.9, 0.6, 0.7, 0.9, 0.8, 0.95, 0.2]


@pytest.mark.parametrize(
    ("last", "table"),
    [
        (2, [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5], [2, 5, 6], [6, 7], [7, 8]]),
        (1, [[1], [2], [2, 3], [2, 4], [2, 5], [2, 6], [7], [7, 8]]),
    ],
)
def test_the_best_and_the_last(last, table):
    keep = Keep(last=last, best="acc", mode="max")
    assert after_each(keep, [entry(step, acc) for step, acc in enumerate(ACC, 1)]) == table


def test_the_state_after_reset_goes_with_the_first_that_follows():
    assert after_each(Keep(last=2), [entry(0, kind="reset"), entry(1), entry(2), entry(3)]) == [[0], [1], [1, 2], [2, 3]]


def test_a_figure_that_is_not_finite_or_absent_is_never_the_best():
    keep = Keep(last=1, best="acc", mode="max")
    assert after_each(keep, [entry(1, 0.5), entry(2, nan), entry(3), entry(4, float("inf")), entry(5, 0.4)])[-1] == [1, 5]


def test_damaged_ones_are_neither_counted_nor_removed():
    assert Keep(last=2).keep([entry(1), entry(2), entry(3, sound=False), entry(4)]) == {2, 3, 4}


def test_named_and_protected_ones_stay():
    assert Keep(last=1).keep([entry(1, label="mine"), entry(2), entry(3), entry(4)], {2}) == {1, 2, 4}


def test_last_is_of_the_current_attempt_and_best_of_the_run():
    keep = Keep(last=2, best="acc", mode="max")
    held = [entry(1, 0.9), entry(2, 0.1), entry(3, 0.2, attempt=2), entry(4, 0.3, attempt=2)]
    assert keep.keep(held) == {1, 3, 4}


@given(st.integers(0, 300))
def test_geometric_ages_leave_one_for_every_lag(newest):
    kept = [number for number in range(newest + 1) if kept_at_age(number, newest)]
    assert len(kept) <= 2 * log2(newest + 1) + 1
    for lag in range(1, newest + 1):
        assert any(lag <= newest - number <= 2 * lag - 1 for number in kept)
    # what is not kept was not needed before: thinning one save at a time loses nothing
    if newest:
        assert set(kept) <= {number for number in range(newest) if kept_at_age(number, newest - 1)} | {newest}


def test_ages_of_the_card():
    assert [number for number in range(21) if kept_at_age(number, 20)] == [0, 8, 12, 16, 18, 19, 20]


@pytest.mark.parametrize("bad", [{"last": 0}, {"last": True}, {"last": 1.5}, {"mode": "up"}, {"best": 3}])
def test_strange_arguments_are_refused(bad):
    with pytest.raises(ds.UsageError):
        Keep(**bad)
