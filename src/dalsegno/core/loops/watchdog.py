"""The watchdog: a step that never returns is journaled as hung, and the program leaves with exit code 8."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from dalsegno.core.errors import HungError

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor


class Watchdog:
    """Looks at when the last step began, from a thread of its own; nothing else can be done to a step in this program."""

    def __init__(self, conductor: Conductor, limit: float | None) -> None:
        self.conductor, self.limit = conductor, limit
        self.stopped = threading.Event()

    def __enter__(self) -> Watchdog:
        if self.limit is not None:
            self.thread = threading.Thread(target=self.watch, name="dalsegno watchdog", daemon=True)
            self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()

    def watch(self) -> None:
        assert self.limit is not None
        while not self.stopped.wait(min(self.limit / 4, 1.0)):
            conductor = self.conductor
            if conductor.is_ready and time.perf_counter() - conductor.last > self.limit:
                self.leave()

    def leave(self) -> None:
        conductor = self.conductor
        trace = conductor.machine.trace
        step = trace.attempt.steps + 1
        message = f"step {step} of attempt {trace.attempt.number} did not return within {self.limit:g} s"
        try:
            conductor.journal.hung(conductor.attempt_id, message)
        except Exception as error:  # the program is about to be left: what can still be said is said
            message += f"; it could not be journaled: {error}"
        sys.stderr.write(f"dalsegno: {message}. The same command goes on from the newest snapshot.\n")
        sys.stderr.flush()
        os._exit(HungError.exit_code)
