"""The writer of one run: everything that happens in it, in order, durable before it is acted upon."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import InUseError, JournalError
from dalsegno.core.journal import blocks, owner
from dalsegno.core.journal.connection import Connection

if TYPE_CHECKING:
    from dalsegno.core.report import Report

FLUSH_SECONDS = 0.5
FLUSH_ROWS = 4096


def dumps(value: object) -> str:
    from dalsegno.core.store.codec import dumps as encode

    return encode(value)


def loads(text: str | None) -> Any:
    from dalsegno.core.store.codec import loads as decode

    return None if text is None else decode(text)


@dataclass(slots=True)
class Call:
    """A costly call as the journal knows it: ``new``, ``in flight`` when a program died in it, or ``done``."""

    id: int
    state: str
    idempotency_key: str
    inputs_hash: str
    value: Any = None
    cost: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)


class Lane:
    """The steps of one branch on their way into the journal; added to a buffer, written in blocks."""

    __slots__ = ("add", "attempt", "branch", "rows")

    def __init__(self, attempt: int, branch: int) -> None:
        self.attempt, self.branch = attempt, branch
        self.rows: list[tuple[int, float, Report]] = []
        self.add = self.rows.append  # of (step, seconds, report)

    def add_row(self, row: blocks.Row) -> None:
        """Add a row that was unpacked elsewhere (a worker's)."""
        from dalsegno.core.report import Report

        self.rows.append((row[1], row[2], Report(row[3], row[4], row[5], row[6])))


class RunWriter:
    """Writes one run, as its only owner; every transaction first makes sure that it still is."""

    def __init__(
        self, connection: Connection, path: Path | None, run: dict[str, Any], created: bool, number: int
    ) -> None:
        self.connection, self.path, self.run, self.created, self.owner = connection, path, run, created, number
        self.run_id: int = run["id"]
        self.uid: str = run["uid"]
        self.identity: dict[str, Any] = loads(run["identity"])
        self.accepted = False
        self.lanes: list[Lane] = []
        self.buffered = 0
        self.next_flush = time.perf_counter() + FLUSH_SECONDS
        self.closed = False
        self.sequence = self.last_sequence()
        self.paid_pending: list[Any] = [0.0, 0, {}]
        if run.get("root_seed") is not None:
            self.run["root_seed"] = int(run["root_seed"])
        self.run["outcome"] = loads(run.get("outcome"))

    # -- the run ------------------------------------------------------------------------------------------------

    @property
    def snapshots_path(self) -> Path | None:
        return None if self.path is None else Path(f"{self.path}.snapshots")

    @property
    def shown_path(self) -> str | None:
        return None if self.path is None else str(self.path)

    def last_sequence(self) -> int:
        newest = 0
        for table in ("attempts", "decisions", "snapshots"):
            ((found,),) = self.connection.rows(
                f"SELECT ifnull(max(sequence), 0) FROM {table} WHERE run = ?", (self.run_id,)
            )
            newest = max(newest, found)
        return newest

    def write(self, sql: str, values: Sequence[Any] = (), *, rows: bool = False) -> int:
        """One statement in a transaction of its own, with all buffered steps before it."""
        with self.connection.transaction() as raw:
            self.check_owner(raw)
            if rows:
                self.write_rows(raw)
            raw.execute(sql, values)
            made = self.connection.last_id()
        if rows:
            self.rows_written()
        return made

    def check_owner(self, raw: Any) -> None:
        found = raw.execute("SELECT owner FROM runs WHERE id = ?", (self.run_id,)).fetchone()
        if found is None:
            raise JournalError(f"run {self.run_id} was deleted from {self.connection.name} while it was running")
        if found[0] != self.owner:
            raise InUseError(
                f"run {self.run_id} in {self.connection.name} was taken over by another program while this one was "
                "stopped: this one writes nothing more"
            )

    def set_root_seed(self, seed: int) -> None:
        if self.run.get("root_seed") is None:
            self.write("UPDATE runs SET root_seed = ? WHERE id = ?", (str(seed), self.run_id))
            self.run["root_seed"] = seed

    def set_identity(self, identity: Mapping[str, Any]) -> None:
        self.write("UPDATE runs SET identity = ? WHERE id = ?", (dumps(dict(identity)), self.run_id))
        self.identity = dict(identity)

    def end_run(self, *, state: str, outcome: Mapping[str, Any]) -> None:
        self.write(
            "UPDATE runs SET state = ?, outcome = ?, verdict = ?, ended = ? WHERE id = ?",
            (state, dumps(dict(outcome)), outcome.get("verdict"), time.time(), self.run_id),
            rows=True,
        )
        self.run["state"], self.run["outcome"] = state, dict(outcome)

    def reopen_run(self) -> None:
        self.write("UPDATE runs SET state = 'open', ended = NULL WHERE id = ?", (self.run_id,))
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
        self.sequence += 1
        return self.write(
            "INSERT INTO attempts (run, sequence, number, seed, origin, started_from, verified, propensity, state, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', ?)",
            (
                self.run_id,
                self.sequence,
                number,
                seed,
                dumps(dict(origin)),
                started_from,
                verified,
                propensity,
                time.time(),
            ),
        )

    def begin_branch(
        self, attempt_id: int, number: int, parent: int | None, from_step: int, cause: str, decision: int | None
    ) -> int:
        return self.write(
            "INSERT INTO branches (run, attempt, number, parent, from_step, cause, decision) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self.run_id, attempt_id, number, parent, from_step, cause, decision),
            rows=True,
        )

    def branches_of(self, attempt_id: int) -> list[dict[str, Any]]:
        return self.connection.dicts("SELECT * FROM branches WHERE attempt = ? ORDER BY number", (attempt_id,))

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
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        self.write(
            "UPDATE attempts SET state = ?, censored = ?, steps = ?, seconds = ?, cost = ?, value = ?, best_step = ?,"
            " failure = ?, returned = ?, reset_seconds = ?, summary = ?, ended = ? WHERE id = ?",
            (
                state,
                censored,
                steps,
                seconds,
                dumps(dict(cost)),
                value,
                best_step,
                dumps(failure) if failure is not None else None,
                dumps(returned),
                reset_seconds,
                dumps(dict(summary or {})),
                time.time(),
                attempt_id,
            ),
            rows=True,
        )

    def reopen_attempt(self, attempt_id: int) -> None:
        self.write("UPDATE attempts SET state = 'open', ended = NULL WHERE id = ?", (attempt_id,))

    def summary(self, attempt_id: int) -> dict[str, Any]:
        ((text,),) = self.connection.rows("SELECT summary FROM attempts WHERE id = ?", (attempt_id,))
        found: dict[str, Any] = loads(text)
        return found

    def summaries(self) -> list[dict[str, Any]]:
        sql = "SELECT summary FROM attempts WHERE run = ? AND summary IS NOT NULL ORDER BY number"
        return [loads(text) for (text,) in self.connection.rows(sql, (self.run_id,))]

    # -- steps --------------------------------------------------------------------------------------------------

    def lane(self, attempt_id: int, branch_id: int) -> Lane:
        """Where the steps of a branch are added."""
        for lane in self.lanes:
            if lane.branch == branch_id:
                return lane
        self.lanes = [lane for lane in self.lanes if lane.rows]
        lane = Lane(attempt_id, branch_id)
        self.lanes.append(lane)
        return lane

    def tick(self, now: float) -> None:
        """Write what is buffered if it is half a second old, or much."""
        if now >= self.next_flush or sum(len(lane.rows) for lane in self.lanes) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        self.next_flush = time.perf_counter() + FLUSH_SECONDS
        paid = self.paid_pending
        if not any(lane.rows for lane in self.lanes) and not (paid[0] or paid[1] or paid[2]):
            return
        with self.connection.transaction() as raw:
            self.check_owner(raw)
            self.write_rows(raw)
        self.rows_written()

    def write_rows(self, raw: Any) -> None:
        for lane in self.lanes:
            rows = lane.rows
            start = 0
            while start < len(rows):
                end = start + 1  # a block holds consecutive steps
                while end < len(rows) and rows[end][0] == rows[end - 1][0] + 1:
                    end += 1
                part = rows[start:end]
                columns, data = blocks.pack(part)
                (first,) = next(
                    raw.execute(
                        "UPDATE counters SET next = next + ? WHERE name = 'row' RETURNING next - ?", (len(part),) * 2
                    )
                )
                raw.execute(
                    "INSERT INTO blocks (run, attempt, branch, first_row, first_step, count, columns, data)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (self.run_id, lane.attempt, lane.branch, first, part[0][0], len(part), columns, data),
                )
                start = end
        seconds, steps, cost = self.paid_pending
        if seconds or steps or cost:
            (text,) = raw.execute("SELECT paid_cost FROM runs WHERE id = ?", (self.run_id,)).fetchone()
            total = loads(text)
            for unit, amount in cost.items():
                total[unit] = total.get(unit, 0.0) + amount
            raw.execute(
                "UPDATE runs SET paid_seconds = paid_seconds + ?, paid_steps = paid_steps + ?, paid_cost = ? WHERE id = ?",
                (seconds, steps, dumps(total), self.run_id),
            )

    def rows_written(self) -> None:
        for lane in self.lanes:
            lane.rows.clear()
        self.paid_pending = [0.0, 0, {}]

    def add_paid(self, *, seconds: float = 0.0, steps: int = 0, cost: Mapping[str, float] | None = None) -> None:
        """What was really done, redone work included; written with the next rows."""
        pending = self.paid_pending
        pending[0] += seconds
        pending[1] += steps
        for unit, amount in (cost or {}).items():
            pending[2][unit] = pending[2].get(unit, 0.0) + amount

    def paid(self) -> dict[str, float]:
        self.flush()
        sql = "SELECT paid_seconds, paid_steps, paid_cost FROM runs WHERE id = ?"
        ((seconds, steps, cost),) = self.connection.rows(sql, (self.run_id,))
        return {"seconds": seconds, "steps": steps, **loads(cost)}

    def run_rows(self) -> Iterator[blocks.Row]:
        """Every journaled step of the run, abandoned ones too."""
        sql = "SELECT first_row, first_step, count, columns, data FROM blocks WHERE run = ? ORDER BY id"
        for block in self.connection.rows(sql, (self.run_id,)):
            yield from blocks.unpack(*block)

    def attempt_row(self, number: int) -> int | None:
        """The id of the run's attempt of this number, if it has a row."""
        found = self.connection.rows("SELECT id FROM attempts WHERE run = ? AND number = ?", (self.run_id, number))
        return int(found[0][0]) if found else None

    def ensure_ended(self, attempt_id: int, state: str) -> None:
        """An attempt whose end was decided and not written before the program died."""
        self.write(
            "UPDATE attempts SET state = ?, censored = 1, ended = ? WHERE id = ? AND state = 'open'",
            (state, time.time(), attempt_id),
        )

    def read_rows(self, attempt_id: int, branch_id: int, after_step: int) -> Iterator[blocks.Row]:
        """The journaled steps of one branch itself, after a step."""
        sql = (
            "SELECT first_row, first_step, count, columns, data FROM blocks"
            " WHERE branch = ? AND first_step + count > ? ORDER BY first_step"
        )
        for block in self.connection.rows(sql, (branch_id, after_step + 1)):
            for row in blocks.unpack(*block):
                if row[1] > after_step:
                    yield row

    # -- events -------------------------------------------------------------------------------------------------

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
    ) -> int:
        self.sequence += 1
        return self.write(
            "INSERT INTO decisions (run, sequence, attempt, branch, step, verb, rule, action, saw, state, seconds, taken)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.run_id,
                self.sequence,
                attempt,
                branch,
                step,
                action["verb"],
                rule,
                dumps(dict(action)),
                dumps(saw),
                dumps(state),
                seconds,
                time.time(),
            ),
            rows=True,
        )

    def snapshot(self, **row: Any) -> int:
        self.sequence += 1
        names = (
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
        values = [row[name] for name in names]
        return self.write(
            f"INSERT INTO snapshots (run, sequence, saved, metrics, logical, {', '.join(names)})"
            f" VALUES (?, ?, ?, ?, ?{', ?' * len(names)})",
            (self.run_id, self.sequence, time.time(), dumps(row["metrics"]), dumps(row["logical"]), *values),
            rows=True,
        )

    def mark_snapshot(self, snapshot_id: int, *, state: str, why: str | None = None) -> None:
        self.write("UPDATE snapshots SET state = ?, why = ? WHERE id = ?", (state, why, snapshot_id))

    def supersede(self, decisions: Sequence[int]) -> None:
        for decision in decisions:
            self.write("UPDATE decisions SET superseded = 1 WHERE id = ?", (decision,))

    def events(self) -> list[dict[str, Any]]:
        """Attempts, decisions and snapshots in journal order; superseded decisions are left out."""
        run = (self.run_id,)
        found = []
        for row in self.connection.dicts("SELECT * FROM attempts WHERE run = ?", run):
            found.append({**row, "kind": "attempt", "origin": loads(row["origin"]), "failure": loads(row["failure"])})
        for row in self.connection.dicts("SELECT * FROM decisions WHERE run = ? AND NOT superseded", run):
            parsed = {name: loads(row[name]) for name in ("action", "saw", "state")}
            found.append({**row, **parsed, "kind": "decision"})
        for row in self.connection.dicts("SELECT * FROM snapshots WHERE run = ?", run):
            parsed = {name: loads(row[name]) for name in ("metrics", "logical")}
            found.append({**row, **parsed, "kind": "snapshot", "snapshot_kind": row["kind"]})
        found.sort(key=lambda event: event["sequence"])
        return found

    # -- costly calls -------------------------------------------------------------------------------------------

    def call_begin(
        self, attempt: int, branch: int, step: int, key: str, inputs_hash: str, held: Mapping[str, float] | None = None
    ) -> Call:
        """Commit that a call is about to be sent; says what is known of it from before."""
        sql = (
            "SELECT id, state, idempotency_key, inputs, value, cost, held FROM calls"
            " WHERE run = ? AND attempt = ? AND branch = ? AND step = ? AND key = ?"
        )
        place = (self.run_id, attempt, branch, step, key)
        for identifier, state, idempotency_key, inputs, value, cost, holding in self.connection.rows(sql, place):
            if state == "done":
                return Call(identifier, state, idempotency_key, inputs, loads(value), loads(cost))
            self.write("UPDATE calls SET sent = sent + 1 WHERE id = ?", (identifier,))
            return Call(identifier, "in flight", idempotency_key, inputs, held=loads(holding))
        idempotency_key = f"{self.uid}-{attempt}-{branch}-{step}-{uuid.uuid5(uuid.NAMESPACE_OID, key).hex[:12]}"
        identifier = self.write(
            "INSERT INTO calls (run, attempt, branch, step, key, inputs, idempotency_key, state, sent, held, began)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'sent', 1, ?, ?)",
            (*place, inputs_hash, idempotency_key, dumps(dict(held or {})), time.time()),
        )
        return Call(identifier, "new", idempotency_key, inputs_hash)

    def call_state(self, attempt: int, branch: int, step: int, key: str) -> str:
        """``new`` for a call that was never sent, else ``sent`` or ``done``."""
        sql = "SELECT state FROM calls WHERE run = ? AND attempt = ? AND branch = ? AND step = ? AND key = ?"
        found = self.connection.rows(sql, (self.run_id, attempt, branch, step, key))
        return str(found[0][0]) if found else "new"

    def call_end(self, call: Call, value: object, cost: Mapping[str, float]) -> None:
        """Make the value of a call durable; it may be used after this."""
        self.write(
            "UPDATE calls SET state = 'done', value = ?, cost = ?, ended = ? WHERE id = ?",
            (dumps(value), dumps(dict(cost)), time.time(), call.id),
        )

    def calls_spent(self) -> tuple[dict[str, float], dict[str, float]]:
        """What all calls of the run have cost, and what calls of unknown cost still hold."""
        used: dict[str, float] = {}
        held: dict[str, float] = {}
        for state, holding, cost in self.connection.rows(
            "SELECT state, held, cost FROM calls WHERE run = ?", (self.run_id,)
        ):
            into, amounts = (used, loads(cost)) if state == "done" else (held, loads(holding))
            for unit, amount in amounts.items():
                into[unit] = into.get(unit, 0.0) + amount
        return used, held

    # -- leaving ------------------------------------------------------------------------------------------------

    def hung(self, attempt_id: int, message: str) -> None:
        """From the watchdog's thread: the step under way does not return."""
        if self.path is None:
            return
        other = Connection(self.path, readonly=False, wait=2.0)
        with other.transaction() as raw:
            self.check_owner(raw)
            self.write_rows(raw)
            raw.execute(
                "UPDATE attempts SET failure = ?, state = 'hung' WHERE id = ?",
                (dumps({"types": ["Hung"], "message": message, "traceback": ""}), attempt_id),
            )

    def close(self) -> None:
        """Let go of the run; what is buffered has been written by flush."""
        if self.closed:
            return
        self.closed = True
        try:
            if self.path is not None:
                with self.connection.transaction() as raw:
                    raw.execute(
                        "UPDATE owners SET ended = ? WHERE run = ? AND number = ?",
                        (time.time(), self.run_id, self.owner),
                    )
        finally:
            self.connection.close()
            if self.path is not None:
                owner.release(self.path, self.run_id)


def whoami() -> tuple[int, str]:
    return os.getpid(), socket.gethostname()
