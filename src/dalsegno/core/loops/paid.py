"""What was paid: the steps, costs and seconds that programs really spent on a run, noted in its journal bit by bit.

A step that is done again after a kill counts once in the run's own figures and twice in what was paid.
"""

from __future__ import annotations

from typing import Any

from dalsegno.core.trace import Trace


class Paid:
    """What this program has spent since it last noted it in the journal.

    ``steps`` and ``cost`` are the run's figures as they were when they were last noted, and ``since`` is that time.
    """

    def __init__(self, journal: Any, trace: Trace, now: float) -> None:
        self.journal, self.trace = journal, trace
        self.steps = 0
        self.cost: dict[str, float] = {}
        self.call_costs: dict[
            str, float
        ] = {}  # charged for calls since then: noted when they were made, or replayed free
        self.since = now

    def note(self, now: float) -> None:
        """Note what was really done in this program since the last time."""
        cost = {}
        for unit, total in self.trace.cost.items():
            new = total - self.cost.get(unit, 0.0) - self.call_costs.get(unit, 0.0)
            if new > 0:
                cost[unit] = new
        self.journal.add_paid(seconds=now - self.since, steps=max(self.trace.steps - self.steps, 0), cost=cost)
        self.mark(now)

    def mark(self, now: float) -> None:
        """Everything up to here is noted."""
        self.steps, self.cost, self.since = self.trace.steps, dict(self.trace.cost), now
        self.call_costs.clear()
