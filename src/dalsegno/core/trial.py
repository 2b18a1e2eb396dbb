"""What ``dalsegno check`` asks of a program that it starts: another journal, an early end, snapshots often, a kill.

It is asked by one environment variable, so that somebody's own script needs no change and its real run is not touched.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from dalsegno.core.errors import UsageError

VARIABLE = "DALSEGNO_TRIAL"


@dataclass(frozen=True)
class Trial:
    """``journal`` to write to, ``steps`` after which the run stops, snapshots ``every`` so many of them, and the step taken
    in this program after which it kills itself (0 for never)."""

    journal: str
    steps: int
    every: int
    kill_after: int = 0

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
        return Killer(self.kill_after)


class Killer:
    """Counts the steps taken in this program and kills it, as a machine that is lost would."""

    every_step = True

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, event: Any) -> None:
        if type(event).__name__ == "StepTaken":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Often:
    """The trial's schedule of snapshots: every so many steps, whatever the plan says."""

    steps: int
    keep: Any

    def due(self, trace: Any, saved: float | None) -> tuple[float, float]:
        return (trace.attempt.steps // self.steps + 1) * self.steps, inf
