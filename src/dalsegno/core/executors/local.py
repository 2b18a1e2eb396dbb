"""Local programs: each attempt in a process of its own, so that it can be stopped, or killed when a step hangs."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Sequence
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.executors.base import Handle, Task


class Local:
    """``method`` is how programs are started: ``"fork"`` (any plan; the default) or ``"spawn"`` (importable plans only)."""

    def __init__(self, method: str = "fork") -> None:
        if method not in ("fork", "spawn", "forkserver"):
            raise UsageError(f"Local(method={method!r}): expected 'fork', 'spawn' or 'forkserver'")
        self.context = multiprocessing.get_context(method)

    def start(self, task: Task) -> Handle:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=serve, args=(task, theirs, ours), daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        return LocalHandle(task.number, process, ours)

    def wait(self, handles: Sequence[Handle], timeout: float) -> list[Handle]:
        by_pipe = {handle.pipe: handle for handle in handles}  # type: ignore[attr-defined]
        return [by_pipe[pipe] for pipe in multiprocessing.connection.wait(list(by_pipe), timeout)]


class LocalHandle:
    def __init__(self, number: int, process: Any, pipe: Any) -> None:
        self.number, self.process, self.pipe = number, process, pipe

    def send(self, message: bytes) -> None:
        try:
            self.pipe.send_bytes(message)
        except (BrokenPipeError, OSError):
            pass  # gone: receive says so

    def receive(self) -> bytes | None:
        try:
            return bytes(self.pipe.recv_bytes())
        except (EOFError, OSError):
            return None

    @property
    def exit_code(self) -> int | None:
        self.process.join(1.0)
        code: int | None = self.process.exitcode
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.join(5.0)
        self.pipe.close()


def serve(task: Task, pipe: Any, other_end: Any) -> None:
    """The main function of a worker program."""
    from dalsegno.core.loops.worker import work

    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the driver decides what it means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def exchange(message: bytes) -> bytes:
        try:
            pipe.send_bytes(message)
            return bytes(pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)  # the driver is gone: nothing this program does can be made durable any more

    work(task, exchange)
    pipe.close()
