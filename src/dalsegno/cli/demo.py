"""``dalsegno demo``: the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dalsegno.cli.ending import ending


@ending
def demo(
    out: Annotated[Path, typer.Option(help="The folder for everything that is written.")] = Path("dalsegno-demo"),
    seed: Annotated[int, typer.Option(min=0, help="The root seed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON and nothing else.")] = False,
) -> int:
    """Training that is killed and goes wrong, and a search with a heavy tail, on real input (about two minutes)."""
    from dalsegno.studies.demo import main

    return main(json=as_json, out=out, seed=seed)
