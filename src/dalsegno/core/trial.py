"""What ``dalsegno check`` asks of a program that it starts: another journal, an early end, snapshots often, a kill.

It is asked by one environment variable, so that somebody's own script needs no change and its real run is not touched.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from itertools import count
from math import inf
from typing import Any

from dalsegno.core.errors import UsageError

VARIABLE = "DALSEGNO_TRIAL"


@dataclass(frozen=True)
class Trial:
    """``journal`` to write to, ``steps`` after which a run stops, snapshots ``every`` so many of them, and the place at which
    the program kills itself: which of the runs that it opens (from 0), which attempt in it, after which step."""

    journal: str
    steps: int
    every: int
    kill_at: tuple[int, int, int] | None = None

    def to_environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def asked(cls) -> Trial | None:
        text = os.environ.get(VARIABLE)
        if not text:
            return None
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{VARIABLE}={text!r} cannot be read: {error}") from None

    def listener(self) -> Killer:
        return Killer(None if self.kill_at is None else (self.kill_at[0], self.kill_at[1], self.kill_at[2]))


OPENED = count()  # the runs that this program has opened


class Killer:
    """Watches the steps of one run and kills the program at a place, as a machine that is lost would."""

    every_step = True

    def __init__(self, place: tuple[int, int, int] | None) -> None:
        self.place, self.run = place, next(OPENED)

    def __call__(self, event: Any) -> None:
        if type(event).__name__ == "StepTaken" and (self.run, event.attempt, event.step) == self.place:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Often:
    """The trial's schedule of snapshots: every so many steps, whatever the plan says."""

    steps: int
    keep: Any

    def due(self, trace: Any, saved: float | None) -> tuple[float, float]:
        return (trace.attempt.steps // self.steps + 1) * self.steps, inf
