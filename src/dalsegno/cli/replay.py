"""``dalsegno replay``: where would these rules have fired on past curves?"""

from __future__ import annotations

from typing import Annotated

import typer

from dalsegno.cli.ending import ending


@ending
def replay(
    rules: Annotated[
        str, typer.Argument(metavar="MODULE:RULES", help="A rule or a list of rules: module:object or file.py:object.")
    ],
    data: Annotated[
        str, typer.Argument(metavar="CSV|JOURNAL", help="Past curves: a CSV file with a line a step, or a journal.")
    ],
    seconds_column: Annotated[str | None, typer.Option(help="The column with the seconds that each step took.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Where rules would have fired on past curves, as if nobody had acted on any of them."""
    from dalsegno.cli.output import only_answers, write_json
    from dalsegno.cli.target import load
    from dalsegno.core.plan import Plan
    from dalsegno.core.replay import replay as engine

    with only_answers(as_json):
        loaded = load(rules, "a rule, a list of rules, or a Plan")
        found = engine(loaded.rules if isinstance(loaded, Plan) else loaded, data, seconds_column=seconds_column)
        if as_json:
            write_json(
                {"rules": found.rules, "firings": found.to_list(), "decisions": found.decisions, "notes": found.notes}
            )
            return
    from dalsegno.report import tables
    from dalsegno.report.console import console

    screen = console()
    screen.print(tables.replay(found))
    for decision in found.decisions:
        screen.print(found.said(decision))
    if not found.decisions:
        screen.print("No rule would have acted.")
    for note in found.notes:
        screen.print(f"note: {note}")
