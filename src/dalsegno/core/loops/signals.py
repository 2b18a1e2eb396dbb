"""Signals set a flag; the loop looks at it at the next boundary, where nothing is cut in half."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

REQUESTS = (signal.SIGINT, signal.SIGTERM)


def of_asyncio(handler: Any) -> bool:
    """Whether this is the handler that ``asyncio.run`` sets, which would cancel a step in its middle."""
    return getattr(getattr(handler, "func", None), "__qualname__", "") == "Runner._on_sigint"


class Interruptions:
    """While it is entered, the first Ctrl-C or SIGTERM is kept for the next boundary; a second Ctrl-C leaves at once.

    Handlers are set in the main thread only, and only where the program has none of its own.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self.notify = notify
        self.received: int | None = None
        self.former: dict[int, Any] = {}

    def __enter__(self) -> Interruptions:
        if threading.current_thread() is threading.main_thread():
            for number in REQUESTS:
                handler = signal.getsignal(number)
                if handler in (signal.SIG_DFL, signal.default_int_handler) or of_asyncio(handler):
                    self.former[number] = handler
                    signal.signal(number, self.receive)
        return self

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
        self.notify()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.former.items():
            if signal.getsignal(number) == self.receive:
                signal.signal(number, handler)
        self.former = {}

    def leave(self) -> BaseException:
        """The exception that the received signal asks for."""
        if self.received == signal.SIGINT:
            return KeyboardInterrupt()
        return SystemExit(128 + int(self.received or signal.SIGTERM))
