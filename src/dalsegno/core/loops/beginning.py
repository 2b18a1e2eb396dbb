"""Beginning: an attempt gets its number, seed and rows, the process is reset, and its first state is put back or saved."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from dalsegno.core import events
from dalsegno.core.answering import origin_snapshot
from dalsegno.core.errors import SnapshotError
from dalsegno.core.ledger import Held
from dalsegno.core.loops.landing import land
from dalsegno.core.loops.probing import SMALL, round_trip
from dalsegno.core.process import Origin
from dalsegno.core.seeds import attempt_seed
from dalsegno.core.trace import Attempt

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


def begin(conductor: Conductor) -> Attempt | None:
    """Begin or take up the next attempt; None when the run is over. The loop resets the process next."""
    if conductor.result is not None:
        return None
    conductor.last = perf_counter()
    conductor.is_ready, conductor.is_whole = False, True
    if conductor.landing is not None:
        return conductor.machine.trace.attempt
    assert conductor.next_attempt is not None
    origin, held = conductor.next_attempt
    if held is not None:
        held = sound_origin(conductor, origin, held)
        conductor.next_attempt = (origin, held)
    number, seed = next_in_line(conductor)
    if conductor.attempt_id == 0 or conductor.attempt_number_of_row != number:
        begin_rows(conductor, number, seed, origin, held)
    conductor.began_from = None if held is None else held.id
    from dalsegno.core.store import generators

    generators.seed(seed)
    return Attempt(number, seed, origin)


def sound_origin(conductor: Conductor, origin: Origin, held: Held) -> Held:
    """The snapshot that the attempt begins from: where it is damaged, another one that its origin may mean."""
    chosen: Held | None = held
    while chosen is not None and conductor.saver is not None:
        conductor.origin_reader = conductor.saver.open(chosen)
        if conductor.origin_reader is not None:
            return chosen
        chosen = origin_snapshot(conductor.machine, origin) or origin_snapshot(conductor.machine, Origin.at("last"))
        if chosen is not None:
            conductor.warn(
                f"snapshot {held.name}, which an attempt was to begin from, is damaged: it begins from {chosen.name}"
            )
    raise SnapshotError(
        f"snapshot {held.name}, which this attempt was to begin from, is damaged, and there is no other"
    )


def next_in_line(conductor: Conductor) -> tuple[int, int]:
    """The number and the seed of the attempt after those that have begun."""
    number = conductor.machine.trace.begun + 1
    return number, attempt_seed(conductor.root_seed, number)


def begin_rows(conductor: Conductor, number: int, seed: int, origin: Origin, held: Held | None) -> None:
    """The journal's rows of a new attempt and its first branch; ``held`` is the snapshot that it begins from."""
    conductor.attempt_id = conductor.journal.begin_attempt(
        number,
        seed,
        origin.to_dict(),
        started_from=None if held is None else held.id,
        verified=held is not None,
    )
    begun_at = 0 if held is None else held.step
    conductor.branch_id = conductor.journal.begin_branch(conductor.attempt_id, 0, None, begun_at, "start", None)
    conductor.branch_number = 0
    conductor.attempt_number_of_row = number


def make_ready(conductor: Conductor) -> None:
    """The process has been reset: put back what there is to put back, or save this first state."""
    now = perf_counter()
    conductor.is_ready = True
    process = getattr(conductor.subject, "process", None)
    conductor.counts_skipped = callable(getattr(process, "skip", None)) and hasattr(process, "skipped")
    if conductor.landing is None:
        start(conductor, now)
    else:
        if conductor.landing.step > 0:  # calls replayed on the way here were charged when they were made
            conductor.step_costs = {}
            conductor.call_costs.clear()
        land(conductor, conductor.landing)
        conductor.landing = None
        conductor.open_lane()
        if conductor.saver is not None and conductor.redo is None and not has_own_snapshot(conductor):
            # A new attempt that begins from another one's snapshot: its reset took time, and it has to have one of its own.
            conductor.reset_seconds = conductor.machine.reset_seconds = now - conductor.last
            conductor.machine.pass_time(conductor.reset_seconds)
            conductor.saver.save("reset")
        attempt = conductor.machine.trace.attempt
        conductor.stream.send(events.AttemptStarted(attempt.number, attempt.steps, "resumed", True))
    conductor.last = perf_counter()
    conductor.plan_attention(conductor.last)


def start(conductor: Conductor, now: float) -> None:
    """Start the next attempt in the machine, from the snapshot that it begins from or from the reset process."""
    assert conductor.next_attempt is not None
    origin, held = conductor.next_attempt
    machine, saver = conductor.machine, conductor.saver
    _, seed = next_in_line(conductor)
    if held is not None and saver is not None:
        conductor.subject.load(conductor.origin_reader.get("process"))
        from dalsegno.core.store import generators

        generators.seed(seed)  # not those of the snapshot: another attempt from it is to go another way
    conductor.reset_seconds = now - conductor.last
    machine.start(seed, origin, seconds=conductor.reset_seconds, base=0 if held is None else held.step)
    conductor.next_attempt = None
    conductor.open_lane()
    conductor.stream.send(events.AttemptStarted(machine.trace.begun, machine.trace.attempt.steps, origin.kind))
    if saver is not None and not has_own_snapshot(conductor):
        saver.save("reset")
        if held is None:
            probe(conductor, saver.bytes)


def has_own_snapshot(conductor: Conductor) -> bool:
    number = conductor.machine.trace.attempt.number
    return any(entry.attempt == number and entry.sound for entry in conductor.machine.ledger)


def probe(conductor: Conductor, size: int) -> None:
    """Try a save, load, save round trip at the first snapshot of a journaled run, if the state is small."""
    if conductor.journaled and conductor.machine.trace.begun == 1 and size <= SMALL:
        from dalsegno.core.store import generators

        conductor.first_generators = generators.capture()
        round_trip(conductor)
        conductor.probing = True


def start_failed(conductor: Conductor) -> None:
    """The process could not even be reset: the attempt counts as begun, so that it can fail."""
    conductor.is_ready, conductor.is_whole = True, False
    if conductor.landing is not None:
        conductor.landing = None
        return
    assert conductor.next_attempt is not None
    origin, _ = conductor.next_attempt
    now = perf_counter()
    conductor.reset_seconds, conductor.last = now - conductor.last, now
    _, seed = next_in_line(conductor)
    conductor.machine.start(seed, origin, seconds=conductor.reset_seconds)
    conductor.next_attempt = None
    conductor.open_lane()
