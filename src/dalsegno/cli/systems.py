"""``dalsegno systems``: the catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from dalsegno.cli.ending import ending


@ending
def systems(
    number: Annotated[int | None, typer.Argument(help="One system, in full.")] = None,
    wing: Annotated[str | None, typer.Option(help="Only those of a wing: policies, training, search ...")] = None,
    question: Annotated[str | None, typer.Option(help="Only those that answer when, where or what.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those that are planned, or that work.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """The systems of the catalog: number, name, source, question, wing, state."""
    from dalsegno.catalog import QUESTIONS, STATES, WINGS, system
    from dalsegno.catalog import systems as every
    from dalsegno.core.errors import UsageError

    for option, value, known in (("wing", wing, WINGS), ("question", question, QUESTIONS), ("state", state, STATES)):
        if value is not None and value not in known:
            raise UsageError(f"--{option} {value}: expected one of {', '.join(known)}")
    rows = [system(number)] if number is not None else every()
    rows = [row for row in rows if wing in (None, row.wing) and state in (None, row.state)]
    rows = [row for row in rows if question is None or question in row.question]
    if as_json:
        from dalsegno.cli.output import write_json
        from dalsegno.report.strict_json import plain

        write_json([{**plain(row), "source": row.source} for row in rows])
        return
    from dalsegno.report import tables
    from dalsegno.report.console import console

    if number is not None:
        console().print(tables.fields({**vars_of(rows[0]), "source": rows[0].source}))
    else:
        console().print(tables.systems(rows))


def vars_of(row: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(row)  # type: ignore[call-overload, no-any-return]
