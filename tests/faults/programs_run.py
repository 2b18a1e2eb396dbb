"""Starting the programs under faults, killing them, and reading what they printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
SOURCE = HERE.parents[1] / "src"
PATIENCE = 120.0  # seconds after which a program that does not end is given up


def environment(**more):
    """This program's environment with the library and the programs on the path."""
    path = os.pathsep.join([str(SOURCE), str(PROGRAMS), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}
    found.pop("DALSEGNO_TRIAL", None)
    return found


@dataclass
class Ended:
    """How a program ended: its status (negative: the signal that killed it) and what it printed."""

    status: int
    printed: str

    @property
    def told(self):
        """What ``show`` printed, the last line of a program that ended by itself."""
        assert self.status == 0, self.printed
        return json.loads(self.printed.strip().splitlines()[-1])

    @property
    def last_words(self):
        lines = [line for line in self.printed.splitlines() if line and not line.startswith(" ")]
        return lines[-1] if lines else ""


class Program:
    """A running program, forked by a launcher or started by itself."""

    def __init__(self, pid, out, wait):
        self.pid, self.out, self.wait_for_status = pid, out, wait
        self.status = None
        self.thread = threading.Thread(target=self.reap, daemon=True)
        self.thread.start()

    def reap(self):
        self.status = self.wait_for_status()

    @property
    def alive(self):
        return self.thread.is_alive()

    def kill(self, number=signal.SIGKILL):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass  # it has just ended by itself

    def ended(self, patience=PATIENCE):
        self.thread.join(patience)
        if self.alive:
            self.kill()
            self.thread.join(10)
            raise AssertionError(
                f"the program did not end within {patience:g} s:\n{self.out.read_text(errors='replace')}"
            )
        return Ended(self.status, self.out.read_text(errors="replace"))


class Launcher:
    """Forks programs from an interpreter that has imported what they need; see ``programs/launcher.py``."""

    def __init__(self, *preloaded, **more):
        command = [sys.executable, str(PROGRAMS / "launcher.py"), *preloaded]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(**more)
        )
        assert self.process.stdout.readline() == "ready\n"

    def start(self, script, *arguments, out, **more):
        order = {
            "arguments": [str(PROGRAMS / script), *map(str, arguments)],
            "environment": {name: str(value) for name, value in more.items()},
            "out": str(out),
        }
        Path(out).write_text("")
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        return Program(pid, Path(out), lambda: int(self.process.stdout.readline()))

    def run(self, script, *arguments, out, **more):
        return self.start(script, *arguments, out=out, **more).ended()

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def start_alone(script, *arguments, out, **more):
    """The same program by an interpreter of its own, as somebody would start it."""
    command = [sys.executable, str(PROGRAMS / script), *map(str, arguments)]
    with open(out, "wb") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment(**more)
        )
    return Program(process.pid, Path(out), process.wait)


def until(condition, patience=30.0, pause=0.01):
    """Wait until ``condition()`` gives something true, and hand it back."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {patience:g} s in vain")
