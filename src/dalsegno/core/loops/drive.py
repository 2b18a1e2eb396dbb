"""The loops themselves: a process or a function, plain or asynchronous, and the inline form. Thin, and the only ones."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Any

from dalsegno.core import events
from dalsegno.core.errors import BOOKKEEPING, UsageError
from dalsegno.core.loops.attempt import Attempt
from dalsegno.core.loops.beginning import begin, make_ready, start_failed
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.loops.ending import final_state, keep_returned
from dalsegno.core.loops.instructions import AGAIN, ENDED
from dalsegno.core.loops.judging import answer, answer_async
from dalsegno.core.loops.opening import open_run
from dalsegno.core.loops.taking_up.history import enter_last
from dalsegno.core.once import CURRENT
from dalsegno.core.plan import Plan
from dalsegno.core.process import Origin
from dalsegno.core.result import Result
from dalsegno.core.subject import ProcessSubject

SLICE = 0.1  # seconds between two looks at the signals while waiting


def process_of(plan: Plan) -> Any:
    return plan.process() if isinstance(plan.process, type) else plan.process


def run_process(plan: Plan, conductor: Conductor) -> None:
    """The loop of a process."""
    process = process_of(plan)
    try:
        step_through(process, conductor)
    finally:
        close_own(plan, process)


def close_own(plan: Plan, process: Any) -> None:
    """Close a process that was made here from its class; one that the user made is the user's."""
    close = getattr(process, "close", None)
    if isinstance(plan.process, type) and callable(close):
        close()


def step_through(process: Any, conductor: Conductor) -> None:
    subject = ProcessSubject(process)
    conductor.subject = subject
    step, boundary = process.step, conductor.boundary
    while (attempt := begin(conductor)) is not None:
        pause(conductor)
        try:
            process.reset(seed=attempt.seed, origin=attempt.origin)
        except BOOKKEEPING:
            raise
        except Exception as error:
            start_failed(conductor)
            answer(conductor, conductor.failed(error))
            continue
        make_ready(conductor)
        while True:
            try:
                report = step()
            except BOOKKEEPING:
                raise
            except Exception as error:
                if answer(conductor, conductor.failed(error)) is AGAIN:
                    resettle(conductor)
                    continue
                break
            instruction = boundary(report)
            if instruction is not None and answer(conductor, instruction) is ENDED:
                break


def resettle(conductor: Conductor) -> None:
    """A step raised and the attempt has gone back: put the state in place, as no step is running."""
    if conductor.landing is not None:
        make_ready(conductor)


async def run_process_async(plan: Plan, conductor: Conductor) -> None:
    """The same for a process whose methods may be coroutine functions."""
    process = process_of(plan)
    try:
        await step_through_async(process, conductor)
    finally:
        close_own(plan, process)


async def step_through_async(process: Any, conductor: Conductor) -> None:
    conductor.subject = ProcessSubject(process)
    while (attempt := begin(conductor)) is not None:
        await pause_async(conductor)
        try:
            await settled(process.reset(seed=attempt.seed, origin=attempt.origin))
        except BOOKKEEPING:
            raise
        except Exception as error:
            start_failed(conductor)
            await answer_async(conductor, conductor.failed(error))
            continue
        make_ready(conductor)
        while True:
            try:
                report = await settled(process.step())
            except BOOKKEEPING:
                raise
            except Exception as error:
                if await answer_async(conductor, conductor.failed(error)) is AGAIN:
                    resettle(conductor)
                    continue
                break
            instruction = conductor.boundary(report)
            if instruction is not None and await answer_async(conductor, instruction) is ENDED:
                break


async def settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def run_function(plan: Plan, conductor: Conductor) -> None:
    """The loop of a function ``train(attempt)``: called once an attempt, and again where it went back from outside."""
    while conductor.result is None:
        attempt = Attempt(conductor)
        pause(conductor)
        try:
            returned = plan.process(attempt)
        except Exception as error:
            attempt.body_failed(error)
        else:
            attempt.finish_body(returned)
            keep_returned(conductor, attempt, returned)


async def run_function_async(plan: Plan, conductor: Conductor) -> None:
    """The same for a coroutine function."""
    while conductor.result is None:
        attempt = Attempt(conductor)
        await pause_async(conductor)
        try:
            returned = await settled(plan.process(attempt))
        except Exception as error:
            attempt.body_failed(error)
        else:
            attempt.finish_body(returned)
            keep_returned(conductor, attempt, returned)


def pause(conductor: Conductor) -> None:
    """The wait that a restart asked for; a signal ends it."""
    until = time.perf_counter() + conductor.wait
    while (left := until - time.perf_counter()) > 0:
        if conductor.interruptions.received is not None:
            conductor.interrupt()
        time.sleep(min(left, SLICE))
    conductor.waited()


async def pause_async(conductor: Conductor) -> None:
    until = time.perf_counter() + conductor.wait
    while (left := until - time.perf_counter()) > 0:
        if conductor.interruptions.received is not None:
            conductor.interrupt()
        await asyncio.sleep(min(left, SLICE))
    conductor.waited()


# -- the ways in ------------------------------------------------------------------------------------------------


def run_plan(plan: Plan, **options: Any) -> Result:
    """Run a plan in this program and return how it ended."""
    from dalsegno.core.plan import is_async

    if is_async(plan.process):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(arun_plan(plan, **options))
        raise UsageError("an event loop is running here: use `await ds.arun(...)` for an asynchronous process")
    conductor = open_run(plan, **options)
    token = CURRENT.set(conductor)
    try:
        if conductor.result is not None:
            restore_final(plan, conductor)
        else:
            with conductor.interruptions, conductor.watched(plan):
                if plan.is_function:
                    run_function(plan, conductor)
                else:
                    run_process(plan, conductor)
    finally:
        CURRENT.reset(token)
        conductor.close()
    assert conductor.result is not None
    return conductor.result


def restore_final(plan: Plan, conductor: Conductor) -> None:
    """A run that is over puts its final state into the user's own process, where it was saved; not a step is taken."""
    if plan.is_function or isinstance(plan.process, type):
        return
    state = final_state(conductor)
    if state is not None:
        plan.process.reset(seed=conductor.root_seed, origin=Origin())
        ProcessSubject(plan.process).load(state)


async def restore_final_async(plan: Plan, conductor: Conductor) -> None:
    """The same where the process's ``reset`` may be a coroutine function."""
    if plan.is_function or isinstance(plan.process, type):
        return
    state = final_state(conductor)
    if state is not None:
        await settled(plan.process.reset(seed=conductor.root_seed, origin=Origin()))
        ProcessSubject(plan.process).load(state)


async def arun_plan(plan: Plan, **options: Any) -> Result:
    """The same on a running event loop; the process or function may be plain or asynchronous."""
    conductor = open_run(plan, **options)
    token = CURRENT.set(conductor)
    try:
        if conductor.result is not None:
            await restore_final_async(plan, conductor)
        else:
            with conductor.interruptions, conductor.watched(plan):
                if plan.is_function:
                    await run_function_async(plan, conductor)
                else:
                    await run_process_async(plan, conductor)
    finally:
        CURRENT.reset(token)
        conductor.close()
    assert conductor.result is not None
    return conductor.result


class Attempts:
    """The inline form: ``for attempt in (run := ds.attempts(...)): with attempt: ...``. The ``with`` sees a failure.

    ``run.result`` says how it ended.  Attempts are taken one after another in this program: an executor and the probe
    that steps a copy need a function or a process, and are refused here.
    """

    def __init__(self, plan: Plan, **options: Any) -> None:
        self.plan, self.options = plan, options
        self.conductor: Conductor | None = None
        self.current: InlineAttempt | None = None
        self.shown = False

    @property
    def result(self) -> Result:
        """How the run ended; an error while it has not."""
        if self.conductor is None or self.conductor.result is None:
            raise UsageError("the run has not ended: run.result is there after the loop")
        return self.conductor.result

    def begin(self) -> InlineAttempt | None:
        if self.conductor is None:
            self.conductor = open_run(self.plan, **self.options)
            self.conductor.interruptions.__enter__()
            self.watch = self.conductor.watched(self.plan)
            self.watch.__enter__()
            self.token = CURRENT.set(self.conductor)
            if self.conductor.result is not None:
                return self.last_once()
        elif self.current is not None and not self.current.entered:
            raise UsageError("the body of `for attempt in ds.attempts(...)` must be `with attempt:`")
        if self.conductor.result is not None:
            return None
        self.current = InlineAttempt(self, self.conductor)
        return self.current

    def last_once(self) -> InlineAttempt | None:
        """The run is over: its last attempt once more, final state restored and no items, for the code after the loop."""
        assert self.conductor is not None
        enter_last(self.conductor)
        self.current = InlineAttempt(self, self.conductor)
        self.current.last_only = True
        self.current.claim(final_state(self.conductor))
        self.current.ended = self.conductor.result.reason if self.conductor.result is not None else "ended"
        return self.current

    def close(self) -> None:
        if self.conductor is None or self.conductor.journal.closed:
            return
        self.watch.__exit__(None, None, None)
        self.conductor.interruptions.__exit__(None, None, None)
        try:
            CURRENT.reset(self.token)
        except ValueError:  # closed from elsewhere: by the collector, or from another task
            CURRENT.set(None)
        self.conductor.close()

    def __iter__(self) -> Iterator[InlineAttempt]:
        try:
            while (attempt := self.begin()) is not None:
                pause(attempt.conductor)
                yield attempt
                if attempt.last_only:
                    break
        finally:
            self.close()

    async def __aiter__(self) -> AsyncIterator[InlineAttempt]:
        try:
            while (attempt := self.begin()) is not None:
                await pause_async(attempt.conductor)
                yield attempt
                if attempt.last_only:
                    break
        finally:
            self.close()


class InlineAttempt(Attempt):
    """An attempt of the inline form; as a context manager it sees how its body ended."""

    def __init__(self, attempts: Attempts, conductor: Conductor) -> None:
        super().__init__(conductor)
        self.attempts, self.entered = attempts, False

    def __enter__(self) -> InlineAttempt:
        self.entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self.last_only:
            return False
        try:
            if error is None:
                self.finish_body(None)
                return False
            if not isinstance(error, Exception):
                self.attempts.close()
                return False
            self.body_failed(error)
        except BaseException as leaving:
            self.attempts.close()
            if leaving is error:
                return False
            raise
        return True

    async def __aenter__(self) -> InlineAttempt:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, trace)


def attempts(
    *,
    rules: Sequence[Any] = (),
    checkpoint: Any = None,
    seed: int | None = None,
    name: str | None = None,
    listeners: Sequence[events.Listener] = (),
    **options: Any,
) -> Attempts:
    """The attempts of a run, inline, for a script that will not become a function; see :class:`Attempts`."""
    for refused in ("executor", "workers", "parallel"):
        if options.get(refused) is not None:
            raise UsageError(
                f"ds.attempts({refused}=...): the body of an inline loop lives in this program only; "
                "make it a function and use ds.run"
            )
        options.pop(refused, None)
    budget, step_timeout = options.pop("budget", None), options.pop("step_timeout", None)
    plan = Plan(None, rules, checkpoint, seed, name or script_name(), budget, step_timeout)
    return Attempts(plan, listeners=listeners, **options)


def script_name() -> str:
    """The default name of an inline run: that of the script."""
    import sys
    from pathlib import Path

    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    return Path(path).stem if path else "attempts"
