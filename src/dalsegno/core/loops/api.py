"""The two functions that run something: ``run``, and ``arun`` on a running event loop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from dalsegno.core import events
from dalsegno.core.budget import Budget
from dalsegno.core.errors import UsageError
from dalsegno.core.plan import Plan
from dalsegno.core.result import Result


def plan_of(
    process: Any,
    rules: Sequence[Any] | None,
    checkpoint: Any,
    seed: int | None,
    name: str | None,
    budget: Budget | None,
    step_timeout: float | str | None,
) -> Plan:
    """The plan that the arguments say; given a Plan, the arguments that are there replace its own."""
    given = {
        "rules": rules,
        "checkpoint": checkpoint,
        "seed": seed,
        "name": name,
        "budget": budget,
        "step_timeout": step_timeout,
    }
    there = {key: value for key, value in given.items() if value is not None}
    if isinstance(process, Plan):
        return process.with_(**there)
    return Plan(process, **there)


def run(
    process: Any,
    *,
    rules: Sequence[Any] | None = None,
    checkpoint: Any = None,
    journal: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    name: str | None = None,
    budget: Budget | None = None,
    step_timeout: float | str | None = None,
    listeners: Sequence[events.Listener] = (),
    fresh: bool | str = False,
    extend: bool = False,
    accept: Sequence[str] = (),
    wait: float = 30.0,
    executor: Any = None,
    parallel: int = 1,
) -> Result:
    """Run a process, a function ``train(attempt)``, or a :class:`Plan`, under rules, and return how it ended.

    A run is (journal, name, seed): the same call after a kill goes on where it was, after the end it returns the stored
    result without a step.  ``fresh=True`` begins anew, ``fresh="if changed"`` only if process or rules have changed;
    ``extend=True`` lets a run that has ended go on under limits that have moved; ``accept`` names differences to go on
    in spite of.  ``wait`` is how many seconds a locked journal is waited for.  ``parallel`` attempts run at a time in
    ``executor`` (``"local"``: programs of their own on this machine); the first success wins.

    >>> import dalsegno as ds
    >>> def guess(attempt):
    ...     for step, item in attempt.over(range(10)):
    ...         step.report(loss=1.0 / step)
    >>> result = ds.run(guess, rules=[ds.stop(ds.when.below("loss", 0.25))], seed=0)
    >>> result.step, result.rule
    (5, "stop when below('loss', 0.25)")

    Raises :class:`UsageError`, :class:`ChangedError`, :class:`InUseError`, :class:`JournalError`,
    :class:`SnapshotError`; an exception of the user's own that no rule speaks for leaves as it is.
    """
    plan = plan_of(process, rules, checkpoint, seed, name, budget, step_timeout)
    options: dict[str, Any] = {
        "journal": journal,
        "listeners": listeners,
        "fresh": fresh,
        "extend": extend,
        "accept": accept,
        "wait": wait,
    }
    if executor is not None or parallel != 1:
        from dalsegno.core.loops.portfolio import run_portfolio

        return run_portfolio(plan, executor=executor, parallel=parallel, **options)
    from dalsegno.core.loops.drive import run_plan

    return run_plan(plan, **options)


async def arun(
    process: Any,
    *,
    rules: Sequence[Any] | None = None,
    checkpoint: Any = None,
    journal: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    name: str | None = None,
    budget: Budget | None = None,
    step_timeout: float | str | None = None,
    listeners: Sequence[events.Listener] = (),
    fresh: bool | str = False,
    extend: bool = False,
    accept: Sequence[str] = (),
    wait: float = 30.0,
    executor: Any = None,
) -> Result:
    """The same as :func:`run` on a running event loop, also in a notebook; methods may be coroutine functions."""
    if executor is not None:
        raise UsageError(
            "ds.arun(executor=...): an event loop runs attempts in this program; use ds.run for an executor"
        )
    from dalsegno.core.loops.drive import arun_plan

    plan = plan_of(process, rules, checkpoint, seed, name, budget, step_timeout)
    return await arun_plan(
        plan, journal=journal, listeners=listeners, fresh=fresh, extend=extend, accept=accept, wait=wait
    )
