"""``dalsegno compare``: several runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dalsegno.cli.ending import ending
from dalsegno.cli.show import JOURNAL, RUNS


@ending
def compare(
    runs: Annotated[list[str] | None, RUNS] = None,
    journal: Annotated[str | None, JOURNAL] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Compare by this metric only (may be repeated).")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write a page of the comparison here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Runs grouped by name: medians over their seeds, with bootstrap intervals from three seeds on.

    Ratios are to the first group. Runs that have not ended are counted and left out.
    """
    from dalsegno.cli.addresses import places
    from dalsegno.report import comparison

    found = places(runs or [], journal)
    compared = comparison.compare(found, metrics=metric)
    written = None
    if out is not None:
        from dalsegno.report import page

        written = page.write_comparison(compared, out)
    if as_json:
        from dalsegno.cli.output import write_json

        write_json({**compared.to_dict(), "page": None if written is None else str(written)})
        return
    from dalsegno.report import medians
    from dalsegno.report.console import console

    screen = console()
    screen.print(medians.comparison(compared))
    if written is not None:
        screen.print(str(written))
