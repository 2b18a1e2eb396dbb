"""The small processes that the acceptance cases share; every figure is exact in binary floating point."""

from __future__ import annotations

import math
import os
import signal
import time

import dalsegno as ds


class Scripted(ds.Process):
    """Report the k-th value of a list at step k; a value of None leaves the metric out."""

    def __init__(self, name, values):
        self.name, self.values = name, list(values)

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        value = self.values[self.i]
        self.i += 1
        return ds.Report(metrics={} if value is None else {self.name: value})

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = int(state["i"])


class Spiky(ds.Process):
    """Spikes at step 15 unless the learning rate is at most 0.15."""

    def reset(self, *, seed, origin=None):
        self.pos, self.lr = 0, 0.8

    def step(self):
        self.pos += 1
        loss = 9.0 if self.pos == 15 and self.lr > 0.15 else 1.0
        return ds.Report(metrics={"loss": loss}, status="succeeded" if self.pos == 30 else "running")

    def state_dict(self):
        return {"pos": self.pos, "lr": self.lr}

    def load_state_dict(self, state):
        self.pos, self.lr = int(state["pos"]), float(state["lr"])


def halve(process):
    process.lr /= 2


class BadRecord(ds.Process):
    """Record 12 is corrupt."""

    def reset(self, *, seed, origin=None):
        self.record, self.pos, self.skipped = 0, 0, []

    def step(self):
        self.record += 1
        while self.record in self.skipped:
            self.record += 1
        self.pos += 1
        loss = math.nan if self.record == 12 else 1.0
        return ds.Report(metrics={"loss": loss}, status="succeeded" if self.pos == 20 else "running")

    def state_dict(self):
        return {"record": self.record, "pos": self.pos, "skipped": list(self.skipped)}

    def load_state_dict(self, state):
        self.record, self.pos, self.skipped = int(state["record"]), int(state["pos"]), list(state["skipped"])


def skip_record(process):
    process.skipped.append(12)


class Tick(ds.Process):
    def reset(self, *, seed, origin=None):
        self.n = 0

    def step(self):
        time.sleep(0.05)
        self.n += 1
        return ds.Report(metrics={"n": float(self.n)})

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = int(state["n"])


VALUES = [[-4.0, -1.5, -2.0], [-5.0, -3.0, -3.5], [-6.0, -5.0, -2.5]]


class Search(ds.Process):
    """Each step costs 7 evaluations; each attempt fails at its third step."""

    def __init__(self):
        self.k = -1

    def reset(self, *, seed, origin=None):
        self.k += 1
        self.i = 0

    def step(self):
        value = VALUES[self.k % 3][self.i]
        self.i += 1
        return ds.Report(cost={"evaluations": 7.0}, value=value, status="failed" if self.i == 3 else "running")

    def state_dict(self):
        return {"k": self.k, "i": self.i}

    def load_state_dict(self, state):
        self.k, self.i = int(state["k"]), int(state["i"])


class Faulty(ds.Process):
    """Raises at its third step."""

    def __init__(self, fault):
        self.fault = fault

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        self.i += 1
        if self.i == 3:
            raise self.fault
        return ds.Report(metrics={"loss": 1.0})

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = int(state["i"])


class KillAfter:
    """A listener that kills its program when a step of this number, or a snapshot of this step, is behind."""

    every_step = True

    def __init__(self, step=None, snapshot=None):
        self.step, self.snapshot = step, snapshot

    def __call__(self, event):
        kind = type(event).__name__
        if kind == "StepTaken" and event.step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "SnapshotSaved" and event.step == self.snapshot:
            os.kill(os.getpid(), signal.SIGKILL)
