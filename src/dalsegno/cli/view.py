"""``dalsegno view``: a page of a run or of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dalsegno.cli.ending import ending
from dalsegno.cli.show import JOURNAL, RUNS


@ending
def view(
    runs: Annotated[list[str] | None, RUNS] = None,
    journal: Annotated[str | None, JOURNAL] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write it (default: beside the journal).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as JSON and nothing else.")] = False,
) -> None:
    """Write a page that opens with no network, and print its path: curves, decisions, attempts and branches, cost."""
    from dalsegno.cli.addresses import places
    from dalsegno.report import page

    found = places(runs or [], journal)
    where = page.write_places(found, out or default_path(found))
    if as_json:
        from dalsegno.cli.output import write_json

        write_json({"page": str(where.resolve())})
    else:
        typer.echo(str(where))


def default_path(found: list) -> Path:  # type: ignore[type-arg]
    """``runs.html`` for a journal ``runs.db``, ``runs-3.html`` for its run 3."""
    file, ids = found[0]
    one = f"-{ids[0]}" if ids is not None and len(ids) == 1 and len(found) == 1 else ""
    path: Path = file.path
    return path.with_name(f"{path.stem}{one}.html")
