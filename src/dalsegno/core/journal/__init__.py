"""The journal: the durable record of runs, in one SQLite file that any number of programs may use at a time."""

from dalsegno.core.journal.calls import Call
from dalsegno.core.journal.journal import Journal
from dalsegno.core.journal.writer import Lane, RunWriter

__all__ = ["Call", "Journal", "Lane", "RunWriter"]
