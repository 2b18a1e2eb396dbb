"""Finding or making the run of (name, seed), and becoming its owner."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalsegno.core.journal import filesystem, owner
from dalsegno.core.journal.connection import Connection
from dalsegno.core.journal.values import dumps
from dalsegno.core.journal.writer import RunWriter

UID_LETTERS = 12


def open_run(
    connection: Connection,
    path: Path | None,
    shown_path: str | None,
    name: str,
    seed: int | None,
    identity: Mapping[str, Any],
    fresh: bool,
) -> RunWriter:
    """The writer of the run; a run that is there already is taken over from a program that has died.

    Raises :class:`InUseError` while a living program owns the run, and changes nothing then.
    """
    if path is not None:
        filesystem.check(path)
    pid, host = os.getpid(), socket.gethostname()
    text = None if seed is None else str(seed)
    lock: owner.Ownership | None = None
    try:
        with connection.transaction() as raw:
            found = raw.execute(
                "SELECT id, host FROM runs WHERE name = ? AND ifnull(seed, '') = ifnull(?, '') AND generation = 0",
                (name, text),
            ).fetchone()
            run = None if found is None else int(found[0])
            if run is not None and path is not None:
                lock = owner.acquire(path, run, f"run {run} ({describe(name, seed)})", found[1])
            created = run is None or fresh
            if run is not None and fresh:
                put_aside(raw, run, name, text)
                if lock is not None:
                    owner.release(lock)
            if created:
                raw.execute(
                    "INSERT INTO runs (uid, name, seed, state, started, identity) VALUES (?, ?, ?, 'open', ?, ?)",
                    (uuid.uuid4().hex[:UID_LETTERS], name, text, time.time(), dumps(dict(identity))),
                )
                run = connection.last_id()
                if path is not None:
                    lock = owner.acquire(path, run, f"run {run} ({describe(name, seed)})")
            assert run is not None
            number = take_over(raw, run, pid, host)
    except BaseException:
        if lock is not None:
            owner.release(lock)
        raise
    (row,) = connection.dicts("SELECT * FROM runs WHERE id = ?", (run,))
    return RunWriter(connection, path, row, created=created, number=number, lock=lock, shown_path=shown_path)


def describe(name: str, seed: int | None) -> str:
    return repr(name) if seed is None else f"{name!r}, seed {seed}"


def put_aside(raw: Any, run: int, name: str, seed: str | None) -> None:
    """Keep an old run under the next generation; its number of owners moves on, so that no sleeping owner writes it."""
    raw.execute(
        "UPDATE runs SET owner = owner + 1, generation = 1 + (SELECT max(generation) FROM runs WHERE name = ?"
        " AND ifnull(seed, '') = ifnull(?, '')) WHERE id = ?",
        (name, seed, run),
    )


def take_over(raw: Any, run: int, pid: int, host: str) -> int:
    """Become the run's owner in the file too; the number that every later transaction is checked against."""
    ((number,),) = list(
        raw.execute(
            "UPDATE runs SET owner = owner + 1, pid = ?, host = ? WHERE id = ? RETURNING owner", (pid, host, run)
        )
    )
    raw.execute(
        "INSERT INTO owners (run, number, pid, host, began) VALUES (?, ?, ?, ?, ?)",
        (run, number, pid, host, time.time()),
    )
    return int(number)
