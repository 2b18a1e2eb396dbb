"""``dalsegno check``: prove that somebody's own program resumes."""

from __future__ import annotations

from typing import Annotated

import typer

from dalsegno.cli.ending import ending


@ending
def check(
    program: Annotated[
        list[str], typer.Argument(metavar="MODULE:OBJECT | -- PROGRAM ARGUMENTS...", help="What is to be checked.")
    ],
    steps: Annotated[int, typer.Option(min=2, help="Steps that it is run for.")] = 50,
    kills: Annotated[int, typer.Option(min=1, help="How often it is killed on the way.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Draws the steps at which it is killed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> int:
    """Run a program undisturbed and with kills, and compare: exact (0), approximate or failed (3).

    As in `dalsegno check -- python train.py` or `dalsegno check module:object`. The real run is not touched.
    """
    from dalsegno.core.check import main

    return main(program, steps=steps, kills=kills, seed=seed, as_json=as_json)
