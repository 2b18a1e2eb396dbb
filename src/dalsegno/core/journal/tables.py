"""The tables of a journal as its readers see them: typed values read, states derived, steps on the line that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.journal import blocks
from dalsegno.core.journal.connection import Connection
from dalsegno.core.journal.values import loads

TABLES = ("runs", "attempts", "branches", "steps", "decisions", "snapshots", "calls", "owners")
TYPED = {
    "attempts": ("origin", "cost", "paid", "failure", "returned"),
    "decisions": ("action", "saw"),
    "snapshots": ("metrics", "logical"),
    "calls": ("held", "value", "cost"),
}
HIDDEN = {"attempts": ("summary",), "decisions": ("state",)}
TOLD = ("rule", "reason", "succeeded", "value", "best", "steps", "seconds", "cost", "returned")  # of a run's outcome

STEP_COLUMNS = frozenset(("id", "run", "attempt", "branch", "step", "seconds", "status", "value", "abandoned"))
COST = "cost."

Holder = Callable[[int], "int | None"]  # the process id of a run's living owner


def check_table(table: str) -> None:
    if table not in TABLES:
        raise UsageError(f"a journal has no table {table!r}: expected one of {', '.join(TABLES)}")


def rows(connection: Connection, table: str, run: int | None, every: bool, holder: Holder) -> list[dict[str, Any]]:
    """The rows of a table as dicts, of one run or of all."""
    if table == "steps":
        return list(step_rows(connection, run, every))
    where, values = ("", ()) if run is None else (f" WHERE {'id' if table == 'runs' else 'run'} = ?", (run,))
    found = connection.dicts(f"SELECT * FROM {table}{where} ORDER BY id", values)
    for row in found:
        for name in HIDDEN.get(table, ()):
            del row[name]
        for name in TYPED.get(table, ()):
            row[name] = loads(row[name])
    if table == "runs":
        return [run_row(connection, row, holder) for row in found]
    if table == "attempts":
        return [attempt_row(connection, row, holder) for row in found]
    return found


def state_of(stored: str, run: int, holder: Holder) -> tuple[str, int | None]:
    """What an open run or attempt really is, by whether its owner lives; other states stand as they were stored."""
    if stored != "open":
        return stored, None
    pid = holder(run)
    return ("interrupted", None) if pid is None else ("running", pid)


def run_row(connection: Connection, row: Mapping[str, Any], holder: Holder) -> dict[str, Any]:
    """A run as it is told: what its outcome says if it has ended, what is journaled so far if it has not."""
    run = row["id"]
    outcome = loads(row["outcome"]) or {}
    state, pid = state_of(row["state"], run, holder)
    seed = row["seed"] if row["seed"] is not None else row["root_seed"]
    told = {name: outcome.get(name) for name in TOLD} if row["state"] != "open" else so_far(connection, run)
    ((attempts,),) = connection.rows("SELECT count(*) FROM attempts WHERE run = ?", (run,))
    return {
        "id": run,
        "name": row["name"],
        "seed": None if seed is None else int(seed),
        "state": state,
        "pid": pid or row["pid"] if state == "running" else None,  # an owner in another container has the id 0 here
        "host": row["host"] if state == "running" else None,
        **told,
        "paid_seconds": row["paid_seconds"],
        "paid_steps": row["paid_steps"],
        "paid_cost": loads(row["paid_cost"]),
        "attempts": attempts,
        "started": row["started"],
        "ended": row["ended"],
        "verdict": row["verdict"],
        "traceback": traceback_of(connection, run) if state == "failed" else None,
        "generation": row["generation"],
        "uid": row["uid"],
    }


def so_far(connection: Connection, run: int) -> dict[str, Any]:
    told: dict[str, Any] = dict.fromkeys(TOLD)
    told["steps"], told["seconds"], told["cost"] = 0, 0.0, {}
    for count, seconds, cost in connection.rows("SELECT count, seconds, cost FROM blocks WHERE run = ?", (run,)):
        told["steps"] += count
        told["seconds"] += seconds
        for unit, amount in loads(cost).items():
            told["cost"][unit] = told["cost"].get(unit, 0.0) + amount
    return told


def traceback_of(connection: Connection, run: int) -> str | None:
    found = connection.rows("SELECT failure FROM attempts WHERE run = ? ORDER BY number DESC LIMIT 1", (run,))
    failure = loads(found[0][0]) if found else None
    return None if failure is None else failure["traceback"]


def attempt_row(connection: Connection, row: dict[str, Any], holder: Holder) -> dict[str, Any]:
    """An attempt; one that was interrupted is censored and no failure, and its steps are those in the journal."""
    row["seed"] = int(row["seed"])
    for name in ("verified", "censored"):
        row[name] = None if row[name] is None else bool(row[name])
    if row["state"] in ("open", "hung"):
        row["state"], _ = (row["state"], None) if row["state"] == "hung" else state_of("open", row["run"], holder)
        row["censored"] = True
        sql = "SELECT max(last_step), sum(seconds) FROM blocks WHERE attempt = ?"
        ((row["steps"], row["seconds"]),) = connection.rows(sql, (row["id"],))
    return row


# -- steps ----------------------------------------------------------------------------------------------------------


def line(connection: Connection, run: int | None) -> dict[int, float]:
    """For each branch on the line that counts, its last step that does."""
    where, values = ("", ()) if run is None else (" WHERE run = ?", (run,))
    branches: dict[int, tuple[int, int | None, int]] = {}
    newest: dict[int, int] = {}
    for branch, attempt, parent, from_step in connection.rows(
        f"SELECT id, attempt, parent, from_step FROM branches{where} ORDER BY id", values
    ):
        branches[branch] = (attempt, parent, from_step)
        newest[attempt] = branch
    last: dict[int, float] = {}
    for tip in newest.values():
        edge, here = float("inf"), tip
        while True:
            last[here] = edge
            _, parent, from_step = branches[here]
            if parent is None:
                break
            edge, here = min(edge, from_step), parent
    return last


def step_blocks(
    connection: Connection, run: int | None, every: bool
) -> Iterator[tuple[int, int, int, int, float, blocks.Columns]]:
    """Every block with steps that are asked for: id, run, attempt, branch, last step that counts, columns."""
    last = line(connection, run)
    where, values = ("", ()) if run is None else (" WHERE run = ?", (run,))
    for block, of, attempt, branch, first, count, columns, data in connection.stream(
        "SELECT id, run, attempt, branch, first_step, count, columns, data FROM blocks"
        f"{where} ORDER BY run, attempt, branch, id",
        values,
    ):
        edge = last.get(branch, -1)
        if every or first <= edge:
            yield block, of, attempt, branch, edge, blocks.columns_of(first, count, columns, data)


def step_rows(connection: Connection, run: int | None, every: bool) -> Iterator[dict[str, Any]]:
    """Steps as dicts; a metric that a step lacks is no key of its row. ``abandoned`` is there with ``every`` only."""
    for block, of, attempt, branch, edge, columns in step_blocks(connection, run, every):
        for identifier, step, seconds, metrics, cost, status, value in blocks.rows(block, columns):
            if step > edge and not every:
                continue
            row: dict[str, Any] = {
                "id": identifier,
                "run": of,
                "attempt": attempt,
                "branch": branch,
                "step": step,
                "seconds": seconds,
            }
            row["status"], row["value"] = status, value
            if every:
                row["abandoned"] = step > edge
            row.update({column_of(name): figure for name, figure in metrics.items()})
            row.update({COST + unit: amount for unit, amount in cost.items()})
            yield row


def column_of(metric: str) -> str:
    """The column that a metric is shown in: its name, or ``metric.<name>`` where that would be taken for another."""
    taken = metric in STEP_COLUMNS or metric.startswith((COST, "metric."))
    return f"metric.{metric}" if taken else metric
