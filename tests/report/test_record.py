"""Records agree with the journal's own tables."""

from __future__ import annotations

import numpy as np
import pytest

import dalsegno as ds
from dalsegno.core.journal.reading import columns
from dalsegno.report.record import read


def test_columns_hold_what_the_rows_hold(journal):
    rows = {row["id"]: row for row in ds.Journal(journal).rows("steps", 1, all=True)}
    found = []
    for block in columns(ds.Journal(journal), 1):
        values, mask = block.figures["metrics", "loss"]
        assert mask is None
        found += zip(block.steps.tolist(), values.tolist(), strict=True)
    assert sorted(found) == sorted((row["step"], row["loss"]) for row in rows.values())


def test_pieces_tell_what_counts_from_what_was_abandoned(journal):
    record = read(journal, 1)
    rows = ds.Journal(journal).rows("steps", 1, all=True)
    assert record.abandoned_steps == sum(row["abandoned"] for row in rows) > 0
    kept = sum(piece.steps for pieces in record.pieces.values() for piece in pieces if piece.counts)
    assert kept == len(ds.Journal(journal).rows("steps", 1))


def test_logical_cost_is_what_counts_and_what_was_abandoned(journal):
    record = read(journal, 1)
    steps = sum(piece.steps for pieces in record.pieces.values() for piece in pieces)
    assert record.logical["steps"] == steps and record.logical["tokens"] == 3.0 * steps


def test_a_curve_keeps_extremes_and_says_where_it_was_not_finite(journal):
    record = read(journal, 1)
    metric = record.metrics[1]
    odd = {step for pieces in record.pieces.values() for piece in pieces for step in piece.curves[metric].odd_steps()}
    assert odd and all(step % 7 == 0 for step in odd)


@pytest.mark.parametrize("bins", [4, 16, 512])
def test_an_envelope_loses_no_extreme(bins):
    from dalsegno.report.envelope import Envelope

    values = np.random.default_rng(0).normal(size=5_000).cumsum()
    curve = Envelope(bins)
    for start in range(0, 5_000, 137):
        curve.add(np.arange(start, min(start + 137, 5_000)), values[start : start + 137])
    steps, heights = curve.points()
    assert (heights.min(), heights.max()) == (values.min(), values.max())
    assert len(steps) <= 2 * bins + 1 and (np.diff(steps) > 0).all()
    assert np.array_equal(values[steps.astype(int)], heights), "every point of the drawing is a point of the curve"
