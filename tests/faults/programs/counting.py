"""A run that counts to a number, a step every ``pause`` seconds; ``arguments`` are JSON: see ``main``."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from shown import quietly, show

import dalsegno as ds


class Count(ds.Process):
    def __init__(self, pause, until, size, does):
        self.pause, self.until, self.size, self.does = pause, until, size, does

    def reset(self, *, seed, origin=None):
        self.n = 0

    def step(self):
        if self.pause:
            time.sleep(self.pause)
        self.n += 1
        if self.does == "fork" and self.n % 5 == 0:
            fork_and_leave()
        if self.does == "hang" and self.n == 6:
            while True:
                time.sleep(60)
        return ds.Report({"n": float(self.n)}, status="succeeded" if self.n == self.until else "running")

    def state_dict(self):
        return {"n": self.n, "ballast": bytes(self.size)}

    def load_state_dict(self, state):
        self.n = int(state["n"])


def fork_and_leave():
    """A child that ends the way children of libraries do: through the interpreter's own exit."""
    child = os.fork()
    if child == 0:
        import gc

        gc.collect()
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0


def main(journal, text="{}"):
    quietly()
    options = {
        "pause": 0.0,
        "until": 60,
        "size": 0,
        "does": "",
        "every": 10,
        "seed": 0,
        "timeout": None,
        **json.loads(text),
    }
    process = Count(options["pause"], options["until"], options["size"], options["does"])
    result = ds.run(
        process,
        checkpoint=ds.checkpoint.Every(steps=options["every"]),
        journal=journal,
        seed=options["seed"],
        step_timeout=options["timeout"],
    )
    show(result, pid=os.getpid(), kilobytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main(*sys.argv[1:])
