"""``dalsegno show``: the runs of a journal, or one run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dalsegno.cli.ending import ending

RUNS = typer.Argument(metavar="JOURNAL[:RUN]...", help="A journal, or a run in it by number or name.")
JOURNAL = typer.Option(help="The journal, where only runs are named (default: $DALSEGNO_JOURNAL, or runs.db here).")


@ending
def show(
    runs: Annotated[list[str] | None, RUNS] = None,
    journal: Annotated[str | None, JOURNAL] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """The runs of a journal; or of one run its attempts, decisions, snapshots, cost and warnings."""
    from dalsegno.cli.addresses import places

    found = places(runs or [], journal)
    if as_json:
        from dalsegno.cli.output import write_json

        write_json([line for file, ids in found for line in told(file, ids)])
        return
    from dalsegno.report import record, tables
    from dalsegno.report.console import console

    screen = console()
    for file, ids in found:
        if ids is None or len(ids) > 1:
            rows = [row for row in file.rows("runs") if ids is None or row["id"] in ids]
            screen.print(tables.runs(rows, str(file.path)) if rows else f"{file.path} has no runs yet")
        else:
            tables.show(record.read(file, ids[0]), screen)


def told(file: Any, ids: list[int] | None) -> list[dict[str, Any]]:
    """Rows of runs; a run that was named comes with its tables."""
    rows = [row for row in file.rows("runs") if ids is None or row["id"] in ids]
    if ids is not None:
        for row in rows:
            parts = ("attempts", "branches", "decisions", "snapshots", "owners", "calls")
            row["tables"] = {name: file.rows(name, row["id"]) for name in parts}
    return [{"journal": str(file.path), **row} for row in rows]
