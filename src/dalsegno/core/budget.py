"""Budget: hard limits by unit; a call whose worst case does not fit is not begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dalsegno.core.conditions.limits import MISTAKEN
from dalsegno.core.durations import seconds as to_seconds
from dalsegno.core.errors import BudgetError, UsageError


class Budget:
    """Hard limits for costly calls, by unit: worst cases are held before a call and settled after it.

    A call whose cost never became known (it raised, or the program was killed in it) stays held.
    What reports say that steps have cost counts too, and so do ``steps``, ``attempts`` and ``seconds`` (of running time;
    calls get what is left of it as their timeout). Once a unit is used up, the run ends at the next boundary as not
    succeeded; a call that does not fit raises :class:`BudgetError`, which ends it where no rule names that error.

    >>> budget = Budget(tokens=1000)
    >>> held = budget.hold({"tokens": 600})
    >>> budget.settle(held, {"tokens": 450})
    >>> budget.left("tokens")
    550.0

    Raises :class:`UsageError` for a bare number, an unknown shape or a limit that is negative or not finite.
    """

    def __init__(self, *bare: object, **limits: float | str) -> None:
        if bare:
            raise UsageError(f"Budget({bare[0]!r}): a bare number has no unit; write Budget(tokens={bare[0]!r}), say")
        if not limits:
            raise UsageError("Budget(): expected at least one limit, as in Budget(tokens=4000, usd=2)")
        self.limits: dict[str, float] = {}
        for unit, limit in limits.items():
            if unit in MISTAKEN:
                raise UsageError(f"Budget({unit}={limit!r}): there is no unit {unit!r}; write {MISTAKEN[unit]}=")
            amount = to_seconds(limit) if unit == "seconds" else limit
            if unit in ("steps", "attempts") and amount != int(amount):
                raise UsageError(f"Budget({unit}={limit!r}): expected a whole number")
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < float("inf"):
                raise UsageError(f"Budget({unit}={limit!r}): expected a finite number of at least 0")
            self.limits[unit] = float(amount)
        self.used: dict[str, float] = dict.fromkeys(self.limits, 0.0)
        self.held: dict[str, float] = dict.fromkeys(self.limits, 0.0)
        self.seen: dict[str, float] = {}  # what the run has used in all, reported costs and running time included

    def left(self, unit: str) -> float:
        """What is neither used nor held; infinite for a unit without a limit."""
        if unit not in self.limits:
            return float("inf")
        return max(self.limits[unit] - max(self.used[unit], self.seen.get(unit, 0.0)) - self.held[unit], 0.0)

    def hold(self, worst: Mapping[str, float]) -> dict[str, float]:
        """Set the worst case of a call aside, or raise :class:`BudgetError` before anything is begun."""
        for unit in self.limits:
            need = worst.get(unit, 0.0)
            if unit == "attempts":  # those that have ended; the one that calls is allowed to
                continue
            if need > self.left(unit) or self.left(unit) <= 0:
                raise BudgetError(
                    f"the call may need {need:g} {unit} and {self.left(unit):g} of {self.limits[unit]:g} are left: "
                    "it was not begun; raise the limit or ask for less"
                )
        taken = {unit: float(worst.get(unit, 0.0)) for unit in self.limits}
        for unit, amount in taken.items():
            self.held[unit] += amount
        return taken

    def settle(self, held: Mapping[str, float], cost: Mapping[str, float]) -> None:
        """Replace what was held for a call by what it really cost."""
        for unit in self.limits:
            self.held[unit] = max(self.held[unit] - held.get(unit, 0.0), 0.0)
            self.used[unit] += cost.get(unit, 0.0)

    def see(self, used: Mapping[str, float]) -> None:
        """Take note of what the run has used in all, so that what no call has cost counts too."""
        self.seen = {unit: used.get(unit, 0.0) for unit in self.limits}

    def state_dict(self) -> dict[str, Any]:
        return {"used": dict(self.used), "held": dict(self.held)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, own in (("used", self.used), ("held", self.held)):
            own.update({unit: float(amount) for unit, amount in state[name].items() if unit in self.limits})

    def __repr__(self) -> str:
        return f"Budget({', '.join(f'{unit}={limit:g}' for unit, limit in self.limits.items())})"
