"""``dalsegno gc``: collect what nobody can go back to."""

from __future__ import annotations

from typing import Annotated

import typer

from dalsegno.cli.ending import ending


@ending
def gc(
    journal: Annotated[
        str | None, typer.Argument(metavar="JOURNAL", help="The journal (default: as for show).")
    ] = None,
    named: Annotated[str | None, typer.Option("--journal", help="The same.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Remove snapshots that no run can go back to: unfinished, never acknowledged, or of runs that are gone."""
    from dalsegno.cli.addresses import default, opened
    from dalsegno.core.journal.cleaning import collect
    from dalsegno.report import numbers

    file = opened(journal or named or default())
    found = collect(file, dry=dry_run)
    if as_json:
        from dalsegno.cli.output import write_json

        write_json(
            {
                "removed": [] if dry_run else found.folders,
                "found": found.folders,
                "bytes": found.bytes,
                "in_use": found.busy,
            }
        )
        return
    for name in found.folders:
        typer.echo(name)
    word = "would free" if dry_run else "freed"
    typer.echo(f"{word} {numbers.size(found.bytes)} in {numbers.plural(len(found.folders), 'snapshot')}")
    for run in found.busy:
        typer.echo(f"run {run} is in use and was left alone", err=True)
