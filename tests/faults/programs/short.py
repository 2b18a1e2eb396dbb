"""A short run with every kind of write in it: adapted, rolled back, restarted, thinned out, calls, and an end."""

from __future__ import annotations

import random
import sys

import numpy as np
from shown import quietly, show

import dalsegno as ds


class Short(ds.Process):
    def reset(self, *, seed, origin=None):
        self.place, self.n, self.scale = np.zeros(16), 0, 1.0

    def step(self):
        self.n += 1
        self.place += self.scale * np.random.normal(size=16)
        said = ds.once("ask", lambda: random.Random(self.n).random(), inputs=self.n) if self.n % 3 == 0 else 0.0
        return ds.Report({"jump": 9.0 * self.scale if self.n == 5 else said, "height": float(self.place.sum())})

    def state_dict(self):
        return {"place": self.place, "n": self.n, "scale": self.scale}

    def load_state_dict(self, state):
        self.place, self.n, self.scale = state["place"].copy(), int(state["n"]), float(state["scale"])


def calm(short):
    short.scale *= 0.2


def nudge(short):
    short.place += 0.5


def as_process(rules, **options):
    return ds.run(Short(), rules=rules, name="short", **options)


def train(attempt):
    short = Short()
    short.reset(seed=attempt.seed)
    attempt.keep(place=short.place, own=(own := {"n": 0, "scale": 1.0}))
    for step, _ in attempt.over(range(100)):
        short.n, short.scale = own["n"], own["scale"]
        report = short.step()
        own["n"] = short.n
        if short.n == 4:
            attempt.snapshot("four")
        step.report(**report.metrics)


def calm_kept(kept):
    kept["own"]["scale"] *= 0.2


def nudge_kept(kept):
    kept["place"] += 0.5


def as_function(rules, **options):
    return ds.run(train, rules=rules, name="short", **options)


def main(journal, form="process"):
    quietly()
    change, push = (calm, nudge) if form == "process" else (calm_kept, nudge_kept)
    rules = [
        ds.stop(ds.when.spent(steps=18)),
        ds.roll_back(ds.when.above("jump", 5.0), then=change),
        ds.adapt(ds.when.every(steps=4), push),
        ds.restart(ds.when.elapsed(steps=8)),
    ]
    result = (as_process if form == "process" else as_function)(
        rules,
        checkpoint=ds.checkpoint.Every(steps=3, keep=ds.checkpoint.Keep(last=1)),
        journal=journal,
        seed=2,
    )
    show(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
