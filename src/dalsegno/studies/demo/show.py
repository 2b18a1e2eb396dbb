"""What the demonstration prints: tables, and bars with the time left where somebody is watching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

PIPED_WIDTH = 110


class Show:
    """Prints to standard output; ``quiet`` prints nothing (for JSON). Bars are shown on a terminal only."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(quiet=quiet, highlight=False)
        if not self.console.is_terminal:
            self.console.width = PIPED_WIDTH

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def say(self, text: str) -> None:
        self.console.print(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
        """The first column is text, the others are figures."""
        table = Table(
            title=title,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for number, name in enumerate(columns):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self.console.print()
        self.console.print(table)
        if note:
            self.console.print(f"[dim]{note}[/]")

    def check(self, what: str, held: bool) -> None:
        self.console.print(f"  [green]yes[/]  {what}" if held else f"  [bold red]NO[/]   {what}")

    @contextmanager
    def bars(self) -> Iterator[Progress]:
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=self.console.quiet or not self.console.is_terminal,
        )
        with progress:
            yield progress


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,.0f}"


def between(low: float, high: float, form: str = ",.0f") -> str:
    return f"{low:{form}}–{high:{form}}"
