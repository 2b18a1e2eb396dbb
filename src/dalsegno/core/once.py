"""once: a costly call whose result is journaled before it is used, so that a resumed run replays it."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import ChangedError, UnsavableError, UsageError
from dalsegno.core.report import check_cost

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor

CURRENT: ContextVar[Conductor | None] = ContextVar("dalsegno_run", default=None)
LOCK = threading.RLock()  # calls may come from several threads of a step; the journal has one writer
Cost = Mapping[str, float] | Callable[[Any], Mapping[str, float]] | None


class Transaction:
    """One costly call: sent is committed, then the call, then its value is committed, then it is used."""

    def __init__(
        self,
        conductor: Conductor | None,
        key: str,
        function: Callable[..., Any],
        inputs: Any,
        cost: Cost,
        hold: Mapping[str, float] | None,
    ):
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
        if budget is not None or conductor.result is not None:
            new = conductor.journal.call_state(self.attempt, self.branch, self.step, key) == "new"
            if new and conductor.result is not None:
                raise UsageError(
                    f"once({key!r}): the run is over, and this call was never made in it; it is not made now"
                )
            if new and budget is not None:
                budget.see(used_so_far(conductor))
                self.held = budget.hold(hold or {})  # refused before anything is written
        self.call = conductor.journal.call_begin(self.attempt, self.branch, self.step, key, self.inputs_hash, self.held)
        if self.call.inputs_hash != self.inputs_hash:
            raise ChangedError(
                f"once({key!r}) at step {self.step} was made with other inputs before the program died; "
                "the inputs of a call must follow from the state of the run"
            )
        self.done = self.call.state == "done"
        if self.call.state == "unsavable":
            raise UnsavableError(unsavable(key, self.step, "value", self.call.value))

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
            given["timeout"] = max(budget.limits["seconds"] - used_so_far(self.conductor)["seconds"], 0.0)
        return given

    def replayed(self) -> Any:
        charge_call(self.conductor, self.call.cost)  # the budget has it already, from the journal
        return self.call.value

    def raised(self) -> None:
        """The call has raised, and may be tried again in this step: under the same idempotency key."""
        self.conductor.calls_in_step.discard((self.attempt, self.branch, self.step, self.key))

    def settle(self, value: Any) -> Any:
        try:
            cost = dict(self.cost(value) if callable(self.cost) else self.cost or {})
            check_cost(cost)
        except Exception:
            self.keep(value, {})  # what was paid for is kept, whatever is wrong with the price
            raise
        self.keep(value, cost)
        if self.conductor.budget is not None:
            self.conductor.budget.settle(self.held or self.call.held, cost)
        charge_call(self.conductor, cost)
        return value

    def keep(self, value: Any, cost: Mapping[str, float]) -> None:
        """Make the answer durable; one that cannot be is noted as such, so that it is not paid for again and again."""
        self.conductor.journal.add_paid(seconds=0.0, steps=0, cost=cost)  # durable with the value, in one transaction
        try:
            self.conductor.journal.call_end(self.call, value, cost)
        except UnsavableError as error:
            self.conductor.journal.call_lost(self.call, cost, str(error))
            raise UnsavableError(unsavable(self.key, self.step, type(value).__name__, str(error))) from None


def unsavable(key: str, step: int, kind: str, why: str) -> str:
    return (
        f"once({key!r}) at step {step} was made and answered by a {kind}, which a journal cannot hold ({why}). Return what you "
        "need of it as a dict, list, text, number or array; the call is not made again by itself: begin anew with "
        "fresh=True, or give it another key"
    )


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
    return call_once(CURRENT.get(), key, function, inputs=inputs, cost=cost, hold=hold)


def call_once(
    conductor: Conductor | None,
    key: str,
    function: Callable[..., Any],
    *,
    inputs: Any = None,
    cost: Cost = None,
    hold: Mapping[str, float] | None = None,
) -> Any:
    """:func:`once` in the run of ``conductor``, whichever program text or thread it is called from."""
    with LOCK:
        made = Transaction(conductor, key, function, inputs, cost, hold)
    if made.done:
        return made.replayed()
    try:
        value = function(**made.arguments())
    except BaseException:
        made.raised()
        raise
    with LOCK:
        return made.settle(value)


async def once_async(
    key: str,
    function: Callable[..., Any],
    *,
    inputs: Any = None,
    cost: Cost = None,
    hold: Mapping[str, float] | None = None,
) -> Any:
    """The same for a coroutine function."""
    return await call_once_async(CURRENT.get(), key, function, inputs=inputs, cost=cost, hold=hold)


async def call_once_async(
    conductor: Conductor | None,
    key: str,
    function: Callable[..., Any],
    *,
    inputs: Any = None,
    cost: Cost = None,
    hold: Mapping[str, float] | None = None,
) -> Any:
    """:func:`once_async` in the run of ``conductor``."""
    with LOCK:
        made = Transaction(conductor, key, function, inputs, cost, hold)
    if made.done:
        return made.replayed()
    try:
        value = function(**made.arguments())
        value = await value if inspect.isawaitable(value) else value
    except BaseException:
        made.raised()
        raise
    with LOCK:
        return made.settle(value)


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
    """The place that a call belongs to: attempt, branch, and the step being taken.

    Before the first step it is step 0 of the attempt's first branch, however often it has gone back since; between loops
    that were finished before, it is where they ended.
    """
    if conductor.is_ready:
        step = conductor.machine.trace.attempt.steps + (0 if conductor.at_end else 1)
        return conductor.attempt_id, conductor.branch_id, step
    between = getattr(conductor.subject, "between", None)
    if between is not None:
        return conductor.attempt_id, *between
    branches = conductor.journal.branches_of(conductor.attempt_id) if conductor.attempt_id else []
    return conductor.attempt_id, branches[0]["id"] if branches else conductor.branch_id, 0


def used_so_far(conductor: Conductor) -> dict[str, float]:
    """What the run has used of everything, the step being taken included."""
    trace = conductor.machine.trace
    used = dict(trace.cost)
    for unit, amount in conductor.step_costs.items():
        used[unit] = used.get(unit, 0.0) + amount
    passed = trace.seconds + perf_counter() - conductor.last
    return {**used, "steps": float(trace.steps), "seconds": passed, "attempts": float(trace.ended)}


def charge_call(conductor: Conductor, cost: dict[str, float]) -> None:
    """What a call cost belongs to the step it was made in."""
    for unit, amount in cost.items():
        conductor.step_costs[unit] = conductor.step_costs.get(unit, 0.0) + amount
        conductor.call_costs[unit] = conductor.call_costs.get(unit, 0.0) + amount
