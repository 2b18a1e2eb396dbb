"""Run a program to its end, killing it with SIGKILL on the way and starting it again with the same command.

The program logs every step it takes in one unbuffered line, ``pid step place loss``; the log outlives a kill
to the last line, so it says exactly how far a killed program had come and where the next one went on.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dalsegno.core.errors import DalsegnoError

LOOK = 0.008  # seconds between two looks at the log
PATIENCE = 180.0  # seconds without a step after which a program is given up


class DemoError(DalsegnoError):
    """A part of the demonstration could not be carried out."""


@dataclass(frozen=True)
class Kill:
    """When to kill: ``delay`` seconds after ``step`` has been logged."""

    step: int
    delay: float = 0.0


@dataclass(frozen=True)
class Line:
    """One step that was taken: by which program, its number on the line that counts, the batch, the loss."""

    pid: int
    step: int
    place: int
    loss: float


@dataclass
class Life:
    """One program from its start to its end: the steps it took, and whether it was killed."""

    pid: int
    killed: bool
    seconds: float
    lines: list[Line] = field(default_factory=list)


@dataclass
class Course:
    """All the programs that one run took, in order, and what the last of them printed."""

    lives: list[Life]
    output: str

    @property
    def lines(self) -> list[Line]:
        return [line for life in self.lives for line in life.lines]

    @property
    def seconds(self) -> float:
        return sum(life.seconds for life in self.lives)


class Log:
    """Reads what a program appends, each line once."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset, self.rest = path, 0, b""

    def new_lines(self) -> list[Line]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = self.rest + file.read()
            self.offset = file.tell()
        *whole, self.rest = data.split(b"\n")
        fields = [line.split() for line in whole]
        return [Line(int(pid), int(step), int(place), float(loss)) for pid, step, place, loss in fields]


def run_with_kills(
    command: Sequence[str],
    log: Path,
    kills: Sequence[Kill] = (),
    *,
    environment: Mapping[str, str],
    told: Callable[[Line], None] = lambda line: None,
    stop: threading.Event | None = None,
) -> Course:
    """Start ``command``, kill it at each of ``kills`` and start it again, and let the last one end by itself.

    ``told`` hears of every step; where ``stop`` is set, from another thread, the program is killed and left.
    Raises :class:`DemoError` if a program ends before its kill, ends with a status other than 0, or takes no
    step for long.
    """
    reader, lives, output = Log(log), [], ""
    for kill in [*kills, None]:
        life, output, status = live(command, reader, kill, environment, told, stop)
        lives.append(life)
        if kill is None and status != 0:
            raise DemoError(f"{' '.join(command)} ended with status {status}:\n{output}")
        if kill is not None and not life.killed:
            raise DemoError(f"{' '.join(command)} ended, status {status}, before step {kill.step}:\n{output}")
    return Course(lives, output)


def live(
    command: Sequence[str],
    reader: Log,
    kill: Kill | None,
    environment: Mapping[str, str],
    told: Callable[[Line], None],
    stop: threading.Event | None,
) -> tuple[Life, str, int]:
    """One program, from its start to its kill or end."""
    began = heard = time.monotonic()
    printed = reader.path.with_suffix(".out")  # a file, as a pipe that nobody reads would fill up and hold the program
    with (
        printed.open("wb") as sink,
        subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=dict(environment)) as program,
    ):
        life = Life(program.pid, False, 0.0)
        try:
            while program.poll() is None:
                for line in reader.new_lines():
                    heard = time.monotonic()
                    life.lines.append(line)
                    told(line)
                if kill is not None and life.lines and life.lines[-1].step >= kill.step:
                    time.sleep(kill.delay)
                    program.kill()
                    life.killed = program.wait() == -9
                    break
                if stop is not None and stop.is_set():
                    raise DemoError(f"{' '.join(command)} was called off")
                if time.monotonic() - heard > PATIENCE:
                    raise DemoError(f"{' '.join(command)} took no step for {PATIENCE:g} s")
                time.sleep(LOOK)
        finally:
            if program.poll() is None:
                program.kill()
    for line in reader.new_lines():
        life.lines.append(line)
        told(line)
    life.seconds = time.monotonic() - began
    return life, printed.read_text(errors="replace"), program.returncode
