"""Blocks of columns: what went in comes out, in few bytes."""

from __future__ import annotations

import json
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalsegno.core.journal import blocks


def back(rows, block=1):
    columns, data = blocks.pack(rows)
    return [row[1:] for row in blocks.unpack(block, rows[0][0], len(rows), columns, data)]


def taken(step, metrics=None, cost=None, status="running", value=None, seconds=0.5):
    return step, seconds, metrics or {}, cost or {}, status, value


@pytest.mark.parametrize(
    "rows",
    [
        [taken(1)],
        [taken(1, {"loss": 1.0}), taken(2, {"loss": 2.0})],
        [taken(1, {"loss": inf, "acc": -inf}), taken(2, {"acc": 1.0, "loss": -0.0})],
        [taken(1, {"a": 1.0}), taken(2, {"b": 2.0}), taken(3)],
        [taken(5, {"a": 1.0}), taken(7, {"a": 2.0}), taken(6, {"a": 3.0})],
        [taken(1, cost={"tokens": 3.0}), taken(2), taken(3, cost={"tokens": 4.0, "evaluations": 1.0})],
        [taken(1), taken(2, value=0.25), taken(3, status="succeeded", value=inf)],
        [taken(1, status="failed")],
        [taken(1, {"": 1.0, "with space": 2.0, "é": 3.0, 'quote"': 4.0})],
    ],
    ids=["bare", "metric", "infinite", "gaps", "not consecutive", "cost", "value", "failed", "odd names"],
)
def test_rows_come_back_as_they_went_in(rows):
    assert back(rows) == rows


def test_nan_comes_back_as_nan_and_absent_as_absent():
    first, second = back([taken(1, {"loss": nan}), taken(2)])
    assert isnan(first[2]["loss"]) and second[2] == {}


NAMES = st.dictionaries(st.sampled_from("abcd"), st.floats(allow_nan=False), max_size=4)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**62),
            st.floats(0, 1e9),
            NAMES,
            NAMES,
            st.sampled_from(blocks.STATUSES),
            st.none() | st.floats(allow_nan=False),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_rows_come_back_as_they_went_in(rows):
    assert back(rows) == rows


def test_a_row_has_an_id_of_its_block_and_place():
    columns, data = blocks.pack([taken(1), taken(2)])
    assert [row[0] for row in blocks.unpack(3, 1, 2, columns, data)] == [3 * 4096, 3 * 4096 + 1]


def test_a_step_with_three_metrics_takes_32_bytes():
    _, data = blocks.pack([taken(i, {"a": 1.0, "b": 2.0, "c": 3.0}) for i in range(1000)])
    assert len(data) == 32 * 1000


def test_columns_are_plain_json():
    columns, _ = blocks.pack([taken(1, {"loss": 1.0}, {"tokens": 2.0}, "failed", 0.5)])
    assert [kind for kind, _, _ in json.loads(columns)] == ["seconds", "metric", "cost", "status", "value"]


def test_the_cost_of_a_block_adds_up():
    columns, data = blocks.pack([taken(1, cost={"tokens": 3.0}), taken(2), taken(3, cost={"tokens": 4.0})])
    assert blocks.columns_of(1, 3, columns, data).total_cost == {"tokens": 7.0}
