"""Comparisons: medians, intervals, and what is left out."""

from __future__ import annotations

import json
import time
from statistics import median

import pytest

import dalsegno as ds
from dalsegno.report import comparison
from dalsegno.report.bootstrap import median_interval, ratio_interval
from dalsegno.report.strict_json import dumps


def test_groups_are_names_and_medians_are_over_seeds(journal):
    found = comparison.compare([(journal, None)], metrics=["loss"])
    assert [len(group.records) for group in found.groups] == [3, 3]
    steps = [row["steps"] for row in ds.Journal(journal).rows("runs") if row["name"] == "other"]
    assert found.groups[1].spreads["steps"].median == median(steps)


def test_a_comparison_is_plain_json(journal):
    told = json.loads(dumps(comparison.compare([(journal, None)]).to_dict()))
    assert told["groups"][1]["spreads"]["steps"]["ratio"] > 0


def test_a_run_that_has_not_ended_is_counted_and_left_out(tmp_path):
    def train(attempt):
        for step, _ in attempt.over(range(5)):
            step.report(loss=1.0)
            if leaving:
                raise KeyboardInterrupt

    leaving = False
    ds.run(train, journal=tmp_path / "runs.db", seed=0)
    leaving = True
    with pytest.raises(KeyboardInterrupt):
        ds.run(train, journal=tmp_path / "runs.db", seed=1)
    (group,) = comparison.compare([(tmp_path / "runs.db", None)]).groups
    assert (group.left_out, len(group.ended), group.spreads["steps"].values) == (1, 1, [5.0])


def test_a_metric_that_nobody_reported_is_refused(journal):
    with pytest.raises(ds.UsageError, match="no run reported 'los'"):
        comparison.compare([(journal, None)], metrics=["los"])


@pytest.mark.parametrize(
    ("values", "interval"), [([1.0, 2.0], None), ([2.0, 2.0, 2.0], (2.0, 2.0)), ([1.0, 2.0, 9.0], (1.0, 9.0))]
)
def test_intervals_of_few_seeds(values, interval):
    assert median_interval(values) == interval


def test_an_interval_covers_the_true_median_about_as_often_as_it_says():
    import numpy as np

    generator = np.random.default_rng(1)
    samples = generator.exponential(size=(300, 25))
    hits = 0
    for sample in samples:
        low, high = median_interval(sample.tolist(), resamples=500)
        hits += low <= np.log(2) <= high
    # 95% wanted; a percentile interval of 25 values is known to cover a little less. Binomial spread: 1.3 points.
    assert 0.89 <= hits / 300 <= 0.99


def test_a_ratio_needs_three_seeds_a_side_and_positive_figures():
    assert ratio_interval([1.0, 2.0, 3.0], [1.0, 2.0]) is None
    assert ratio_interval([1.0, 2.0, 3.0], [0.0, 1.0, 2.0]) is None
    low, high = ratio_interval([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    assert (low, high) == (2.0, 2.0)


def test_of_parallel_attempts_the_figures_are_those_of_the_one_that_won(tmp_path):
    import dalsegno as ds
    from dalsegno.report.comparison import figures_of
    from dalsegno.report.record import read

    def train(attempt):
        for step, left in attempt.over(range(20, -1, -1)):
            time.sleep(0.004 * attempt.number)
            step.report(left=left)

    ds.run(train, parallel=3, journal=tmp_path / "runs.db", seed=0)
    record = read(ds.Journal(tmp_path / "runs.db"), 1)
    assert figures_of(record)["last left"] == 0.0
    assert [row["state"] for row in record.told_by] == ["succeeded"]
