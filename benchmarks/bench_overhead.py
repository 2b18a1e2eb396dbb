"""python benchmarks/bench_overhead.py [--quick]

What the engine adds to a step: three rules (spent, above, stalled), three metrics, without and with a journal, beside
Optuna's `report` + `should_prune` in the same run; and the same from 1,000 to 10,000,000 steps, with memory.
Microseconds of processor time, so that a busy machine does not count (waiting for a disk is not in them).
"""

from __future__ import annotations

import argparse
import gc
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import dalsegno as ds


class Cheap(ds.Process):
    """A step that does nothing but report three metrics."""

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        self.i += 1
        return ds.Report({"loss": 1.0 / self.i, "accuracy": 0.5, "norm": 2.0})

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


def rules(steps):
    return [
        ds.stop(ds.when.spent(steps=steps)),
        ds.stop(ds.when.above("loss", 5.0)),
        ds.stop(ds.when.stalled("accuracy", patience=10**9)),
    ]


def alone(steps):
    """Microseconds a step of the process by itself."""
    process = Cheap()
    process.reset(seed=0)
    begun = time.process_time()
    for _ in range(steps):
        process.step()
    return (time.process_time() - begun) / steps * 1e6


def engine(steps, journal=None):
    begun = time.process_time()
    ds.run(Cheap(), rules=rules(steps), journal=journal, checkpoint=ds.checkpoint.Never(), seed=0, fresh=bool(journal))
    return (time.process_time() - begun) / steps * 1e6


def growth(steps, parts=10):
    """One long run in equal parts: of each, microseconds a step, and those of a fresh short run measured beside it.

    A shared machine changes its speed by half within a minute, so that long and short runs are only compared where
    they lie side by side: a cost that grows with the run shows as a ratio that grows.
    """
    marks, beside = [], []

    class Marked(Cheap):
        def step(self):
            report = super().step()
            if self.i % (steps // parts) == 0:
                ended = time.process_time()
                beside.append(engine(steps // parts // 10))
                marks.append((ended, time.process_time()))
            return report

    begun = time.process_time()
    ds.run(Marked(), rules=rules(steps), checkpoint=ds.checkpoint.Never(), seed=0)
    for (ended, again), short in zip(marks, beside, strict=True):
        yield (ended - begun) / (steps // parts) * 1e6, short
        begun = again


def optuna_step(steps, storage):
    """Optuna's price for one reported value and one question, amortised over a trial of so many steps."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=storage, pruner=optuna.pruners.MedianPruner(n_startup_trials=0))
    taken = []

    def objective(trial):
        begun = time.process_time()
        for step in range(steps):
            trial.report(1.0 / (step + 1), step)
            trial.should_prune()
        taken.append(time.process_time() - begun)
        return 0.0

    study.optimize(objective, n_trials=2)
    return min(taken) / steps * 1e6


def best_of(times, function, *arguments):
    return min(function(*arguments) for _ in range(times))


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(rows):
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)))
    print()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, the longest run 1,000,000")
    quick = parser.parse_args().quick
    print(__doc__.splitlines()[0], f"\nPython {platform.python_version()}, {platform.machine()}\n")
    steps = 30_000 if quick else 300_000
    with tempfile.TemporaryDirectory() as folder:
        base = best_of(3, alone, steps)
        without = best_of(3, engine, steps) - base
        within = best_of(3, engine, steps, Path(folder) / "runs.db") - base
        rows = [("what", "us a step", "target", "peer", "us a step", "ours / peer")]
        try:
            import optuna

            memory = optuna_step(1000, None)
            sqlite = optuna_step(30 if quick else 100, f"sqlite:///{folder}/optuna.db")
            peer = f"optuna {optuna.__version__}"
            rows.append(
                ("no journal", f"{without:.2f}", "3", f"{peer}, in memory", f"{memory:.1f}", f"{without / memory:.3f}")
            )
            rows.append(
                ("journal", f"{within:.2f}", "10", f"{peer}, SQLite", f"{sqlite:.0f}", f"{within / sqlite:.5f}")
            )
        except ImportError:
            rows.append(("no journal", f"{without:.2f}", "3", "optuna is not installed", "", ""))
            rows.append(("journal", f"{within:.2f}", "10", "optuna is not installed", "", ""))
        print(f"Overhead of a step, three rules and three metrics, best of 3 runs of {steps:,} steps")
        print(f"(the process alone takes {base:.2f} us a step, which is taken off)\n")
        table(rows)
        print("The same as runs grow (no journal): constant time and memory\n")
        rows = [("steps", "us a step", "peak memory MB")]
        for exponent in range(3, 6 if quick else 7):
            gc.collect()
            cost = best_of(3, engine, 10**exponent) - base
            rows.append((f"{10**exponent:,}", f"{cost:.2f}", f"{peak_memory():.0f}"))
        table(rows)
        long = 1_000_000 if quick else 10_000_000
        print(f"One run of {long:,} steps in ten parts, each beside a fresh short run (both with the process itself)\n")
        rows = [("steps", "us a step", "fresh run", "ratio", "peak memory MB")]
        ratios = []
        for part, (cost, short) in enumerate(growth(long), 1):
            ratios.append(cost / short)
            steps = f"{part * long // 10:,}"
            rows.append((steps, f"{cost:.2f}", f"{short:.2f}", f"{cost / short:.2f}", f"{peak_memory():.0f}"))
        table(rows)
        first, last = sorted(ratios[:3])[1], sorted(ratios[-3:])[1]
        print(f"Median ratio of the first three parts {first:.2f}, of the last three {last:.2f}\n")
    print(
        f"Bound: an empty loop with a report object, a dict of three metrics and a clock takes about {base:.2f} us here."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
