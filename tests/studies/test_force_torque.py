"""The made-up force-torque traces: what tells success from failure, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from dalsegno.studies.force_torque import FZ, make_traces

TRACES = make_traces(400, seed=0)


def test_successes_end_well_before_failures_time_out() -> None:
    assert TRACES.durations[TRACES.succeeded].mean() < 8.0 < TRACES.durations[~TRACES.succeeded].min()


def test_a_seed_makes_the_same_traces_again() -> None:
    assert (make_traces(5, seed=3).signals == make_traces(5, seed=3).signals).all()


def test_fz_drops_in_successes_and_less_in_failures() -> None:
    fall = TRACES.signals[:, :80, FZ].mean(axis=1) - TRACES.signals[:, 550:, FZ].mean(axis=1)
    assert fall[TRACES.succeeded].mean() > 4.0 > 2.0 > fall[~TRACES.succeeded].mean()


@pytest.mark.parametrize("seconds", [2.0, 4.0])
def test_no_single_force_tells_them_apart(seconds: float) -> None:
    force = TRACES.signals[:, round(seconds * 100), FZ]
    limits = np.quantile(force, np.linspace(0.02, 0.98, 49))
    right = max(((force < limit) == TRACES.succeeded).mean() for limit in limits)
    assert right < 0.85


def test_a_window_is_what_was_seen_before_its_checkpoint_and_no_later() -> None:
    rows = TRACES.durations > 4.0
    windows = TRACES.windows([2.0, 4.0])
    assert (windows[rows, 1].reshape(-1, 100, 6) == TRACES.signals[rows, 300:400]).all()


def test_there_is_no_window_after_an_attempts_end() -> None:
    ended = TRACES.durations <= 5.0
    assert ended.any() and np.isnan(TRACES.windows([5.0])[ended]).all()


def test_a_window_that_is_longer_than_what_was_seen_is_refused() -> None:
    with pytest.raises(ValueError, match="windows of 1.0 s"):
        TRACES.windows([0.5])
