"""``dalsegno delete``: delete runs with their snapshots."""

from __future__ import annotations

from typing import Annotated

import typer

from dalsegno.cli.ending import ending
from dalsegno.cli.show import JOURNAL


@ending
def delete(
    runs: Annotated[list[str], typer.Argument(metavar="JOURNAL:RUN...", help="Runs, by number or name.")],
    journal: Annotated[str | None, JOURNAL] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> int:
    """Delete runs with their steps, decisions and snapshots. Refused while a run is in use."""
    import sys

    from dalsegno.cli.addresses import places
    from dalsegno.core.errors import UsageError
    from dalsegno.core.journal import cleaning

    found = places(runs, journal)
    if any(ids is None for _, ids in found):
        raise UsageError(
            "name the runs to delete, as in runs.db:3; to delete a whole journal, remove its file and folder"
        )
    count = sum(len(ids or ()) for _, ids in found)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"this deletes {count} run{'' if count == 1 else 's'} for good: give --yes")
        if not typer.confirm(f"Delete {count} run{'s' if count != 1 else ''} for good?", err=True):
            return 0
    done = []
    for file, ids in found:
        for run in ids or ():
            done.append({"journal": str(file.path), "run": run, "snapshots": cleaning.delete(file, run)})
    if as_json:
        from dalsegno.cli.output import write_json

        write_json(done)
    else:
        for row in done:
            typer.echo(f"deleted run {row['run']} of {row['journal']} with {row['snapshots']} snapshots")
    return 0
