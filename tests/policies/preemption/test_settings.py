"""Settings that make no sense are refused before any attempt is made."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import LogisticPredictor, PreemptiveRestart


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 0.0},
        {"alpha": 0.5},
        {"alpha": nan},
        {"explore": 1.1},
        {"explore": -0.1},
        {"explore": 0.0},
        {"explore": 0.0, "reevaluate": 10},
        {"reset_cost": 3},
        {"reset_cost": (1.0,)},
        {"reset_cost": (-1.0, 0.0)},
        {"observe_attempts": 3},
        {"keep": 50},
        {"window": 0},
        {"folds": 1},
        {"latency": -1},
        {"kinds": ("best",)},
        {"metrics": "loss"},
        {"transform": 3},
        {"of": "attempts"},
        {"predictor": LogisticPredictor},
        {"seed": -1},
        {"reevaluate": 0},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings: Any) -> None:
    with pytest.raises(UsageError):
        PreemptiveRestart([1.0], **settings)


@pytest.mark.parametrize("checkpoints", [[], [0.0], [2.0, 1.0], [1.0, 1.0], [nan], [inf], "1", 3])
def test_checkpoints_that_do_not_rise_are_refused(checkpoints: Any) -> None:
    with pytest.raises(UsageError):
        PreemptiveRestart(checkpoints)


def test_no_exploration_is_allowed_where_nothing_is_judged_again() -> None:
    assert PreemptiveRestart([1.0], explore=0.0, reevaluate=None).explore == 0.0
