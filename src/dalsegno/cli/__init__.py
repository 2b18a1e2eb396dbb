"""The command line: one thin module a command, each of which calls what the library offers."""

from __future__ import annotations

from typing import Annotated

import typer

from dalsegno.cli import check, compare, delete, demo, export, gc, replay, run, show, systems, view

app = typer.Typer(
    name="dalsegno",
    help="Runs anything iterative, decides when to stop, where to go back to and what to keep, and survives being killed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 finished, 1 your own exception, 2 usage, 3 ended not succeeded, 4 refused or damaged, 5 in use, "
    "6 journal error, 7 items failed, 8 hung, 75 stopped on request, 130 Ctrl-C, 143 SIGTERM.",
)


def version(asked: bool) -> None:
    if asked:
        import dalsegno

        typer.echo(f"dalsegno {dalsegno.__version__}")
        raise typer.Exit


@app.callback()
def options(
    asked: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


for name, command in (
    ("run", run.run),
    ("show", show.show),
    ("view", view.view),
    ("compare", compare.compare),
    ("check", check.check),
    ("replay", replay.replay),
    ("export", export.export),
    ("delete", delete.delete),
    ("gc", gc.gc),
    ("systems", systems.systems),
    ("demo", demo.demo),
):
    app.command(name)(command)


def main() -> None:
    """The program ``dalsegno``."""
    app(prog_name="dalsegno")
