"""``dalsegno export``: steps and tables as CSV, curves for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dalsegno.cli.ending import ending
from dalsegno.cli.show import JOURNAL, RUNS


@ending
def export(
    runs: Annotated[list[str] | None, RUNS] = None,
    journal: Annotated[str | None, JOURNAL] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file (default: standard output).")] = None,
    table: Annotated[
        str, typer.Option(help="steps, runs, attempts, branches, decisions, snapshots or calls.")
    ] = "steps",
    every: Annotated[
        bool, typer.Option("--all", help="The abandoned steps too, and a column that says which.")
    ] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write for TensorBoard into this folder instead.")
    ] = None,
) -> None:
    """Write steps (or another table) as CSV, or curves for TensorBoard."""
    from dalsegno.cli.addresses import places
    from dalsegno.core.errors import JournalError, UsageError
    from dalsegno.report import export as exports

    found = places(runs or [], journal)
    if len(found) > 1:
        raise UsageError("export reads one journal at a time")
    file, ids = found[0]
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it first")
    if tensorboard is not None:
        try:
            tensorboard.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"--tensorboard {tensorboard}: cannot be made: {error.strerror}") from None
        for folder in exports.to_tensorboard(file, ids, tensorboard):
            typer.echo(str(folder))
        return
    if table not in exports.TABLES:
        raise UsageError(f"--table {table}: expected one of {', '.join(exports.TABLES)}")
    file.rows("runs")  # what cannot be read is refused before a file is begun
    if out is None:
        import sys

        write(exports, file, ids, table, every, sys.stdout)
        sys.stdout.flush()
    else:
        try:
            with out.open("w", newline="", encoding="utf-8", errors="backslashreplace") as target:
                count = write(exports, file, ids, table, every, target)
        except OSError as error:
            raise JournalError(f"--out {out}: cannot be written: {error.strerror}") from None
        typer.echo(f"{count:,} rows to {out}", err=True)


def write(exports: Any, file: Any, ids: list[int] | None, table: str, every: bool, out: Any) -> int:
    if table == "steps":
        return int(exports.steps_to_csv(file, ids, out, every=every))
    return int(exports.table_to_csv(file, table, ids, out))
