"""The writer of one run: everything that happens in it, in order, durable before it is acted upon."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dalsegno.core.errors import InUseError, JournalError, UsageError
from dalsegno.core.journal import blocks, owner
from dalsegno.core.journal.calls import CallRows
from dalsegno.core.journal.connection import Connection
from dalsegno.core.journal.lane import Lane
from dalsegno.core.journal.telemetry import Telemetry
from dalsegno.core.journal.values import dumps, loads

__all__ = ["Lane", "RunWriter", "dumps", "loads"]

FLUSH_SECONDS = 0.5
LEAVING_WAIT = 2.0  # seconds that a program which has to leave waits for a lock

SNAPSHOT = (
    "attempt",
    "branch",
    "step",
    "name",
    "kind",
    "label",
    "path",
    "bytes",
    "checksum",
    "value",
    "seconds",
    "changes",
)


class RunWriter(CallRows):
    """Writes one run as its only owner; every transaction first makes sure that it still is.

    What is called an event here (a decision, a snapshot, the beginning or end of an attempt or a call) is committed and
    fsynced when the method returns, together with all steps added before it.  Steps alone are written every half second,
    or when 4,096 of them have gathered; the loop waits for that, so a slow disk slows it down and fills no memory.

    Every method that writes raises :class:`JournalError` where the file stays locked, the disk is full or the file
    damaged, and :class:`InUseError` where another program has taken the run over.
    """

    def __init__(
        self,
        connection: Connection,
        path: Path | None,
        run: dict[str, Any],
        *,
        created: bool,
        number: int,
        lock: owner.Ownership | None = None,
        shown_path: str | None = None,
    ) -> None:
        self.connection, self.path, self.run, self.created, self.owner = connection, path, run, created, number
        self.lock, self.shown_path = lock, shown_path
        self.run_id: int = run["id"]
        self.uid: str = run["uid"]  # begins the names of this run's snapshots' folders
        self.identity: dict[str, Any] = loads(run["identity"])
        self.accepted = False
        self.former_identity: Mapping[str, Any] | None = None  # replaced when the run was taken up
        self.closed = False
        self.thread = threading.get_ident()
        self.telemetry = Telemetry(self.run_id, self.flush, keeps=path is not None)
        self.next_flush = -float("inf")
        self.sequence = self.last_sequence()
        self.run["root_seed"] = None if run["root_seed"] is None else int(run["root_seed"])
        self.run["outcome"] = loads(run["outcome"])

    @property
    def snapshots_path(self) -> Path | None:
        """The folder beside the journal that the snapshots of its runs lie in."""
        return None if self.path is None else Path(f"{self.path}.snapshots")

    def last_sequence(self) -> int:
        union = " UNION ALL ".join(
            f"SELECT max(sequence) AS newest FROM {table} WHERE run = ?"
            for table in ("attempts", "decisions", "snapshots")
        )
        ((newest,),) = self.connection.rows(f"SELECT max(newest) FROM ({union})", (self.run_id,) * 3)
        return newest or 0

    # -- writing ------------------------------------------------------------------------------------------------

    def event(self, sql: str, values: Sequence[Any] = (), *, durable: bool = True) -> int:
        """One statement and all steps before it, in one transaction; the id of the row, if it made one."""
        return self.write([(sql, values)], durable=durable)[0]

    def write(self, statements: Sequence[tuple[str, Sequence[Any]]], *, durable: bool = True) -> list[int]:
        """Several statements and all steps before them, in one transaction; the ids of the rows that they made."""
        made: list[int] = []
        with self.connection.transaction(durable=durable) as raw:
            self.check_owner(raw)
            self.telemetry.write(raw)
            for sql, values in statements:
                raw.execute(sql, values)
                made.append(self.connection.last_id())
        self.telemetry.written()
        return made

    def check_owner(self, raw: Any) -> None:
        found = raw.execute("SELECT owner FROM runs WHERE id = ?", (self.run_id,)).fetchone()
        if found is None:
            raise JournalError(f"run {self.run_id} was deleted from {self.connection.name} while it was running")
        if found[0] != self.owner:
            raise InUseError(
                f"run {self.run_id} in {self.connection.name} was taken over by another program while this one stood "
                "still: this one writes nothing more"
            )

    def lane(self, attempt_id: int, branch_id: int) -> Lane:
        """Where the steps of a branch are added: ``lane(...).add((step, seconds, report))``."""
        return self.telemetry.lane(attempt_id, branch_id)

    def tick(self, now: float) -> None:
        """Write what has gathered if half a second has passed by the loop's monotonic clock."""
        if now >= self.next_flush:
            self.flush()
            self.next_flush = now + FLUSH_SECONDS

    def flush(self) -> None:
        """Write what has gathered."""
        if self.telemetry.waiting:
            self.write([])

    def add_paid(self, *, seconds: float = 0.0, steps: int = 0, cost: Mapping[str, float] | None = None) -> None:
        """What was really done, redone work included; written with the next rows."""
        self.telemetry.add_paid(seconds, steps, cost or {})

    def paid(self) -> dict[str, float]:
        """What was really paid so far: ``seconds``, ``steps`` and every unit of cost."""
        self.flush()
        sql = "SELECT paid_seconds, paid_steps, paid_cost FROM runs WHERE id = ?"
        ((seconds, steps, cost),) = self.connection.rows(sql, (self.run_id,))
        return {"seconds": seconds, "steps": steps, **loads(cost)}

    # -- the run ------------------------------------------------------------------------------------------------

    def set_root_seed(self, seed: int) -> None:
        """Keep the seed that was drawn, or given, when the run was first begun."""
        if self.run["root_seed"] is None:
            self.event("UPDATE runs SET root_seed = ? WHERE id = ?", (str(seed), self.run_id))
            self.run["root_seed"] = seed

    def set_identity(self, identity: Mapping[str, Any]) -> None:
        """Replace what the run is compared by."""
        self.event("UPDATE runs SET identity = ? WHERE id = ?", (dumps(dict(identity)), self.run_id))
        self.identity = dict(identity)

    def end_run(self, *, state: str, outcome: Mapping[str, Any]) -> None:
        """The run is over: ``state`` says how, ``outcome`` is what every later call returns."""
        self.event(
            "UPDATE runs SET state = ?, outcome = ?, verdict = ?, ended = ? WHERE id = ?",
            (state, dumps(dict(outcome)), outcome.get("verdict"), time.time(), self.run_id),
        )
        self.run["state"], self.run["outcome"] = state, dict(outcome)

    def reopen_run(self) -> None:
        """An ended run goes on."""
        self.event("UPDATE runs SET state = 'open', ended = NULL WHERE id = ?", (self.run_id,))
        self.run["state"] = "open"

    # -- attempts and branches ----------------------------------------------------------------------------------

    def begin_attempt(
        self,
        number: int,
        seed: int,
        origin: Mapping[str, Any],
        *,
        started_from: int | None,
        verified: bool | None,
        propensity: float = 1.0,
    ) -> int:
        """A new attempt, numbered from 1; ``started_from`` is the id of the snapshot it begins from."""
        self.sequence += 1
        return self.event(
            "INSERT INTO attempts (run, sequence, number, seed, origin, started_from, verified, propensity, state, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', ?)",
            (
                *(self.run_id, self.sequence, number, str(seed), dumps(dict(origin)), started_from, verified),
                *(propensity, time.time()),
            ),
            durable=False,
        )

    def begin_branch(
        self, attempt_id: int, number: int, parent: int | None, from_step: int, cause: str, decision: int | None
    ) -> int:
        """A new branch of an attempt: its parent's steps after ``from_step`` are abandoned."""
        values = (attempt_id, number, parent, from_step, cause, decision)
        return self.event(BRANCH, (self.run_id, *values), durable=False)

    def branches_of(self, attempt_id: int) -> list[dict[str, Any]]:
        return self.connection.dicts("SELECT * FROM branches WHERE attempt = ? ORDER BY number", (attempt_id,))

    def attempt_row(self, number: int) -> int | None:
        """The id of the run's attempt of this number, if it has a row."""
        found = self.connection.rows("SELECT id FROM attempts WHERE run = ? AND number = ?", (self.run_id, number))
        return int(found[0][0]) if found else None

    def end_attempt(
        self,
        attempt_id: int,
        *,
        state: str,
        censored: bool,
        steps: int,
        seconds: float,
        cost: Mapping[str, float],
        value: float | None,
        best_step: int | None,
        failure: Mapping[str, Any] | None,
        returned: object = None,
        reset_seconds: float = 0.0,
        paid: Mapping[str, float] | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """The honest record of an attempt; ``summary`` is what later attempts' rules are told of it."""
        self.event(
            "UPDATE attempts SET state = ?, censored = ?, steps = ?, seconds = ?, cost = ?, paid = ?, value = ?,"
            " best_step = ?, failure = ?, returned = ?, reset_seconds = ?, summary = ?, ended = ? WHERE id = ?",
            (
                *(state, censored, steps, seconds, dumps(dict(cost)), dumps(dict(paid or {})), value, best_step),
                *(None if failure is None else dumps(dict(failure)), dumps(returned), reset_seconds),
                *(None if summary is None else dumps(dict(summary)), time.time(), attempt_id),
            ),
            durable=False,
        )

    def ensure_ended(self, attempt_id: int, state: str) -> None:
        """An attempt whose end was decided and not written before the program died."""
        self.event(
            "UPDATE attempts SET state = ?, censored = 1, ended = ? WHERE id = ? AND state = 'open'",
            (state, time.time(), attempt_id),
        )

    def reopen_attempt(self, attempt_id: int) -> None:
        """An interrupted attempt that goes on is one record."""
        self.event("UPDATE attempts SET state = 'open', censored = NULL, ended = NULL WHERE id = ?", (attempt_id,))

    def summary(self, attempt_id: int) -> Any:
        """What :meth:`end_attempt` was given as ``summary``."""
        ((text,),) = self.connection.rows("SELECT summary FROM attempts WHERE id = ?", (attempt_id,))
        return loads(text)

    def summaries(self) -> list[dict[str, Any]]:
        sql = "SELECT summary FROM attempts WHERE run = ? AND summary IS NOT NULL ORDER BY number"
        return [loads(text) for (text,) in self.connection.rows(sql, (self.run_id,))]

    # -- decisions and snapshots --------------------------------------------------------------------------------

    def decision(
        self,
        *,
        attempt: int,
        branch: int,
        step: int,
        rule: str,
        action: Mapping[str, Any],
        saw: object,
        state: object,
        seconds: float,
        new_branch: tuple[int, int] | None = None,
    ) -> int:
        """A decision with the machine's state after it, and all steps before it; its id.

        ``action`` has at least a ``verb``; ``new_branch`` is the number and the first step of a branch that the decision
        begins, in the same transaction.
        """
        self.sequence += 1
        statements: list[tuple[str, Sequence[Any]]] = [
            (
                "INSERT INTO decisions (run, sequence, attempt, branch, step, verb, rule, action, saw, state, seconds, taken)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self.run_id, self.sequence, attempt, branch, step, action["verb"], rule, dumps(dict(action))),
                    *(dumps(saw), dumps(state), seconds, time.time()),
                ),
            )
        ]
        if new_branch is not None:
            number, from_step = new_branch
            sql = BRANCH.replace("?)", "last_insert_rowid())")
            statements.append((sql, (self.run_id, attempt, number, branch, from_step, action["verb"])))
        return self.write(statements)[0]

    def supersede(self, decisions: Sequence[int]) -> None:
        """Mark journaled decisions that redone steps did not reach."""
        self.write([("UPDATE decisions SET superseded = 1 WHERE id = ?", (decision,)) for decision in decisions])

    def snapshot(self, *, metrics: Mapping[str, float], logical: Mapping[str, Any], **row: Any) -> int:
        """Acknowledge a snapshot that is durable in the store, with all steps before it; its id.

        ``path`` is relative to the folder of the snapshots; ``logical`` is what the run has cost so far.
        """
        if unknown := set(row) ^ set(SNAPSHOT):
            raise UsageError(f"snapshot(...): these arguments are missing or unknown: {', '.join(sorted(unknown))}")
        if os.path.isabs(row["path"]):
            raise UsageError(f"snapshot(path={row['path']!r}): expected a path relative to {self.snapshots_path}")
        self.sequence += 1
        return self.event(
            f"INSERT INTO snapshots (run, sequence, saved, metrics, logical, {', '.join(SNAPSHOT)})"
            f" VALUES (?, ?, ?, ?, ?{', ?' * len(SNAPSHOT)})",
            (
                *(self.run_id, self.sequence, time.time(), dumps(dict(metrics)), dumps(dict(logical))),
                *(row[name] for name in SNAPSHOT),
            ),
        )

    def mark_snapshot(self, snapshot_id: int, *, state: str, why: str | None = None) -> None:
        """``ok``, ``damaged``, ``missing`` (it may be put back) or ``removed``."""
        self.event("UPDATE snapshots SET state = ?, why = ? WHERE id = ?", (state, why, snapshot_id))

    # -- what was written, for taking a run up ------------------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """Attempts, decisions and snapshots in journal order; superseded decisions are left out."""
        from dalsegno.core.journal.history import events

        return events(self.connection, self.run_id)

    def read_rows(self, attempt_id: int, branch_id: int, after_step: int) -> Iterator[blocks.Row]:
        """The journaled steps of one branch itself, after a step; a block at a time is in memory."""
        where = "attempt = ? AND branch = ? AND last_step > ?"
        for row in self.block_rows(where, (attempt_id, branch_id, after_step), "first_step, id"):
            if row[1] > after_step:
                yield row

    def run_rows(self) -> Iterator[blocks.Row]:
        """Every journaled step of the run, abandoned ones too."""
        return self.block_rows("run = ?", (self.run_id,), "id")

    def block_rows(self, where: str, values: Sequence[Any], order: str) -> Iterator[blocks.Row]:
        for (block,) in self.connection.rows(f"SELECT id FROM blocks WHERE {where} ORDER BY {order}", values):
            sql = "SELECT id, first_step, count, columns, data FROM blocks WHERE id = ?"
            (found,) = self.connection.rows(sql, (block,))
            yield from blocks.unpack(*found)

    # -- leaving ------------------------------------------------------------------------------------------------

    def hung(self, attempt_id: int, message: str) -> None:
        """A step does not return; from a watchdog's thread, whose program is about to leave, or from the run's own."""
        failure = dumps({"types": ["Hung"], "message": message, "traceback": ""})
        sql = "UPDATE attempts SET failure = ?, state = 'hung' WHERE id = ?"
        if threading.get_ident() == self.thread:
            self.event(sql, (failure, attempt_id))
        elif self.path is not None:  # the run's thread may be inside its own connection
            other = Connection(self.path, wait=LEAVING_WAIT)
            with other.transaction() as raw:
                self.check_owner(raw)
                self.telemetry.write(raw)
                raw.execute(sql, (failure, attempt_id))

    def close(self) -> None:
        """Write what has gathered and let go of the run; closing again does nothing."""
        if self.closed:
            return
        self.closed = True
        try:
            if self.path is not None and self.connection.pid == os.getpid():
                sql = "UPDATE owners SET ended = ? WHERE run = ? AND number = ?"
                self.event(sql, (time.time(), self.run_id, self.owner))
        except InUseError:
            pass  # the run is another program's by now, and so is its record
        finally:
            if self.path is not None:
                self.connection.close()
            if self.lock is not None:
                owner.release(self.lock)


BRANCH = "INSERT INTO branches (run, attempt, number, parent, from_step, cause, decision) VALUES (?, ?, ?, ?, ?, ?, ?)"
