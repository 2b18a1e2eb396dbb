"""The course of an attempt: which items of data it has gone over, so that it can be gone back along.

Three ways to find a place again, and which one was taken is said: *index* (the iterable is a sequence), *state* (it has
``state_dict`` and ``load_state_dict``), *count* (it is begun again, with the generators as they were, and items are
drawn until the place is reached).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.subject import is_array, is_tensor, load_into

DONE = object()


@dataclass(slots=True)
class Call:
    """One call of ``attempt.over``: what it goes over, how often, and how a place in it is found."""

    iterable: Any
    epochs: int
    how: str
    one_shot: bool


def way_of(iterable: Any) -> str:
    if callable(getattr(iterable, "state_dict", None)) and callable(getattr(iterable, "load_state_dict", None)):
        return "state"
    return "index" if is_sequence(iterable) else "count"


def is_sequence(iterable: Any) -> bool:
    """Whether going over it is the same as taking its items 0, 1, 2, ...: not so where ``__iter__`` says otherwise."""
    if isinstance(iterable, Sequence):
        return True
    if not hasattr(iterable, "__getitem__") or not hasattr(iterable, "__len__") or isinstance(iterable, Mapping):
        return False
    return is_array(iterable) or is_tensor(iterable) or not hasattr(iterable, "__iter__")


def generators_of(iterable: Any) -> dict[str, Any]:
    """The random generators that a loader shuffles with, by where they were found."""
    found: dict[str, Any] = {}
    batch_sampler = getattr(iterable, "batch_sampler", None)
    for place, holder in (
        ("generator", iterable),
        ("sampler.generator", getattr(iterable, "sampler", None)),
        ("batch_sampler.sampler.generator", getattr(batch_sampler, "sampler", None)),
    ):
        generator = getattr(holder, "generator", None)
        if generator is not None and not any(generator is other for other in found.values()):
            found[place] = generator
    return found


class Course:
    """The items of one attempt, over all its calls of ``over``; its state is the place in it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.call = 0  # the number of the call that the place is in, from 0
        self.epoch = 0
        self.index = 0  # items drawn in this epoch, skipped ones too
        self.position = 0  # items drawn in all
        self.skipped = 0  # of them left out
        self.skip: list[tuple[int, int]] = []
        self.iterator: Any = None
        self.loader_state: Any = None
        self.epoch_start: Any = None  # generators at the start of the epoch, for counting
        self.ends: list[list[int]] = []  # of loops that have ended: the branch and the step to come
        self.to_draw = 0  # items an asynchronous iterable has to be drawn on to reach the place

    def add(self, iterable: Any, epochs: int | None) -> int:
        """Register a call of ``over``; the k-th call of a program is the k-th call of every program."""
        if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0):
            raise UsageError(f"epochs={epochs!r}: expected a whole number of at least 0")
        if (
            not hasattr(iterable, "__iter__")
            and not hasattr(iterable, "__getitem__")
            and not hasattr(iterable, "__aiter__")
        ):
            raise UsageError(f"attempt.over got a {type(iterable).__name__}, which cannot be iterated over")
        one_shot = hasattr(iterable, "__next__") or hasattr(iterable, "__anext__")
        if one_shot and (epochs or 1) > 1:
            raise UsageError(
                f"attempt.over(epochs={epochs}) got a {type(iterable).__name__}, which can be gone over once only: "
                "give the thing it is made from"
            )
        self.calls.append(Call(iterable, 1 if epochs is None else epochs, way_of(iterable), one_shot))
        return len(self.calls) - 1

    # -- drawing ------------------------------------------------------------------------------------------------

    def next_item(self, call: int) -> Any:
        """The next item on the course, up to the end of ``call``; DONE there."""
        self.refuse_earlier(call)
        while True:
            if self.iterator is None and not self.begin_epoch(call):
                return DONE
            try:
                item = next(self.iterator)
            except StopIteration:
                self.end_epoch()
                continue
            if self.take():
                return item

    async def next_item_async(self, call: int) -> Any:
        """The same for an asynchronous iterable (or a plain one)."""
        self.refuse_earlier(call)
        while True:
            if self.iterator is None and not self.begin_epoch(call):
                return DONE
            while self.to_draw:
                self.to_draw -= 1
                await anext(self.iterator, DONE)
            try:
                item = await self.iterator.__anext__() if hasattr(self.iterator, "__anext__") else next(self.iterator)
            except (StopIteration, StopAsyncIteration):
                self.end_epoch()
                continue
            if self.take():
                return item

    def leave_for(self, call: int) -> None:
        """A loop was left before its end, and ``call`` has begun (or the body has ended): its place is behind."""
        if self.call < call:
            self.call, self.epoch, self.index = call, 0, 0
            self.iterator, self.loader_state, self.epoch_start, self.to_draw = None, None, None, 0

    def note_end(self, loop: int, branch: int, step: int) -> None:
        while len(self.ends) <= loop:
            self.ends.append([])
        self.ends[loop] = [branch, step]

    def refuse_earlier(self, call: int) -> None:
        """A loop whose later one has begun cannot go on: their places would get mixed up."""
        if self.call > call:
            raise UsageError(
                f"loop {call + 1} of attempt.over goes on although loop {self.call + 1} has begun: an attempt has one place "
                "in its data. Go over one at a time (zip or itertools.product inside one attempt.over), the inner ones "
                "without attempt.over"
            )

    @property
    def ends_epoch(self) -> bool:
        """Whether the item handed out last is the last one of its epoch."""
        here = self.calls[self.call]
        if not hasattr(here.iterable, "__len__"):
            raise UsageError(
                f"step.ends_epoch: a {type(here.iterable).__name__} has no len(), so that nobody knows before the next item "
                "is asked for"
            )
        left = len(here.iterable) - self.index
        return all(
            any(start <= place < stop for start, stop in self.skip)
            for place in range(self.position, self.position + left)
        )

    def take(self) -> bool:
        """Count the item just drawn; False if it is to be left out."""
        place = self.position
        self.index += 1
        self.position = place + 1
        if self.skip and any(start <= place < stop for start, stop in self.skip):
            self.skipped += 1
            return False
        return True

    def begin_epoch(self, call: int) -> bool:
        """Make an iterator for the epoch the place is in; False if that lies beyond ``call``."""
        while self.call <= call and self.epoch >= self.calls[self.call].epochs:
            self.call, self.epoch, self.index = self.call + 1, 0, 0
        if self.call > call:
            return False
        here = self.calls[self.call]
        self.tell_epoch(here)
        if here.how == "count" and not here.one_shot:
            self.epoch_start = self.capture(here.iterable)
        self.iterator = self.iterate(here, self.index)
        return True

    def tell_epoch(self, call: Call) -> None:
        """A loader or sampler that shuffles by epoch is told which one it is."""
        for holder in (call.iterable, getattr(call.iterable, "sampler", None)):
            set_epoch = getattr(holder, "set_epoch", None)
            if callable(set_epoch) and call.epochs > 1:
                set_epoch(self.epoch)

    def end_epoch(self) -> None:
        self.iterator, self.loader_state = None, None
        self.epoch, self.index = self.epoch + 1, 0

    @staticmethod
    def iterate(call: Call, index: int) -> Any:
        iterable = call.iterable
        if call.how == "index":
            return (iterable[i] for i in range(index, len(iterable)))
        if hasattr(iterable, "__aiter__"):
            return iterable.__aiter__()
        return iter(iterable)

    @staticmethod
    def capture(iterable: Any) -> dict[str, Any]:
        from dalsegno.core.store import generators

        own = {}
        for place, generator in generators_of(iterable).items():
            own[place] = generator.get_state() if hasattr(generator, "get_state") else generator
        return {"global": generators.capture(), "own": own}

    # -- state --------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        loader, epoch_start = self.loader_state, self.epoch_start
        if self.call < len(self.calls) and self.epoch < self.calls[self.call].epochs:
            here = self.calls[self.call]
            if here.how == "state":
                loader = here.iterable.state_dict()
            elif here.how == "count" and self.iterator is None and not here.one_shot:
                epoch_start = self.capture(here.iterable)  # of the epoch that begins next
        return {
            "call": self.call,
            "epoch": self.epoch,
            "index": self.index,
            "position": self.position,
            "skipped": self.skipped,
            "skip": [list(pair) for pair in self.skip],
            "ends": [list(end) for end in self.ends],
            "loader": loader,
            "epoch_start": epoch_start,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.call, self.epoch, self.index = int(state["call"]), int(state["epoch"]), int(state["index"])
        self.position, self.skipped = int(state["position"]), int(state["skipped"])
        self.skip = [(int(start), int(stop)) for start, stop in state["skip"]]
        self.ends = [list(end) for end in state.get("ends", [])]
        self.loader_state, self.epoch_start = state["loader"], state["epoch_start"]
        self.iterator, self.to_draw = None, 0

    def settle(self) -> None:
        """Find the restored place again; only now is the iterable known."""
        here = self.calls[self.call]
        if here.how == "state" and self.loader_state is not None:
            here.iterable.load_state_dict(self.loader_state)
            self.iterator = self.iterate(here, self.index) if self.index else None
            return
        if here.how == "index":
            self.iterator = self.iterate(here, self.index) if self.index else None
            return
        if self.epoch_start is not None:
            from dalsegno.core.store import generators

            generators.restore(self.epoch_start["global"])
            own = generators_of(here.iterable)
            for place, state in self.epoch_start["own"].items():
                if place in own:
                    self.set_generator(place, own[place], state)
        if self.index == 0:
            return
        self.tell_epoch(here)
        self.iterator = self.iterate(here, 0)
        self.draw_to_place()

    @staticmethod
    def set_generator(place: str, generator: Any, state: Any) -> None:
        if hasattr(generator, "set_state"):
            generator.set_state(state)
        else:
            load_into(place, generator, state)

    def draw_to_place(self) -> None:
        if hasattr(self.iterator, "__anext__"):
            self.to_draw = self.index  # by next_item_async, which can await
            return
        for drawn in range(self.index):
            if next(self.iterator, DONE) is DONE:
                raise UsageError(
                    f"the place to go on from is item {self.index} of epoch {self.epoch + 1}, and the iterable ended "
                    f"after {drawn}: it is shorter than it was"
                )

    def can_return(self) -> str | None:
        """Why this course cannot be gone back along in this program, or None if it can."""
        for number, call in enumerate(self.calls):
            if call.one_shot and call.how != "state":
                return (
                    f"call {number + 1} of attempt.over goes over a {type(call.iterable).__name__}, which can be gone "
                    "over once only; give the thing it is made from (a list, a loader, an object with __iter__)"
                )
        return None
