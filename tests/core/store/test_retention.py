"""Which snapshots are kept."""

from __future__ import annotations

from itertools import pairwise
from math import log2, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalsegno as ds
from dalsegno.core.ledger import Held
from dalsegno.core.store.retention import Entry, Keep, at_geometric_ages, kept_at_age


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
    assert after_each(Keep(last=2), [entry(0, kind="reset"), entry(1), entry(2), entry(3)]) == [
        [0],
        [1],
        [1, 2],
        [2, 3],
    ]


def test_a_figure_that_is_not_finite_or_absent_is_never_the_best():
    keep = Keep(last=1, best="acc", mode="max")
    assert after_each(keep, [entry(1, 0.5), entry(2, nan), entry(3), entry(4, float("inf")), entry(5, 0.4)])[-1] == [
        1,
        5,
    ]


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


def test_at_geometric_ages_a_run_that_is_thinned_out_after_every_save_ends_with_the_cards_table():
    keep = Keep(last=1, ages=True)
    assert after_each(keep, [entry(step, kind="schedule") for step in range(21)])[-1] == [0, 8, 12, 16, 18, 19, 20]


@given(st.sets(st.integers(1, 250)))
def test_at_geometric_ages_every_lag_is_covered_though_numbers_are_missing(missing):
    held = []
    for newest in range(251):
        if newest in missing:
            continue
        held = sorted(at_geometric_ages([*held, newest]))
        taken = [number for number in range(newest + 1) if number not in missing]
        ages = [newest - number for number in reversed(held)]
        for younger, older in pairwise(ages):
            next_taken = min(newest - number for number in taken if newest - number > younger)
            assert older <= max(2 * younger + 1, next_taken)
        assert held[0] == 0 and len(held) <= 2 * log2(newest + 1) + 2


def test_ages_are_counted_from_the_first_snapshot_of_the_attempt_damaged_or_not():
    keep = Keep(last=1, ages=True)
    held = [entry(10, kind="reset"), entry(11, sound=False), *(entry(number) for number in range(12, 32))]
    assert keep.keep(held) == {11, 12, 19, 23, 27, 29, 30, 31}  # the oldest sound one stays


def test_without_a_sound_snapshot_of_the_current_attempt_the_newest_of_all_stays():
    held = [entry(1), entry(2), entry(3, attempt=2, kind="reset", sound=False)]
    assert Keep(last=1).keep(held) == {2, 3}


def test_the_state_right_after_reset_is_never_the_best():
    keep = Keep(last=1, best="acc", mode="max")
    assert keep.keep([entry(1, 0.9, kind="reset"), entry(2, 0.5), entry(3, 0.4)]) == {2, 3}


def test_of_the_value_higher_is_better_whatever_the_mode():
    held = [Entry(i, 1, i, i, value=value) for i, value in enumerate([0.5, 0.9, None, nan, 0.7])]
    assert Keep(last=1, best="value").keep(held) == {1, 4}


def test_nothing_is_kept_of_nothing():
    assert Keep(last=2, best="acc", ages=True).keep([]) == set()


@given(
    st.lists(st.tuples(st.integers(1, 3), st.floats() | st.none(), st.booleans(), st.booleans()), max_size=30),
    st.integers(1, 4),
    st.booleans(),
)
def test_what_may_never_go_never_goes(drawn, last, ages):
    entries = [
        Entry(i, attempt, i, i, "mine" if named else None, {} if x is None else {"acc": x}, None, sound)
        for i, (attempt, x, named, sound) in enumerate(drawn)
    ]
    kept = Keep(last=last, best="acc", mode="max", ages=ages).keep(entries, {3})
    sound = [one for one in entries if one.sound]
    assert kept <= {one.id for one in entries}
    assert {one.id for one in entries if one.label or not one.sound or one.id == 3} <= kept
    if sound:
        assert {one.id for one in sound if one.attempt == sound[-1].attempt} & kept and sound[-1].id in kept


@pytest.mark.parametrize("bad", [{"last": 0}, {"last": True}, {"last": 1.5}, {"mode": "up"}, {"best": 3}])
def test_strange_arguments_are_refused(bad):
    with pytest.raises(ds.UsageError):
        Keep(**bad)
