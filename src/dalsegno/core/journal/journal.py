"""The journal: the durable record of runs, attempts, branches, steps, decisions, snapshots and owners, in one SQLite file."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalsegno.core.errors import InUseError, JournalError
from dalsegno.core.journal import blocks, owner, schema
from dalsegno.core.journal.connection import Connection, make_durable
from dalsegno.core.journal.writer import RunWriter, dumps, loads, whoami

JSON_COLUMNS = (
    "identity",
    "outcome",
    "paid_cost",
    "origin",
    "cost",
    "failure",
    "returned",
    "action",
    "saw",
    "metrics",
    "logical",
    "value_json",
)
HIDDEN = ("state_json", "summary", "identity")


# A metric of one of these names is shown as "metric.<name>".
STEP_COLUMNS = frozenset(("id", "run", "attempt", "branch", "step", "seconds", "status", "value", "abandoned"))


class Journal:
    """A journal file, for reading; :meth:`open_run` is how the engine writes to it.

    ``runs()``, ``attempts()``, ``branches()``, ``steps()``, ``decisions()``, ``snapshots()`` and ``calls()`` give pandas
    frames where pandas is installed, and lists of dicts elsewhere.  Reading changes nothing in the file.

    Raises :class:`JournalError` for a file that is no journal, or of a newer format.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, wait: float = 30.0) -> None:
        self.path = None if path is None else Path(path)
        self.wait = wait

    @classmethod
    def memory(cls) -> Journal:
        """A journal of one run that is forgotten with it; it holds events and no steps."""
        return cls(None)

    # -- writing ------------------------------------------------------------------------------------------------

    def open_run(self, name: str, seed: int | None, *, identity: Mapping[str, Any], fresh: bool = False) -> RunWriter:
        """Find or make the run of (name, seed) and become its owner.

        Raises :class:`InUseError` while a living program owns it.  ``fresh`` puts an older run of that name aside.
        """
        connection = self.writable()
        try:
            return self.own(connection, name, seed, identity, fresh)
        except BaseException:
            connection.close()
            raise

    def writable(self) -> Connection:
        if self.path is None:
            connection = Connection(None, readonly=False, wait=self.wait)
            schema.prepare(connection)
            return connection
        if not self.path.parent.is_dir():
            raise JournalError(f"{self.path.parent} is no folder: make it first, or give the journal another path")
        if self.path.exists():
            schema.check_file(self.path)
        there = self.path.exists()
        connection = Connection(self.path, readonly=False, wait=self.wait)
        self.set_modes(connection)
        schema.prepare(connection)
        if not there:
            make_durable(self.path.parent)
        return connection

    def set_modes(self, connection: Connection) -> None:
        """WAL, every commit fsynced. Several programs that make the file at once all get here."""
        until = time.monotonic() + self.wait
        while True:
            try:
                connection.raw.execute("PRAGMA journal_mode = WAL")
                connection.raw.execute("PRAGMA synchronous = FULL")
                connection.raw.execute("PRAGMA foreign_keys = ON")
                return
            except connection.apsw.BusyError as error:
                connection.still(until, error)
            except connection.apsw.Error as error:
                raise connection.say(error) from None

    def own(
        self, connection: Connection, name: str, seed: int | None, identity: Mapping[str, Any], fresh: bool
    ) -> RunWriter:
        pid, host = whoami()
        with connection.transaction() as raw:
            found = raw.execute(
                "SELECT id FROM runs WHERE name = ? AND ifnull(seed, -1) = ifnull(?, -1) AND generation = 0",
                (name, seed),
            ).fetchone()
            created = found is None or fresh
            if found is not None:
                if self.path is not None:
                    owner.acquire(self.path, found[0])
                if fresh:
                    raw.execute(
                        "UPDATE runs SET generation = 1 + (SELECT max(generation) FROM runs WHERE name = ?),"
                        " owner = owner + 1 WHERE id = ?",
                        (name, found[0]),
                    )
                    if self.path is not None:
                        owner.release(self.path, found[0])
            if created:
                raw.execute(
                    "INSERT INTO runs (uid, name, seed, state, started, identity) VALUES (?, ?, ?, 'open', ?, ?)",
                    (uuid.uuid4().hex[:12], name, seed, time.time(), dumps(dict(identity))),
                )
                run_id = connection.last_id()
                if self.path is not None:
                    owner.acquire(self.path, run_id)
            else:
                run_id = found[0]
            (number,) = next(
                raw.execute(
                    "UPDATE runs SET owner = owner + 1, pid = ?, host = ? WHERE id = ? RETURNING owner",
                    (pid, host, run_id),
                )
            )
            raw.execute(
                "INSERT INTO owners (run, number, pid, host, began) VALUES (?, ?, ?, ?, ?)",
                (run_id, number, pid, host, time.time()),
            )
        (row,) = connection.dicts("SELECT * FROM runs WHERE id = ?", (run_id,))
        return RunWriter(connection, self.path, row, created, number)

    # -- reading ------------------------------------------------------------------------------------------------

    def readable(self) -> Connection:
        if self.path is None:
            raise JournalError("a journal in memory has no tables to read: give the run a journal file")
        if not self.path.exists():
            raise JournalError(f"there is no journal at {self.path}")
        schema.check_file(self.path)
        connection = Connection(self.path, readonly=True, wait=self.wait)
        ((version,),) = connection.rows("PRAGMA user_version")
        ((identifier,),) = connection.rows("PRAGMA application_id")
        if identifier != schema.APPLICATION_ID:
            connection.close()
            raise JournalError(f"{self.path} is a SQLite file of another program, not a dalsegno journal")
        if version > schema.VERSION:
            connection.close()
            raise schema.newer(self.path, version)
        return connection

    def rows(self, table: str, run: int | None = None, *, all: bool = False) -> list[dict[str, Any]]:
        """The rows of a table as dicts, of one run or of all."""
        if table not in ("runs", "attempts", "branches", "steps", "decisions", "snapshots", "calls", "owners"):
            raise JournalError(f"a journal has no table {table!r}")
        connection = self.readable()
        try:
            if table == "steps":
                return list(self.step_rows(connection, run, all))
            where, values = ("", ()) if run is None else (f" WHERE {'id' if table == 'runs' else 'run'} = ?", (run,))
            found = connection.dicts(f"SELECT * FROM {table}{where} ORDER BY id", values)
        finally:
            connection.close()
        return [self.parsed(table, row) for row in found]

    def parsed(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        for name in JSON_COLUMNS:
            if isinstance(row.get(name), str):
                row[name] = loads(row[name])
        if table == "decisions":
            row.pop("state")
        if table == "calls" and row["value"] is not None:
            row["value"] = loads(row["value"])
        if table == "attempts":
            row.pop("summary")
            if row["state"] == "open":
                row["state"], row["censored"] = self.state_of(row["run"]), 1
        return self.with_state(row) if table == "runs" else row

    def with_state(self, row: dict[str, Any]) -> dict[str, Any]:
        """A run's row with its state derived: an open run lives only while its owner does."""
        outcome = row.pop("outcome") or {}
        row.pop("identity")
        row["seed"] = row["seed"] if row["seed"] is not None else int(row["root_seed"]) if row["root_seed"] else None
        row.pop("root_seed")
        if row["state"] == "open":
            row["state"] = self.state_of(row["id"])
        for name in ("rule", "reason", "value", "steps", "seconds", "cost", "succeeded"):
            row[name] = outcome.get(name)
        row["best"] = outcome.get("best")
        attempts = self.rows("attempts", row["id"])
        row["attempts"] = len(attempts)
        row["traceback"] = None
        if row["state"] == "failed" and attempts and attempts[-1]["failure"]:
            row["traceback"] = attempts[-1]["failure"]["traceback"]
        return row

    def state_of(self, run: int) -> str:
        """An open run is running while its owner lives, whatever was once written; then it is interrupted."""
        assert self.path is not None
        return "interrupted" if owner.holder(self.path, run) is None else "running"

    def step_rows(self, connection: Connection, run: int | None, every: bool) -> Any:
        branches = {row["id"]: row for row in connection.dicts("SELECT * FROM branches")}
        newest: dict[int, int] = {}
        for row in branches.values():
            newest[row["attempt"]] = max(newest.get(row["attempt"], 0), row["id"])
        line: dict[int, float] = {}  # branch -> last step of it that counts
        for tip in newest.values():
            edge, here = float("inf"), tip
            while here is not None:
                line[here] = edge
                edge, here = min(edge, branches[here]["from_step"]), branches[here]["parent"]
        where, values = ("", ()) if run is None else (" WHERE run = ?", (run,))
        sql = f"SELECT run, attempt, branch, first_row, first_step, count, columns, data FROM blocks{where} ORDER BY run, attempt, branch, first_step"
        for run_id, attempt, branch, *block in connection.rows(sql, values):
            for row_id, step, seconds, metrics, cost, status, value in blocks.unpack(*block):
                counts = step <= line.get(branch, -1)
                if not counts and not every:
                    continue
                row = {
                    "id": row_id,
                    "run": run_id,
                    "attempt": attempt,
                    "branch": branch,
                    "step": step,
                    "seconds": seconds,
                    "status": status,
                    "value": value,
                    **{f"metric.{name}" if name in STEP_COLUMNS else name: figure for name, figure in metrics.items()},
                    **{f"cost.{unit}": amount for unit, amount in cost.items()},
                }
                if every:
                    row["abandoned"] = not counts
                yield row

    def frame(self, table: str, run: int | None = None, **options: Any) -> Any:
        found = self.rows(table, run, **options)
        try:
            import pandas
        except ImportError:
            return found
        return pandas.DataFrame(found)

    def runs(self) -> Any:
        """One row a run; its state is finished, failed, running (with process id and host) or interrupted."""
        return self.frame("runs")

    def attempts(self, run: int | None = None) -> Any:
        return self.frame("attempts", run)

    def branches(self, run: int | None = None) -> Any:
        return self.frame("branches", run)

    def steps(self, run: int | None = None, *, all: bool = False) -> Any:
        """The line that counts; with ``all`` the abandoned steps too. ``id`` is one that no other row ever had."""
        return self.frame("steps", run, all=all)

    def decisions(self, run: int | None = None) -> Any:
        return self.frame("decisions", run)

    def snapshots(self, run: int | None = None) -> Any:
        return self.frame("snapshots", run)

    def calls(self, run: int | None = None) -> Any:
        return self.frame("calls", run)

    def delete(self, run: int) -> list[str]:
        """Delete a run; the names of its snapshots are returned for their store to remove. Refused while it is running."""
        if self.path is None:
            raise JournalError("a journal in memory has nothing to delete")
        alive = owner.holder(self.path, run)
        if alive is not None:
            raise InUseError(f"run {run} in {self.path} is in use by process {alive}: stop it first")
        connection = self.writable()
        try:
            with connection.transaction() as raw:
                names = [name for (name,) in raw.execute("SELECT name FROM snapshots WHERE run = ?", (run,))]
                for table in ("blocks", "decisions", "snapshots", "calls", "branches", "owners", "attempts"):
                    raw.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
                raw.execute("DELETE FROM runs WHERE id = ?", (run,))
                if not raw.changes():
                    raise JournalError(f"{self.path} has no run {run}")
        finally:
            connection.close()
        return names
