"""A walk drawn from the global generators of random and NumPy: rolled back, adapted and restarted on its way."""

from __future__ import annotations

import random
import sys
import time

import numpy as np
from shown import quietly, show

import dalsegno as ds


class Walk(ds.Process):
    def __init__(self, pause):
        self.pause = pause

    def reset(self, *, seed, origin=None):
        self.place, self.n, self.scale, self.pushed = np.zeros(64), 0, 1.0, 0

    def step(self):
        time.sleep(self.pause)
        self.n += 1
        self.place += self.scale * np.random.normal(size=64)
        jump = random.random() * self.scale
        return ds.Report(
            {"jump": jump, "height": float(self.place.sum())},
            cost={"draws": 65.0},
            value=-abs(float(self.place[0])),
        )

    def state_dict(self):
        return {"place": self.place, "n": self.n, "scale": self.scale, "pushed": self.pushed}

    def load_state_dict(self, state):
        self.place, self.n = state["place"].copy(), int(state["n"])
        self.scale, self.pushed = float(state["scale"]), int(state["pushed"])


def calm(walk):
    walk.scale *= 0.9


def push(walk):
    walk.place += random.random()
    walk.pushed += 1


RULES = {
    "steps": lambda: [
        ds.stop(ds.when.spent(steps=160)),
        ds.roll_back(ds.when.above("jump", 0.93), then=calm, limit=50),
        ds.adapt(ds.when.every(steps=11), push),
        ds.restart(ds.when.elapsed(steps=45)),
    ],
    "clock": lambda: [
        ds.stop(ds.when.spent(seconds=0.9)),
        ds.roll_back(ds.when.above("jump", 0.97), then=calm, limit=50),
        ds.adapt(ds.when.every(seconds=0.06), push),
        ds.restart(ds.when.elapsed(seconds=0.3)),
    ],
}


def main(journal, rules="steps", pause="0.002"):
    quietly()
    walk = Walk(float(pause))
    result = ds.run(
        walk,
        rules=RULES[rules](),
        checkpoint=ds.checkpoint.Every(steps=7, keep=ds.checkpoint.Keep(last=1)),
        journal=journal,
        seed=3,
        name="walk",
    )
    show(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
