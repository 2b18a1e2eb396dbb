"""Saving: snapshots are written, acknowledged in the journal, and thinned out, in that order."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core import events
from dalsegno.core.errors import MissingSnapshotError, SnapshotError
from dalsegno.core.ledger import Held, best_of

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


class Saver:
    """Takes the snapshots of one run and keeps those that its policy promises."""

    def __init__(self, conductor: Conductor, store: Any, keep: Any) -> None:
        self.conductor = conductor
        self.store = store
        self.keep = keep
        self.label: str | None = None  # asked for by name, to be saved at the next boundary
        self.count = 0
        self.bytes = 0  # of the newest snapshot

    def save(self, kind: str, label: str | None = None) -> Held:
        """Save the state at this boundary; it counts once its row is in the journal."""
        conductor = self.conductor
        machine, journal = conductor.machine, conductor.journal
        attempt = machine.trace.attempt
        begun = time.perf_counter()
        if conductor.counts_skipped:
            machine.skipped = conductor.subject.process.skipped  # type: ignore[attr-defined]
        self.count += 1
        name = f"a{attempt.number}-b{conductor.branch_number}-s{attempt.steps}-{conductor.writer_number}.{self.count}"
        from dalsegno.core.store import generators

        with self.store.begin(attempt.steps, name=name) as writer:
            writer.put("process", conductor.subject.save())
            writer.put("engine", machine.state())
            writer.put("generators", generators.capture())
            manifest = writer.commit()
        took = time.perf_counter() - begun
        self.bytes = manifest.bytes
        metrics = {metric: figures.last for metric, figures in attempt.metrics.items()}
        metrics.update(machine.trace.metrics)
        value = machine.trace.report.value if kind != "reset" else None
        changes = len(machine.changes)
        row = journal.snapshot(
            attempt=conductor.attempt_id,
            branch=conductor.branch_id,
            step=attempt.steps,
            name=name,
            kind=kind,
            label=label,
            path=name,
            bytes=manifest.bytes,
            checksum=manifest.checksum,
            metrics=metrics,
            value=value,
            seconds=took,
            changes=changes,
            logical={
                "steps": machine.trace.steps,
                "seconds": machine.trace.seconds,
                "cost": dict(machine.trace.cost),
                **({"skipped": machine.skipped} if machine.skipped else {}),
            },
        )
        entry = Held(
            row,
            attempt.number,
            conductor.branch_id,
            attempt.steps,
            journal.sequence,
            name,
            kind,
            label,
            manifest.checksum,
            metrics,
            value,
            changes,
            skipped=machine.skipped or 0,
        )
        machine.snapshot_saved(entry, took)
        conductor.stream.send(
            events.SnapshotSaved(row, attempt.number, attempt.steps, name, kind, manifest.bytes, took)
        )
        self.thin_out()
        return entry

    def thin_out(self) -> None:
        """Remove what the policy does not promise to keep, now that the newer one is durable."""
        machine = self.conductor.machine
        on_line = [entry for entry in machine.ledger if not entry.abandoned]
        kept = set(self.keep.keep(on_line, self.protected(on_line)))
        for entry in list(machine.ledger):
            if entry.id in kept or not entry.sound or (entry.abandoned and entry.label):
                continue
            self.conductor.journal.mark_snapshot(entry.id, state="removed")
            self.store.remove(entry.name)
            machine.ledger.remove(entry)

    def protected(self, on_line: Sequence[Held]) -> Collection[int]:
        """What a running attempt began from, what a rule may return to by a metric, and what the plan restores."""
        conductor = self.conductor
        protected = {conductor.began_from} if conductor.began_from is not None else set()
        for metric, mode in conductor.promised_best:
            best = best_of((entry for entry in on_line if entry.sound), metric, mode)
            if best is not None:
                protected.add(best.id)
        return protected

    def open(self, entry: Held) -> Any:
        """A reader of a snapshot every byte of which is sound, or None once it has been said what is wrong, and noted."""
        try:
            reader = self.store.open(entry.name, entry.checksum)
            reader.verify()
            return reader
        except MissingSnapshotError as error:
            entry.sound = False
            self.conductor.journal.mark_snapshot(entry.id, state="missing", why=str(error))  # it may be put back
            self.conductor.warn(f"snapshot of step {entry.step} is passed over: {error}")
            return None
        except SnapshotError as error:
            entry.sound = False
            self.conductor.journal.mark_snapshot(entry.id, state="damaged", why=str(error))
            self.conductor.warn(f"snapshot of step {entry.step} is damaged and is passed over: {error}")
            return None

    def revive(self) -> bool:
        """Look once more at the snapshots that were found missing or damaged; whether one of them is sound after all."""
        revived = False
        for entry in [one for one in self.conductor.machine.ledger if not one.sound]:
            try:
                self.store.open(entry.name, entry.checksum).verify()
            except SnapshotError:
                continue
            entry.sound = revived = True
            self.conductor.journal.mark_snapshot(entry.id, state="ok")
        return revived
