"""Past attempts of a journal, as a log."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import UsageError
from dalsegno.policies.run_log import RunLog

if TYPE_CHECKING:
    from dalsegno.core.journal import Journal

OVER = ("finished", "failed")


def journal_log(
    journal: Journal | str | os.PathLike[str],
    *,
    of: str = "seconds",
    name: str | None = None,
    runs: Collection[int] | None = None,
) -> RunLog:
    """The attempts of a journal's runs: ``of`` is what is counted, ``name`` and ``runs`` (ids) say which runs (all).

    An attempt that is running or was interrupted is taken as censored where it is now.

    Raises :class:`JournalError` where there is no journal.
    """
    log = RunLog(of)
    for run, one in logs_by_run(opened(journal), of, name).items():
        if runs is None or run in runs:
            log.extend(one)
    return log


def logs_of_ended_runs(
    journal: Journal | str | os.PathLike[str], *, of: str = "seconds", name: str | None = None
) -> dict[int, RunLog]:
    """The attempts of each run that is over, by the run's id: they change no more. Nothing where there is no journal yet."""
    found = opened(journal)
    if found.file is not None and not found.file.exists():
        return {}
    over = {row["id"] for row in found.rows("runs") if row["state"] in OVER}
    return {run: log for run, log in logs_by_run(found, of, name).items() if run in over}


def opened(journal: Any) -> Journal:
    from dalsegno.core.journal import Journal

    if isinstance(journal, Journal):
        return journal
    if isinstance(journal, (str, os.PathLike)):
        return Journal(journal)
    raise UsageError(f"{journal!r}: expected a journal or the path of one")


def logs_by_run(journal: Journal, of: str, name: str | None) -> dict[int, RunLog]:
    named = {row["id"] for row in journal.rows("runs") if name is None or row["name"] == name}
    begun_at: dict[int, int] = {}
    for branch in journal.rows("branches"):
        begun_at.setdefault(branch["attempt"], branch["from_step"])
    rows: dict[int, list[dict[str, Any]]] = {run: [] for run in sorted(named)}
    for row in journal.rows("attempts"):
        if row["run"] not in named:
            continue
        if row["state"] in ("running", "interrupted"):  # told by its place, which an ended one is not
            row["steps"] = max((row["steps"] or 0) - begun_at.get(row["id"], 0), 0)
        rows[row["run"]].append(row)
    return {run: RunLog.from_attempts(attempts, of=of) for run, attempts in rows.items()}
