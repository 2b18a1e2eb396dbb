"""One attempt: times, features and ends that are refused."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import PreemptiveRestart


@pytest.mark.parametrize("t", [-1.0, nan, inf, 0.5])
def test_a_time_before_the_last_is_refused(t: float) -> None:
    attempt = PreemptiveRestart([1.0]).attempt()
    attempt.observe(0.7)
    with pytest.raises(UsageError, match="finite time"):
        attempt.observe(t)


def test_another_number_of_features_is_refused() -> None:
    attempt = PreemptiveRestart([1.0]).attempt()
    attempt.observe(0.5, [1.0])
    with pytest.raises(UsageError, match="2 features, and 1 before"):
        attempt.observe(0.7, [1.0, 2.0])


def test_features_that_come_late_are_refused() -> None:
    rule = PreemptiveRestart([1.0])
    rule.attempt().finish(True, 2.0)
    with pytest.raises(UsageError, match="none before"):
        rule.attempt().observe(0.5, [1.0])


@pytest.mark.parametrize("t", [None, -2.0, nan, 0.2])
def test_an_end_without_a_sound_time_is_refused(t: Any) -> None:
    attempt = PreemptiveRestart([1.0]).attempt()
    if t == 0.2:
        attempt.observe(0.5)
    with pytest.raises(UsageError, match="expected"):
        attempt.finish(True, t)


def test_an_end_after_the_end_is_refused() -> None:
    attempt = PreemptiveRestart([1.0]).attempt()
    attempt.finish(True, 2.0)
    with pytest.raises(UsageError, match="already"):
        attempt.finish(True, 2.0)


def test_an_attempt_that_is_not_open_is_refused() -> None:
    with pytest.raises(UsageError, match="open are"):
        PreemptiveRestart([1.0]).attempt(3)
