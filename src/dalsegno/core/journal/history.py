"""What happened in a run so far, in journal order, for the program that takes it up."""

from __future__ import annotations

from typing import Any

from dalsegno.core.journal.connection import Connection
from dalsegno.core.journal.values import loads

TABLES = {  # kind: table, condition, columns of typed JSON
    "attempt": ("attempts", "", ("origin", "failure", "cost", "paid", "returned", "summary")),
    "decision": ("decisions", " AND NOT superseded", ("action", "saw", "state")),
    "snapshot": ("snapshots", "", ("metrics", "logical")),
}


def events(connection: Connection, run: int) -> list[dict[str, Any]]:
    """Attempts, decisions and snapshots by their common ``sequence``; a snapshot's own kind is ``snapshot_kind``."""
    found = []
    for kind, (table, condition, columns) in TABLES.items():
        for row in connection.dicts(f"SELECT * FROM {table} WHERE run = ?{condition}", (run,)):
            if kind == "snapshot":
                row["snapshot_kind"] = row["kind"]
            if kind == "attempt":
                row["seed"] = int(row["seed"])
            row.update({name: loads(row[name]) for name in columns}, kind=kind)
            found.append(row)
    found.sort(key=lambda event: event["sequence"])
    return found
