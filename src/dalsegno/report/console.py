"""Where views are printed: a console that is colourful on a terminal and plain, unwrapped text in a pipe."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

PIPED_WIDTH = 400  # wide enough that a pipe gets each row of a table on one line


def console(file: IO[str] | None = None) -> Any:
    """A Rich console on ``file`` (default: standard output)."""
    from rich.console import Console

    class Quiet(Console):
        """A console that says nothing when whoever reads it has left."""

        def on_broken_pipe(self) -> None:
            leave()

    made = Quiet(file=file or sys.stdout, highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_WIDTH
    return made


def leave() -> None:
    """Whoever read our output has left, as ``head`` does: leave as a program that SIGPIPE ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    raise SystemExit(141)
