"""One metric has one direction."""

from __future__ import annotations

import pytest

from dalsegno.core.conditions import above, check_modes, stalled
from dalsegno.core.errors import UsageError

LOSS = stalled("loss", patience=3)


def test_each_watched_metric_has_its_mode() -> None:
    rules = [LOSS, stalled("loss", patience=9) & above("loss", 1.0), ~stalled("acc", patience=1, mode="max")]
    assert check_modes(rules) == {"loss": "min", "acc": "max"}


def test_two_modes_for_one_metric_are_refused_naming_both_places() -> None:
    with pytest.raises(UsageError, match=r"stalled\('loss', patience=3\) and 'max' in stalled\('loss', patience=5"):
        check_modes([LOSS, above("x", 1.0) | stalled("loss", patience=5, mode="max")])


def test_a_mode_stated_elsewhere_counts_too() -> None:
    with pytest.raises(UsageError, match="Keep"):
        check_modes([LOSS], [("loss", "max", "Keep(best='loss', mode='max')")])
