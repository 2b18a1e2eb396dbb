"""The attempt that a user's own loop is handed: what it keeps, what it goes over, what its steps report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dalsegno.core.actions import Stop
from dalsegno.core.errors import BOOKKEEPING, SnapshotError, UsageError
from dalsegno.core.loops.beginning import begin, make_ready, start_failed
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.loops.course import Course
from dalsegno.core.loops.ending import final_state
from dalsegno.core.loops.instructions import AGAIN, ENDED, Instruction
from dalsegno.core.loops.judging import answer
from dalsegno.core.loops.over import Over, Step
from dalsegno.core.once import call_once, call_once_async
from dalsegno.core.report import Failure, Report, check_cost
from dalsegno.core.seeds import attempt_seed
from dalsegno.core.subject import load_into, state_of


class Attempt:
    """One attempt of a user's loop. Handed to ``train(attempt)``, and by ``for attempt in ds.attempts(...)``.

    ``number`` counts from 1, ``seed`` is this attempt's own, ``origin`` is where it begins and ``prior`` what a warm
    start hands over; ``kept`` maps the kept names to their objects; ``ended`` says why the attempt is over, or is None.
    """

    def __init__(self, conductor: Conductor) -> None:
        self.conductor = conductor
        self.kept: dict[str, Any] = {}
        self.course = Course()
        self.ended: str | None = None
        self.pending: Report | None = None
        self.unfinished = False  # an item was handed out whose step has not been closed yet
        self.kept_late: list[str] = []  # kept since then
        self.loop = 0  # the call of over that handed it out
        self.failure: Failure | None = None
        self.unclaimed: dict[str, Any] = {}
        self.last_only = False  # the run is over: code runs once more to have its final state, without a step
        self.gone_back_outside = False
        self.passed = False  # a loop that was finished before has been passed over, in order to arrive at a later one
        self.between: tuple[int, int] | None = None  # branch and step at which the loop passed over last had ended
        self.from_engine: BaseException | None = None  # raised by the engine, or by what it calls, and not by the body
        begun = begin(conductor) if conductor.result is None else None
        source = begun if begun is not None else conductor.machine.trace.attempt
        self.number, self.seed, self.origin = source.number, source.seed, source.origin
        conductor.subject = self
        self.claim(conductor.landing.state if conductor.landing is not None else self.origin_state())

    def origin_state(self) -> dict[str, Any] | None:
        """The state that a snapshot or prefix hands to a new attempt."""
        conductor = self.conductor
        if conductor.next_attempt is None or conductor.next_attempt[1] is None or conductor.origin_reader is None:
            return None
        state: dict[str, Any] = conductor.origin_reader.get("process")
        return state

    def claim(self, state: dict[str, Any] | None) -> None:
        """Hold a saved state ready for the pieces that are about to be kept."""
        self.arriving = state is not None
        self.unclaimed = dict(state["kept"]) if state is not None else {}

    @property
    def prior(self) -> Any:
        return self.origin.prior

    @property
    def rank_seed(self) -> int:
        """A seed of this attempt that differs from rank to rank in a group of programs (``RANK``)."""
        import os

        return attempt_seed(self.conductor.root_seed, self.number, "rank", int(os.environ.get("RANK", "0")))

    @property
    def step(self) -> int:
        """The number of the last finished step."""
        return self.conductor.machine.trace.attempt.steps

    # -- the engine's side: what is saved and changed -----------------------------------------------------------

    @property
    def target(self) -> Any:
        return self.kept

    def save(self) -> dict[str, Any]:
        pieces = {name: state_of(name, piece) for name, piece in self.kept.items()}
        return {"kept": pieces, "course": self.course.save()}

    def load(self, state: dict[str, Any]) -> None:
        pieces = state["kept"]
        if self.conductor.is_ready and self.arriving:
            self.refuse_mismatch()
            self.arriving = False
        for name, piece in self.kept.items():  # where they were restored by keep, again: code in between is to be void
            if name not in pieces:
                raise SnapshotError(f"{name!r} was kept after that snapshot was taken: it cannot be put back")
            load_into(name, piece, pieces[name])
        self.course.load(state["course"])
        self.conductor.machine.skipped = self.course.skipped
        if self.course.call < len(self.course.calls):
            self.course.settle()

    def skip(self, start: int, stop: int) -> None:
        self.course.skip.append((start, stop))

    def can_return(self) -> str | None:
        return self.course.can_return()

    def refuse_mismatch(self) -> None:
        """A kept name that the snapshot lacks, or a piece in it that nobody claimed, is refused."""
        if self.unclaimed:
            names = ", ".join(repr(name) for name in self.unclaimed)
            raise SnapshotError(
                f"the snapshot holds {names}, which this program has not kept before attempt.over: keep the same names "
                "as the program that saved it, or begin anew with fresh=True"
            )

    # -- the user's side ----------------------------------------------------------------------------------------

    def keep(self, **pieces: Any) -> None:
        """Name what belongs to the state of this attempt; restored at once when there is something to restore.

        A piece is an object with ``state_dict`` and ``load_state_dict`` (a model, an optimizer, a scheduler), an array
        or tensor, a dict, list or set (changed in place), or a random generator.
        """
        for name, piece in pieces.items():
            try:
                self.keep_one(name, piece)
            except Exception as error:
                self.from_engine = error
                raise

    def keep_one(self, name: str, piece: Any) -> None:
        if self.unfinished and name not in self.kept:
            self.kept_late.append(name)  # fine after a break; in the loop's body it is refused at the next item
        if name in self.kept and self.kept[name] is not piece:
            raise UsageError(f"attempt.keep({name}=...): this name already stands for another object")
        if self.arriving and name not in self.kept:
            if name not in self.unclaimed:
                raise SnapshotError(
                    f"attempt.keep({name}=...): the snapshot to go on from has no {name!r} "
                    f"(it has {', '.join(sorted(self.unclaimed)) or 'nothing more'})"
                )
            load_into(name, piece, self.unclaimed.pop(name))
        else:
            state_of(name, piece)  # refused now, and not at the first save
        self.kept[name] = piece

    def over(self, iterable: Any, epochs: int | None = None) -> Over:
        """Go over ``iterable``, each item with its step: ``for step, batch in attempt.over(loader, epochs=3)``.

        Goes back with a roll back and goes on after a kill: by index for a sequence, by the iterable's own
        ``state_dict``, or by counting from its start; ``attempt.course.calls[-1].how`` says which.  Without ``epochs`` the
        k-th call in a program is epoch k, and finished epochs yield nothing.  Decisions fall when the next item is asked
        for; after a restart or a stop the loop just ends and ``attempt.ended`` says why. A loop may be left with ``break`` and
        another one begun; two at a time are refused.
        """
        return Over(self, self.course.add(iterable, epochs))

    def report(
        self,
        *,
        value: float | None = None,
        status: str = "running",
        cost: Mapping[str, float] | None = None,
        **metrics: float,
    ) -> None:
        """Record what the current step tells; see :meth:`Step.report`."""
        if cost:
            cost = dict(cost)
            check_cost(cost)
        pending = self.pending
        if pending is None:
            self.pending = Report(metrics, dict(cost) if cost else {}, status, value)
            return
        pending.metrics.update(metrics)
        for unit, amount in (cost or {}).items():
            pending.cost[unit] = pending.cost.get(unit, 0.0) + amount
        if status != "running":
            pending.status = status
        if value is not None:
            pending.value = value

    def fail(self, reason: str) -> None:
        """This attempt has failed, for ``reason``; the loop ends at its next item and the rules are asked."""
        self.failure = Failure((), reason)

    def snapshot(self, name: str) -> None:
        """Save a snapshot under a name at the next boundary; it is never removed by retention."""
        if self.conductor.saver is None:
            raise UsageError("attempt.snapshot(...): this run has no snapshots; give it a journal or a checkpoint=")
        self.conductor.saver.label = name
        self.conductor.call_attention()

    def once(self, key: str, function: Callable[..., Any], **options: Any) -> Any:
        """A costly call at most once for this place in the run; see :func:`dalsegno.once`."""
        return call_once(self.conductor, key, function, **options)

    async def once_async(self, key: str, function: Callable[..., Any], **options: Any) -> Any:
        """The same for a coroutine function."""
        return await call_once_async(self.conductor, key, function, **options)

    def seed_for(self, purpose: str) -> int:
        """A seed of this attempt for a purpose of its own, independent of all others."""
        return attempt_seed(self.conductor.root_seed, self.number, purpose)

    # -- steps --------------------------------------------------------------------------------------------------

    def arrive(self, call: int) -> bool:
        """Before the first item: the pieces are kept, so the state can be put back or saved. False if nothing is left."""
        conductor = self.conductor
        if conductor.is_ready:
            return True
        landing = conductor.landing
        state = landing.state if landing is not None else self.origin_state()
        if state is not None and call < int(state["course"]["call"]):
            self.passed = True
            ends = state["course"].get("ends", [])
            self.between = tuple(ends[call]) if call < len(ends) and ends[call] else self.between
            return False  # an epoch that was finished before
        self.between = None
        if self.passed:  # what was said between the loops that were passed over was told the first time
            self.pending, self.failure = None, None
        if landing is not None or state is not None:
            conductor.is_ready = True
        make_ready(conductor)
        why = self.course.can_return()
        if why is not None and any(
            type(bound.rule.action).__name__ == "RollBack" for bound in conductor.machine.folds if bound.rule
        ):
            raise UsageError(f"there is a roll back rule, and {why}")
        return True

    def show_once_more(self, call: int) -> None:
        """Where a run that is over is shown once more: code between its loops has run again, and is to be void."""
        if not self.last_only:
            return
        state = final_state(self.conductor)
        ends = state["course"].get("ends", []) if state is not None else []
        self.between = tuple(ends[call]) if call < len(ends) and ends[call] else self.between
        for name, piece in self.kept.items() if state is not None else ():
            if name in state["kept"]:  # type: ignore[index]
                load_into(name, piece, state["kept"][name])  # type: ignore[index]

    def next_boundary(self, call: int) -> Any:
        """The boundary before the next item of loop ``call``: an earlier loop that was left is behind from here on."""
        if self.unfinished and self.loop != call:
            self.course.leave_for(call)
            self.note_end_of(self.loop, 1)
        elif self.kept_late:
            raise UsageError(
                f"attempt.keep({self.kept_late[0]}=...) in the body of a loop: a program that resumes in this loop would find "
                "in its snapshot what it has not kept yet. Keep it before the loop"
            )
        return self.close_step()

    def note_end_of(self, loop: int, open_steps: int = 0) -> None:
        """Remember where a loop ended, for the calls that are made between it and the next."""
        self.course.note_end(loop, self.conductor.branch_id, self.step + open_steps + 1)

    def close_step(self) -> Any:
        """The boundary after an item: what the step reported goes to the engine."""
        if not self.unfinished:
            return self.fail_now() if self.failure is not None else None
        self.unfinished = False
        if self.failure is not None:
            self.pending = None
            return self.fail_now()
        report, self.pending = self.pending, None
        return self.conductor.boundary(report if report is not None else Report())

    def fail_now(self) -> Any:
        failure, self.failure = self.failure, None
        assert failure is not None
        return self.conductor.end_by(failure, None)

    def obey(self, instruction: Instruction | None) -> bool:
        """Whether the loop goes on."""
        if instruction is ENDED:
            self.end()
            return False
        if instruction is AGAIN and self.conductor.landing is not None:
            self.gone_back_outside = True
            self.ended = "gone back"
            return False
        return True

    def end(self) -> None:
        decision = self.conductor.last_decision
        self.ended = decision.reason if decision is not None else "ended"

    def hand_out(self, item: Any, loop: int) -> tuple[Step, Any]:
        self.unfinished, self.loop = True, loop
        self.kept_late.clear()
        self.conductor.machine.skipped = self.course.skipped
        step = Step(self.conductor.machine.trace.attempt.steps + 1)
        step.attempt = self
        return step, item

    def finish_body(self, returned: Any) -> Any:
        """The body has ended by itself; returns what the engine made of it."""
        if self.ended is not None:
            return AGAIN if self.gone_back_outside else ENDED
        if not self.conductor.is_ready:
            make_ready(self.conductor)
        if self.unfinished:
            self.course.leave_for(len(self.course.calls))  # with a break: a program that resumes here has no item left
        instruction = answer(self.conductor, self.close_step())
        if instruction is None:
            if self.pending is not None:
                report, self.pending = self.pending, None
                instruction = answer(self.conductor, self.conductor.boundary(report))
            if instruction is None and self.conductor.machine.trace.attempt.status == "running":
                self.conductor.at_end = True
                instruction = answer(self.conductor, self.conductor.body_ended(returned))
                self.conductor.at_end = False
        if instruction is ENDED:
            self.end()
        return instruction

    def body_failed(self, error: Exception) -> Any:
        """The body raised; returns what the engine made of it, or raises the same exception."""
        self.pending, self.unfinished = None, False
        over = self.ended is not None or self.conductor.result is not None
        if over or error is self.from_engine or isinstance(error, BOOKKEEPING):
            raise error
        if not self.conductor.is_ready:
            if self.conductor.landing is not None or isinstance(error, UsageError):
                raise error
            start_failed(self.conductor)
        instruction = answer(self.conductor, self.conductor.failed(error))
        if instruction is ENDED:
            self.end()
        return instruction

    def ended_by_stop(self) -> bool:
        decision = self.conductor.last_decision
        return decision is not None and isinstance(decision.action, Stop)
