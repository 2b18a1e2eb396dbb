"""``dalsegno run``: run a plan, a process or a function."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from dalsegno.cli.ending import ending


@ending
def run(
    target: Annotated[
        str, typer.Argument(metavar="MODULE:OBJECT", help="A Plan, a Process or a function train(attempt).")
    ],
    journal: Annotated[
        str | None, typer.Option(help="The journal's file. Without one nothing outlives the program.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's name (default: that of the class or function).")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The root seed (default: the plan's, or one drawn once).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="An argument of the class or function; the value is JSON or text."
        ),
    ] = None,
    rules: Annotated[
        str | None, typer.Option(metavar="MODULE:OBJECT", help="The rules, in place of the plan's.")
    ] = None,
    every: Annotated[int | None, typer.Option(min=1, metavar="STEPS", help="A snapshot every so many steps.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; an older run of the name is put aside.")] = False,
    fresh_if_changed: Annotated[
        bool, typer.Option("--fresh-if-changed", help="Begin anew only if process or rules have changed.")
    ] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Let an ended run go on under limits that have moved.")
    ] = False,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A difference to go on in spite of (may be repeated).")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Attempts at a time; the first success wins.")] = 1,
    executor: Annotated[
        str | None, typer.Option(help="Where attempts run: local (programs of their own) or here.")
    ] = None,
    step_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="A step that takes longer is hung: 90s, 10m.")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a locked journal is waited for.")
    ] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> int:
    """Run a plan, a process or a function under its rules.

    The same command after a kill goes on where the run was; after its end it prints the stored result.
    """
    from dalsegno.cli.output import only_answers, write_json

    options = {
        "journal": journal,
        "fresh": "if changed" if fresh_if_changed else fresh,
        "extend": extend,
        "accept": accept or [],
        "wait": wait,
        "parallel": parallel,
        "executor": executor,
    }
    check(fresh, fresh_if_changed, extend)
    with only_answers(as_json):
        result, how = carry_out(
            target,
            settings or [],
            rules,
            every,
            {"name": name, "seed": seed, "step_timeout": step_timeout},
            options,
            quiet,
        )
        if as_json:
            write_json({**result.to_dict(), "exit_code": result.exit_code})
            return int(result.exit_code)
    if not quiet:
        answer(result, how)
    return int(result.exit_code)


def check(fresh: bool, fresh_if_changed: bool, extend: bool) -> None:
    from dalsegno.core.errors import UsageError

    if fresh + fresh_if_changed + extend > 1:
        raise UsageError("--fresh, --fresh-if-changed and --extend exclude each other: give one of them")


def carry_out(
    target: str,
    settings: list[str],
    rules: str | None,
    every: int | None,
    replaced: dict[str, Any],
    options: dict[str, Any],
    quiet: bool,
) -> tuple[Any, str]:
    """Make the plan, run it with progress, and say how it was taken up."""
    import warnings

    from dalsegno import EngineWarning
    from dalsegno.cli.ending import say
    from dalsegno.cli.target import load, parse_settings, plan
    from dalsegno.core.loops.api import run as engine
    from dalsegno.core.trial import VARIABLE
    from dalsegno.report.progress import Progress

    made = plan(target, parse_settings(settings))
    if rules is not None:
        replaced["rules"] = load(rules, "a list of rules")
    if every is not None:
        from dalsegno.policies import Every

        replaced["checkpoint"] = Every(steps=every)
    made = made.with_(**{name: value for name, value in replaced.items() if value is not None})
    if options["journal"] is None and not quiet and not os.environ.get(VARIABLE):
        say("no --journal: this run is kept in memory and cannot be resumed or looked at later")
    warnings.simplefilter("ignore", EngineWarning)  # the progress says them
    with Progress(made.rules, quiet=quiet) as progress:
        try:
            result = engine(made, listeners=[progress], **options)
        except KeyboardInterrupt:
            progress.close()
            left(progress, made, options["journal"], quiet)
            raise
    return result, progress.how


def left(progress: Any, plan: Any, journal: str | None, quiet: bool) -> None:
    from dalsegno.cli.ending import say

    if quiet:
        return
    step = progress.trace.attempt.steps if progress.trace is not None else progress.last_step
    where = f"{plan.run_name} at step {step:,}" if step else plan.run_name
    say(f"interrupted {where}" + ("; the same command goes on from there" if journal else ""))


def answer(result: Any, how: str) -> None:
    """The result for a person."""
    import sys

    from dalsegno.report.progress import summary

    if how == "ended":
        sys.stdout.write("ended before; this is the stored result\n")
    sys.stdout.write(summary(result) + "\n")
    if result.journal and sys.stdout.isatty():
        sys.stdout.write(f"look at it: dalsegno view {result.journal}:{result.run}\n")
