"""What a loop is told between two steps, and where an attempt goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dalsegno.core.decisions import Change


class Instruction:
    """What a loop is told."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return self.word


ENDED = Instruction("ENDED")
AGAIN = Instruction("AGAIN")


class EngineWarning(UserWarning):
    """Something that the engine noticed and went on in spite of."""


class Landing:
    """Where an attempt goes on from when it is ready: a state to put back, and the changes to make to it."""

    def __init__(self, reader: Any, engine: dict[str, Any], changes: Sequence[Change], step: int) -> None:
        self.reader, self.engine, self.changes, self.step = reader, engine, list(changes), step
        self.state: dict[str, Any] = reader.get("process")
