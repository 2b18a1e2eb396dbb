"""The journal of runs."""

from dalsegno.core.journal.journal import Journal
from dalsegno.core.journal.writer import Call, Lane, RunWriter

__all__ = ["Call", "Journal", "Lane", "RunWriter"]
