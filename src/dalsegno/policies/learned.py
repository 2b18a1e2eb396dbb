"""LearnedCutoff: restarts at the cutoff that past attempts show to be the best, and goes on learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dalsegno.policies.attempt_learner import AttemptLearner

BEYOND = 2.0  # times the longest time seen: the cutoff while the best one is not inside of what has been seen


@dataclass(eq=False)
class LearnedCutoff(AttemptLearner):
    """Restart each attempt at the best cutoff in the log of all attempts so far, solved or cut.

    Until 10 attempts have been solved, and while no cutoff passes the guard (5 solved by then, and a fiftieth
    of the law), Luby's schedule is used, from its beginning after every solved attempt. While the best cutoff
    is the last time at which any attempt was solved, it is not known to be one: the cutoff is then twice the
    longest time seen, until a shorter one is best or nothing is cut (``doubling=False``: the last time).

    A run that ends with its first success learns for the next one: hand it the ``past``.

    >>> policy = LearnedCutoff(unit=10)
    >>> [policy.next_cutoff() for _ in range(2)]
    [10.0, 10.0]
    >>> policy.observe(10.0, False)
    >>> policy.observe(10.0, False)
    >>> policy.next_cutoff()
    20.0

    It is used without the engine as above, or in a run as a rule: it then looks at the run's own attempts. An
    attempt that failed counts as one that was not solved in its time.
    """

    doubling: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self._tries = 0  # attempts since one was solved
        super().__post_init__()

    def next_cutoff(self) -> float:
        if self._best is None:
            return self._luby.cutoff(self._tries + len(self._cutoffs) + 1)
        best, edge = self._best
        return BEYOND * self.longest if edge == "last" and self.doubling else best

    def _ended(self, time: float, solved: bool) -> None:
        self._tries = 0 if solved else self._tries + 1

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "tries": self._tries}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._tries = int(state["tries"])
