"""This program: attempts one after another, in the order of their numbers; the reference for all other executors."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from dalsegno.core.executors.base import Handle, Task


class Here:
    """Runs each attempt in a thread of this program, one at a time: deterministic, and no plan needs to travel."""

    def __init__(self) -> None:
        self.turn = threading.Lock()

    def start(self, task: Task) -> Handle:
        handle = HereHandle(task.number)
        thread = threading.Thread(
            target=handle.serve, args=(task, self.turn), daemon=True, name=f"attempt {task.number}"
        )
        thread.start()
        return handle

    def wait(self, handles: Sequence[Handle], timeout: float) -> list[Handle]:
        waiting = [handle for handle in handles if not handle.outbox.empty()]  # type: ignore[attr-defined]
        if not waiting and handles:
            threading.Event().wait(min(timeout, 0.002))
        return waiting


class Killed(BaseException):
    """Raised in an attempt's thread at its next message, once the driver has cut it."""


class HereHandle:
    def __init__(self, number: int) -> None:
        self.number = number
        self.outbox: queue.Queue[bytes | None] = queue.Queue()
        self.inbox: queue.Queue[bytes | None] = queue.Queue()
        self.gone = False

    def serve(self, task: Task, turn: threading.Lock) -> None:
        from dalsegno.core.loops.worker import work

        with turn:
            try:
                if not self.gone:
                    work(task, self.exchange)
            except Killed:
                pass
            finally:
                self.outbox.put(None)

    def exchange(self, message: bytes) -> bytes:
        if self.gone:
            raise Killed
        self.outbox.put(message)
        answer = self.inbox.get()
        if answer is None:
            raise Killed
        return answer

    def send(self, message: bytes) -> None:
        self.inbox.put(message)

    def receive(self) -> bytes | None:
        return self.outbox.get()

    exit_code = None

    def kill(self) -> None:
        self.gone = True
        self.inbox.put(None)
