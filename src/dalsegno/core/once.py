"""once: a costly call whose result is journaled before it is used, so that a resumed run replays it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import ChangedError, UsageError
from dalsegno.core.report import check_cost

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor

CURRENT: ContextVar[Conductor | None] = ContextVar("dalsegno_run", default=None)
Cost = Mapping[str, float] | Callable[[Any], Mapping[str, float]] | None


class Transaction:
    """One costly call: sent is committed, then the call, then its value is committed, then it is used."""

    def __init__(
        self, key: str, function: Callable[..., Any], inputs: Any, cost: Cost, hold: Mapping[str, float] | None
    ):
        conductor = CURRENT.get()
        if conductor is None:
            raise UsageError("once() was called outside a run: it belongs into a step of a run")
        if not isinstance(key, str) or not key:
            raise UsageError(f"once(key={key!r}): expected a name that is not empty")
        self.conductor, self.key, self.function, self.cost = conductor, key, function, cost
        from dalsegno.core import identity

        self.attempt, self.branch, self.step = instant(conductor)
        if called_twice(conductor, (self.attempt, self.branch, self.step), key):
            raise UsageError(f"once({key!r}) was called twice in one step: give each call of a step a key of its own")
        self.inputs_hash = identity.digest(inputs) if inputs is not None else ""
        self.held: Mapping[str, float] | None = None
        budget = conductor.budget
        if budget is not None and conductor.journal.call_state(self.attempt, self.branch, self.step, key) == "new":
            self.held = budget.hold(hold or {})  # refused before anything is written
        self.call = conductor.journal.call_begin(self.attempt, self.branch, self.step, key, self.inputs_hash, self.held)
        if self.call.inputs_hash != self.inputs_hash:
            raise ChangedError(
                f"once({key!r}) at step {self.step} was made with other inputs before the program died; "
                "the inputs of a call must follow from the state of the run"
            )
        self.done = self.call.state == "done"

    def arguments(self) -> dict[str, Any]:
        """``idempotency_key`` and ``timeout``, for functions that take them."""
        try:
            names = inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return {}
        given: dict[str, Any] = {}
        if "idempotency_key" in names:
            given["idempotency_key"] = self.call.idempotency_key
        budget = self.conductor.budget
        if "timeout" in names and budget is not None and "seconds" in budget.limits:
            given["timeout"] = max(budget.limits["seconds"] - self.conductor.machine.trace.seconds, 0.0)
        return given

    def replayed(self) -> Any:
        charge_call(self.conductor, self.call.cost)  # the budget has it already, from the journal
        return self.call.value

    def settle(self, value: Any) -> Any:
        cost = dict(self.cost(value) if callable(self.cost) else self.cost or {})
        check_cost(cost)
        self.conductor.journal.add_paid(seconds=0.0, steps=0, cost=cost)  # durable with the value, in one transaction
        self.conductor.journal.call_end(self.call, value, cost)
        if self.conductor.budget is not None:
            self.conductor.budget.settle(self.held or self.call.held, cost)
        charge_call(self.conductor, cost)
        return value


def once(
    key: str,
    function: Callable[..., Any],
    *,
    inputs: Any = None,
    cost: Cost = None,
    hold: Mapping[str, float] | None = None,
) -> Any:
    """Call ``function()`` at most once for this place in the run, and give back what it returned.

    ``key`` names the call within its step; ``inputs`` are compared when the call is replayed; ``cost`` by unit, or a
    function of the value, is charged to the step; ``hold`` is the worst case that a hard budget sets aside first.
    Values are the typed values of snapshots.  A call in flight when the program is killed is made once more, with the
    same ``idempotency_key`` (handed to functions that have a parameter of that name).  With
    ``Budget(seconds=...)`` a parameter ``timeout`` gets the seconds that are left.
    """
    made = Transaction(key, function, inputs, cost, hold)
    if made.done:
        return made.replayed()
    return made.settle(function(**made.arguments()))


async def once_async(
    key: str,
    function: Callable[..., Any],
    *,
    inputs: Any = None,
    cost: Cost = None,
    hold: Mapping[str, float] | None = None,
) -> Any:
    """The same for a coroutine function."""
    made = Transaction(key, function, inputs, cost, hold)
    if made.done:
        return made.replayed()
    value = function(**made.arguments())
    return made.settle(await value if inspect.isawaitable(value) else value)


# -- the step that a call belongs to ----


def charge_judge(conductor: Conductor) -> None:
    """What a judge cost is charged to the run at once: its step has been reported already."""
    costs, conductor.step_costs = conductor.step_costs, {}
    conductor.machine.charge(costs)


def called_twice(conductor: Conductor, place: tuple[int, int, int], key: str) -> bool:
    """Whether this key has been used before in the step being taken."""
    if conductor.calls_in_step and next(iter(conductor.calls_in_step))[:3] != place:
        conductor.calls_in_step.clear()
    whole = (*place, key)
    if whole in conductor.calls_in_step:
        return True
    conductor.calls_in_step.add(whole)
    return False


def instant(conductor: Conductor) -> tuple[int, int, int]:
    """The place that a call belongs to: attempt, branch, and the step being taken."""
    step = conductor.machine.trace.attempt.steps + (0 if conductor.at_end else 1) if conductor.is_ready else 0
    return conductor.attempt_id, conductor.branch_id, step


def charge_call(conductor: Conductor, cost: dict[str, float]) -> None:
    """What a call cost belongs to the step it was made in."""
    for unit, amount in cost.items():
        conductor.step_costs[unit] = conductor.step_costs.get(unit, 0.0) + amount
        conductor.call_costs[unit] = conductor.call_costs.get(unit, 0.0) + amount
