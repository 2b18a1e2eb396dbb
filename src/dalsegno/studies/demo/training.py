"""The first part: training that is killed and meets a corrupted shard, beside runs that tell what that did.

Four runs of ``train_mnist.py``, each a program of its own with a journal of its own:

* *killed*: killed with SIGKILL at two random instants and started again with the same command;
* *undisturbed*: the same command, left alone; its decisions and final weights must be the same, bit for bit;
* *epoch checkpoints*: killed at the same steps, with a snapshot at the end of an epoch only;
* *no rule*: nothing goes back when the loss spikes.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from dalsegno.studies.demo import digits
from dalsegno.studies.demo.killing import Course, Kill, Line, run_with_kills
from dalsegno.studies.demo.show import Show
from dalsegno.studies.demo.training_figures import EPOCHS, KILLED, NO_RULE, UNDISTURBED, compare, print_part

SCRIPT = Path(__file__).with_name("train_mnist.py")
SKIP = 12  # batches left out around a spike: the corrupted shard, wherever in it the spike is noticed


@dataclass(frozen=True)
class Setting:
    """``epochs`` over the shards, a snapshot every ``every`` steps; ``seed`` is of data, kills, weights."""

    epochs: int = 3
    every: int = 10
    kills: int = 2
    seed: int = 0

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch on the line that counts, with the batches around the corrupted shard left out."""
        return digits.SHARDS * digits.BATCHES_PER_SHARD - SKIP


def kills_of(setting: Setting) -> list[Kill]:
    """Random steps and delays: one kill in each equal part of the run, away from its edges."""
    generator = np.random.default_rng((setting.seed, 1))
    part = setting.epochs * setting.epoch_steps / setting.kills
    steps = [int(part * (number + generator.uniform(0.1, 0.8))) for number in range(setting.kills)]
    return [Kill(step, float(generator.uniform(0, 0.03))) for step in steps]


class Runs:
    """Starts the four runs, two at a time, each with one thread, and follows them."""

    def __init__(self, folder: Path, setting: Setting, bars: Progress) -> None:
        self.folder, self.setting, self.bars = folder, setting, bars
        self.stop = threading.Event()
        self.tasks = {
            name: bars.add_task(name, total=self.total(name), start=False)
            for name in (KILLED, UNDISTURBED, EPOCHS, NO_RULE)
        }
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

    def command(self, name: str) -> list[str]:
        place = self.place(name)
        command = [sys.executable, str(SCRIPT), "--data", str(self.folder / "shards")]
        command += ["--journal", f"{place}.db", "--weights", f"{place}.safetensors", "--log", f"{place}.log"]
        command += [
            "--epochs",
            str(self.setting.epochs),
            "--seed",
            str(self.setting.seed),
            "--skip",
            str(SKIP),
        ]
        command += ["--checkpoint", str(self.setting.epoch_steps if name == EPOCHS else self.setting.every)]
        return command + (["--no-rule"] if name == NO_RULE else [])

    def place(self, name: str) -> Path:
        return self.folder / name.replace(" ", "-")

    def total(self, name: str) -> int:
        """How many steps the line that counts will have, about."""
        return self.setting.epochs * (self.setting.epoch_steps + (SKIP if name == NO_RULE else 0))

    def run(self, name: str, kills: Sequence[Kill] = ()) -> Course:
        bar, total = self.tasks[name], self.total(name)
        self.bars.start_task(bar)

        def told(line: Line) -> None:
            self.bars.update(bar, completed=min(line.step, total))

        course = run_with_kills(
            self.command(name),
            Path(f"{self.place(name)}.log"),
            kills,
            environment=self.environment,
            told=told,
            stop=self.stop,
        )
        self.bars.update(bar, completed=total)
        return course

    def all(self) -> dict[str, Course]:
        kills = kills_of(self.setting)
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            waiting: dict[str, Future[Course]] = {KILLED: pool.submit(self.run, KILLED, kills)}
            waiting[UNDISTURBED] = pool.submit(self.run, UNDISTURBED)
            try:
                reached = [life.lines[-1].step for life in waiting[KILLED].result().lives if life.killed]
                waiting[EPOCHS] = pool.submit(self.run, EPOCHS, [Kill(step) for step in reached])
                waiting[NO_RULE] = pool.submit(self.run, NO_RULE)
                return {name: future.result() for name, future in waiting.items()}
            except BaseException:
                self.stop.set()
                raise


def run_part(show: Show, folder: Path, setting: Setting) -> dict[str, Any]:
    """Carry out the four runs, print what they did, and return all figures and whether the checks held."""
    show.heading("1  Training: killed twice, and a corrupted shard in the stream")
    began = time.monotonic()
    digits.prepare(folder / "shards", folder.parent / "cache", setting.seed)
    show.say(
        f"A small convolutional network on {digits.SHARDS} shards of {digits.BATCH * digits.BATCHES_PER_SHARD} "
        f"MNIST digits (shard {digits.CORRUPTED} is corrupted), {setting.epochs} epochs in\n"
        f"batches of {digits.BATCH}; "
        f"a snapshot every {setting.every} steps. Four runs of train_mnist.py, each with its own journal."
    )
    with show.bars() as bars:
        courses = Runs(folder, setting, bars).all()
    figures = {"setting": asdict(setting), **compare(folder, courses, setting.kills, setting.every)}
    figures["seconds"] = time.monotonic() - began
    print_part(show, figures)
    return figures
