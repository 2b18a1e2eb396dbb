"""The public names of ds.checkpoint."""

from __future__ import annotations

import dalsegno as ds
from dalsegno import policies


def test_the_schedules_are_those_of_policies() -> None:
    assert (ds.checkpoint.Every, ds.checkpoint.YoungDaly) == (policies.Every, policies.YoungDaly)


def test_a_schedule_takes_what_is_kept() -> None:
    assert ds.checkpoint.Every(steps=2, keep=ds.checkpoint.Keep(last=2)).keep.last == 2
