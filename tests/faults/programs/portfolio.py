"""Parallel attempts: walks of which each ends, by its seed, in a success at a step of its own; rules act in each."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
from shown import quietly, show

import dalsegno as ds
from dalsegno.core.executors import Local


class Walk(ds.Process):
    def __init__(self, pause, succeeds, hangs=""):
        self.pause, self.succeeds, self.hangs = pause, succeeds, hangs

    def reset(self, *, seed, origin=None):
        self.place, self.n, self.scale = np.zeros(8), 0, 1.0
        self.goal = 60 + seed % 40

    def step(self):
        time.sleep(self.pause)
        self.n += 1
        if self.hangs and self.n == 5 and not Path(self.hangs).exists():
            Path(self.hangs).touch()
            while True:
                time.sleep(60)
        self.place += self.scale * np.random.normal(size=8)
        jump = random.random() * self.scale
        done = self.succeeds and self.n >= self.goal
        return ds.Report(
            {"jump": jump, "height": float(self.place.sum())},
            cost={"draws": 9.0},
            status="succeeded" if done else "running",
        )

    def state_dict(self):
        return {"place": self.place, "n": self.n, "scale": self.scale, "goal": self.goal}

    def load_state_dict(self, state):
        self.place, self.n = state["place"].copy(), int(state["n"])
        self.scale, self.goal = float(state["scale"]), int(state["goal"])


def calm(walk):
    walk.scale *= 0.9


def push(walk):
    walk.place += random.random()


def main(journal, text="{}"):
    quietly()
    options = {
        "parallel": 2, "method": "fork", "succeeds": True, "alone": False, "again": True, "hangs": "", "timeout": None,
        "pause": 0.004, "limit": 0, **json.loads(text),
    }  # fmt: skip
    rules = [
        ds.roll_back(ds.when.above("jump", 0.95), then=calm, limit=50),
        ds.adapt(ds.when.every(steps=9), push),
    ]
    if options["again"]:
        rules.append(ds.restart(ds.when.failed()))
    if options["limit"]:
        rules.insert(0, ds.stop(ds.when.spent(steps=options["limit"])))
    if options["alone"]:
        rules += [ds.restart(ds.when.elapsed(steps=100)), ds.stop(ds.when.spent(attempts=8))]
    result = ds.run(
        Walk(options["pause"], options["succeeds"], options["hangs"]),
        rules=rules,
        checkpoint=ds.checkpoint.Every(steps=7, keep=ds.checkpoint.Keep(last=1)),
        journal=journal,
        seed=3,
        name="walk",
        step_timeout=options["timeout"],
        **({} if options["alone"] else {"executor": Local(options["method"]), "parallel": options["parallel"]}),
    )
    show(result, pid=os.getpid())


if __name__ == "__main__":
    main(*sys.argv[1:])
