"""The catalog of systems: a typed reader of ``catalog.toml``, which has one row for each published system."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dalsegno.core.errors import DalsegnoError, UsageError

QUESTIONS: Final = ("when", "where", "what")
STATES: Final = ("planned", "works")
WINGS: Final = (
    "policies",
    "checkpoint",
    "training",
    "continual",
    "adapters",
    "reason",
    "control",
    "search",
    "serving",
)


class CatalogError(DalsegnoError):
    """The catalog is damaged: the message names the row, the field and what was expected of it."""


@dataclass(frozen=True, slots=True)
class System:
    """One published system, or the theory they share (number 0).

    Attributes:
        number: its number everywhere, 0 to 63.
        name: what it is called.
        authors: of the paper it comes from.
        year: in which it first appeared (of the oldest, where there are several).
        arxiv: the paper's identifier there; empty where it is no one paper.
        question: which of ``when``, ``where`` and ``what`` it answers, in this order.
        wing: the part of the library that it belongs to.
        entry: where a user begins, ``dalsegno.<wing>.<name>``; planned until the state is ``works``.
        study: the name of the study that shows its claim beside its baselines.
        state: ``planned`` or ``works``.
        does: one sentence on what it does for its user.
    """

    number: int
    name: str
    authors: str
    year: int
    arxiv: str
    question: tuple[str, ...]
    wing: str
    entry: str
    study: str
    state: str
    does: str

    @property
    def source(self) -> str:
        """The paper in one line.

        >>> system(14).source
        'Watson, Correll (2023), arXiv 2301.10846'
        """
        return f"{self.authors} ({self.year})" + (f", arXiv {self.arxiv}" if self.arxiv else "")


_TEXTS = {
    "name": r"\S.{1,60}",
    "authors": r"\S.+",
    "arxiv": r"(\d{4}\.\d{4,5})?",
    "wing": "|".join(WINGS),
    "entry": r"dalsegno(\.[a-z_]+)+\.\w+",
    "study": r"s\d\d_[a-z0-9_]+",
    "state": "|".join(STATES),
    "does": r"[A-Z].{20,180}\.",
}


def _system(position: int, row: Mapping[str, Any]) -> System:
    expected = {field.name for field in fields(System)}
    if set(row) != expected:
        missing, unknown = sorted(expected - set(row)), sorted(set(row) - expected)
        raise CatalogError(f"row {position} of the catalog: missing {missing}, unknown {unknown}")

    def demand(holds: bool, field: str, wanted: str) -> None:
        if not holds:
            raise CatalogError(f"row {position} of the catalog: {field} is {row[field]!r}, expected {wanted}")

    demand(type(row["number"]) is int and row["number"] == position, "number", f"{position}, its place")
    demand(type(row["year"]) is int and 1990 <= row["year"] <= 2100, "year", "a year")
    for field, pattern in _TEXTS.items():
        text = row[field]
        demand(isinstance(text, str) and bool(re.fullmatch(pattern, text)), field, f"a text like {pattern}")
    asked = row["question"]
    in_order = [question for question in QUESTIONS if isinstance(asked, list) and question in asked]
    demand(bool(asked) and in_order == asked, "question", f"some of {QUESTIONS}, in this order")
    demand(row["entry"].startswith(f"dalsegno.{row['wing']}."), "entry", "a name in its wing")
    demand(row["study"].startswith(f"s{position:02d}_"), "study", f"a name that begins with s{position:02d}_")
    return System(**{**row, "question": tuple(asked)})


def read(text: str) -> tuple[System, ...]:
    """Reads and checks a catalog.

    Args:
        text: TOML with one table ``[[system]]`` a row, in the order of the numbers from 0.

    Raises:
        CatalogError: a row, a field or the whole text is not what it has to be.

    >>> read("")
    Traceback (most recent call last):
        ...
    dalsegno.catalog.CatalogError: the catalog has no table [[system]]
    """
    try:
        rows = tomllib.loads(text).get("system")
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"the catalog is not valid TOML: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise CatalogError("the catalog has no table [[system]]")
    return tuple(_system(position, row) for position, row in enumerate(rows))


@cache
def _shipped() -> tuple[System, ...]:
    return read(files("dalsegno").joinpath("catalog.toml").read_text(encoding="utf-8"))


def systems() -> list[System]:
    """Every system of the catalog, by number; the first is the theory that they share.

    >>> [system.name for system in systems()][:3]
    ['Restart theory', 'NotSoSimple', 'LNN drift']
    """
    return list(_shipped())


def system(number: int) -> System:
    """The system of a number.

    Raises:
        UsageError: no system has this number.

    >>> system(47).wing
    'search'
    """
    rows = _shipped()
    if not 0 <= number < len(rows):
        raise UsageError(f"there is no system {number}: numbers go from 0 to {len(rows) - 1}")
    return rows[number]
