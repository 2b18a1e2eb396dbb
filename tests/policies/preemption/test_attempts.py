"""The log of attempts: weights by the probability of being seen, branches, and its state."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import AttemptLog


def a_log() -> AttemptLog:
    log = AttemptLog(checkpoints=2, features=1)
    log.add(3.0, True)
    log.add(9.0, False, called=True, times=[4.0, nan], signals=[[0.5], [nan]])
    log.add(4.0, None, flagged=0, times=[4.0, nan])
    log.add(20.0, True, flagged=1, probability=0.25, times=[4.0, 8.0], scores=[0.6, 0.2])
    return log


def test_weights_are_one_over_the_probability_of_being_seen() -> None:
    assert a_log().weights.tolist() == [1.0, 1.0, 0.0, 4.0]


def test_a_stopped_attempt_has_no_outcome() -> None:
    assert a_log().outcomes.tolist() == [1, 0, -1, 1]


def test_only_attempts_whose_end_was_seen_are_judged_by() -> None:
    observed, signals = a_log().observed((1.0, 2.0))
    assert (observed.durations.tolist(), signals.shape) == ([3.0, 9.0, 20.0], (3, 2, 1))


def test_branches_are_by_the_flags_of_the_rule_in_force() -> None:
    found = a_log().statistics()
    assert found.weight.tolist() == [0, 1, 0, 4, 1, 0]  # TP FP TN FN NCS NCF


def test_what_was_paid_is_what_happened() -> None:
    taken, success = a_log().paid((1.0, 2.0))
    assert (taken.tolist(), success.tolist()) == ([3, 10, 6, 20], [1, 0, 0, 1])


def test_numbers_go_on_when_old_rows_are_forgotten() -> None:
    log = a_log()
    log.forget(keep=2)
    assert (log.begun, len(log), log.paid((0.0, 0.0), since=3)[0].tolist()) == (2, 2, [20.0])


def test_its_state_gives_the_same_columns() -> None:
    log = a_log()
    log.forget(keep=3)
    again = AttemptLog.from_state(log.state_dict())
    again.add(1.0, False)
    log.add(1.0, False)
    assert all(
        np.array_equal(one, again.state_dict()[name], equal_nan=name in ("times", "scores", "signals"))
        for name, one in log.state_dict().items()
    )


@pytest.mark.parametrize("probability", [None, 0.0, 1.5, nan])
def test_a_label_of_a_flagged_attempt_without_its_weight_is_refused(probability: Any) -> None:
    with pytest.raises(UsageError, match="exploration"):
        AttemptLog(1).add(20.0, True, flagged=0, probability=probability, times=[8.0])


def test_no_label_and_no_flag_is_refused() -> None:
    with pytest.raises(UsageError, match="without a label"):
        AttemptLog(1).add(20.0, None)


@pytest.mark.parametrize("duration", [-1.0, nan, inf, "20"])
def test_a_duration_that_is_no_time_is_refused(duration: Any) -> None:
    with pytest.raises(UsageError, match="finite time"):
        AttemptLog(1).add(duration, True)


def test_a_flag_without_its_time_is_refused() -> None:
    with pytest.raises(UsageError, match="the time at which it was flagged"):
        AttemptLog(1).add(20.0, None, flagged=0)


def test_a_row_of_another_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="shape"):
        AttemptLog(2, 3).add(20.0, True, signals=[[1.0]])
