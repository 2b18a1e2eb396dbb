"""The items of a loop of one's own, each with its step; the boundary between two steps is the request for the next item."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dalsegno.core.loops.course import DONE
from dalsegno.core.loops.judging import answer, answer_async

if TYPE_CHECKING:
    from dalsegno.core.loops.attempt import Attempt


class Step(int):
    """The number of a step, from 1, which also takes its report."""

    attempt: Attempt

    def report(
        self,
        *,
        value: float | None = None,
        status: str = "running",
        cost: Mapping[str, float] | None = None,
        **metrics: float,
    ) -> None:
        """Record what this step tells; several calls in one step merge. Decisions fall when the next item is asked for."""
        self.attempt.report(value=value, status=status, cost=cost, **metrics)

    @property
    def epoch(self) -> int:
        """The epoch that this step's item belongs to, from 1: the how manieth time its loop goes over the data."""
        return self.attempt.course.epoch + 1

    @property
    def item(self) -> int:
        """The place of this step's item in its epoch, from 1, items that were left out counted."""
        return self.attempt.course.index

    @property
    def ends_epoch(self) -> bool:
        """Whether this step's item is the last one of its epoch; the place for a validation or a scheduler's step.

        Raises :class:`UsageError` where the data has no ``len()``.
        """
        return self.attempt.course.ends_epoch


class Over:
    """The items of one call of ``attempt.over``, each with its step; an iterator, plain or asynchronous."""

    __slots__ = ("attempt", "call", "finished")

    def __init__(self, attempt: Attempt, call: int) -> None:
        self.attempt, self.call, self.finished = attempt, call, False

    @property
    def how(self) -> str:
        """How a place in the iterable is found again: ``index``, ``state`` or ``count``."""
        return self.attempt.course.calls[self.call].how

    def __iter__(self) -> Iterator[tuple[Step, Any]]:
        return self

    def __next__(self) -> tuple[Step, Any]:
        attempt = self.attempt
        if attempt.ended is not None or self.finished:
            attempt.show_once_more(self.call)
            raise StopIteration
        try:
            instruction = attempt.next_boundary(self.call)
            if instruction is not None:
                instruction = answer(attempt.conductor, instruction)
                if not attempt.obey(instruction):
                    raise StopIteration
            if not attempt.conductor.is_ready and not attempt.arrive(self.call):
                raise StopIteration
        except StopIteration:
            raise
        except BaseException as error:
            attempt.from_engine = error
            raise
        item = attempt.course.next_item(self.call)
        if item is DONE:
            self.finished = True
            attempt.note_end_of(self.call)
            raise StopIteration
        return attempt.hand_out(item, self.call)

    def __aiter__(self) -> AsyncIterator[tuple[Step, Any]]:
        return self

    async def __anext__(self) -> tuple[Step, Any]:
        attempt = self.attempt
        if attempt.ended is not None or self.finished:
            attempt.show_once_more(self.call)
            raise StopAsyncIteration
        try:
            instruction = attempt.next_boundary(self.call)
            if instruction is not None:
                instruction = await answer_async(attempt.conductor, instruction)
                if not attempt.obey(instruction):
                    raise StopAsyncIteration
            if not attempt.conductor.is_ready and not attempt.arrive(self.call):
                raise StopAsyncIteration
        except StopAsyncIteration:
            raise
        except BaseException as error:
            attempt.from_engine = error
            raise
        item = await attempt.course.next_item_async(self.call)
        if item is DONE:
            self.finished = True
            attempt.note_end_of(self.call)
            raise StopAsyncIteration
        return attempt.hand_out(item, self.call)
