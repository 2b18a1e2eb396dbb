"""Which runs a command is about: ``runs.db``, ``runs.db:3``, ``runs.db:train``, or ``3`` and ``train`` with ``--journal``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dalsegno.core.errors import JournalError, UsageError

DEFAULT = "runs.db"
Place = tuple[Any, list[int] | None]  # a journal, and some of its runs or None for all


def places(addresses: Sequence[str], journal: str | None) -> list[Place]:
    """The journals and runs that addresses name, in their order; runs of one journal that stand together are joined."""
    if not addresses:
        return [(opened(journal or default()), None)]
    found: list[Place] = []
    for address in addresses:
        path, run = split(address, journal)
        file = opened(path)
        ids = None if run is None else matching(file, run)
        if found and str(found[-1][0].path) == str(file.path) and ids is not None and found[-1][1] is not None:
            found[-1][1].extend(one for one in ids if one not in found[-1][1])
        else:
            found.append((file, ids))
    return found


def one_run(addresses: Sequence[str], journal: str | None) -> Place:
    """The same where exactly one run is meant."""
    found = places(addresses, journal)
    if len(found) != 1 or found[0][1] is None or len(found[0][1]) != 1:
        file = found[0][0]
        raise UsageError(f"name one run, as in {file.path}:1; `dalsegno show {file.path}` lists them")
    return found[0]


def opened(path: str) -> Any:
    from dalsegno.core.journal import Journal

    return Journal(path)


def default() -> str:
    """The journal that is meant where none is named."""
    named = os.environ.get("DALSEGNO_JOURNAL")
    if named:
        return named
    if Path(DEFAULT).exists():
        return DEFAULT
    raise UsageError(f"which journal? Name its file, or set DALSEGNO_JOURNAL (there is no {DEFAULT} here)")


def split(address: str, journal: str | None) -> tuple[str, str | None]:
    """An address as the journal's path and a run in it."""
    if Path(address).exists():
        return address, None
    path, colon, run = address.rpartition(":")
    if colon and path and run and (Path(path).exists() or journal is None):
        return path, run
    if journal is not None:
        return journal, address
    if address.isdigit() or ("." not in address and os.sep not in address):
        return default(), address
    return address, None  # a journal that is not there: opening it says so


def matching(file: Any, run: str) -> list[int]:
    """The ids of the runs that a number or a name stands for."""
    rows = file.rows("runs")
    if run.isdigit() and any(row["id"] == int(run) for row in rows):
        return [int(run)]
    ids = [row["id"] for row in rows if row["name"] == run and not row["generation"]]
    if not ids:
        known = ", ".join(
            f"{row['id']} ({row['name']}{', put aside' if row['generation'] else ''})" for row in rows[:20]
        )
        raise JournalError(f"{file.path} has no run {run!r}; it has {known or 'none at all'}")
    return ids
