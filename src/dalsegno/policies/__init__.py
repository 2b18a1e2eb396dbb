"""Policies: when to restart, and when to save.

======================  =====================================================
Luby, luby              the universal schedule of restarts
FixedCutoff             one cutoff for every attempt
Geometric               cutoffs that grow by a factor
YoungDaly               snapshots at the interval that loses least
Every, Never            snapshots at regular places, or none
Improved                a snapshot whenever a metric is better than ever
======================  =====================================================

A policy is anything with ``decide(trace) -> Action | None``; a schedule of snapshots anything with
``due(trace, saved)``.
"""

from dalsegno.policies.cutoff import Cutoff
from dalsegno.policies.fixed import FixedCutoff
from dalsegno.policies.geometric import Geometric
from dalsegno.policies.improved import Improved
from dalsegno.policies.luby import Luby, luby
from dalsegno.policies.schedules import Every, Never, Schedule
from dalsegno.policies.young_daly import YoungDaly, checkpoint_interval, daly, expected_completion, young

__all__ = [
    "Cutoff",
    "Every",
    "FixedCutoff",
    "Geometric",
    "Improved",
    "Luby",
    "Never",
    "Schedule",
    "YoungDaly",
    "checkpoint_interval",
    "daly",
    "expected_completion",
    "luby",
    "young",
]
