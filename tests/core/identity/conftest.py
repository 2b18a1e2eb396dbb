"""A user's module, written, imported, edited and imported again as another program would have it."""

from __future__ import annotations

import importlib.util
import itertools
import json
import linecache
import sys

import pytest

from dalsegno.core import identity

USER = '''
import functools
from dataclasses import dataclass

import dalsegno as ds

RATE = 0.5


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def scale(x):
    return x * 2


def update(x, by=3):
    """What it does."""
    return scale(x) + by


def unused(x):
    return x


@dataclass(frozen=True)
class Setting:
    rate: float = 0.1


class Base(ds.Process):
    def skip(self, start, stop):
        return stop - start


class Walk(Base):
    """A process."""

    kind = "walk"

    def __init__(self, width, values=(1.0, 2.0), lr=0.8):
        self.width, self.values, self.lr = width, list(values), lr

    def reset(self, *, seed, origin=None):
        self.position = 0

    @logged
    def step(self):
        self.position += update(self.width)
        return ds.Report(metrics={"x": float(self.position)})

    @property
    def half(self):
        return self.position / 2

    @staticmethod
    def twice(x):
        return 2 * x

    def state_dict(self):
        return {"position": self.position, "lr": self.lr}

    def load_state_dict(self, state):
        self.position, self.lr = state["position"], state["lr"]


def train(attempt, depth=2):
    """Go."""

    def inner(x):
        return x - 1

    return inner(update(depth)) if attempt else Setting()


def make(rate):
    def train(attempt):
        return rate

    return train


double = lambda x: x * 2
pair = [lambda x: x + 1, lambda x: x + 2]
'''


@pytest.fixture
def user(tmp_path):
    """Imports the user's module, with pieces of its text replaced, from a file of its own."""
    number = itertools.count()

    def load(*edits, text=USER, name="user_job"):
        for old, new in edits:
            assert text.count(old) >= 1, old
            text = text.replace(old, new)
        path = tmp_path / f"{name}_{next(number)}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("user_job", None)


@pytest.fixture
def cell():
    """Runs text as a notebook runs a cell: its source is known to Python's cache of lines, under no file's name."""
    number = itertools.count()

    def run(text, namespace=None):
        name = f"<cell {next(number)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        namespace = {"__name__": "__main__"} if namespace is None else namespace
        exec(compile(text, name, "exec"), namespace)  # noqa: S102
        return namespace

    return run


@pytest.fixture
def of():
    """The identity of a process and its rules, as it comes back from a journal."""

    def identified(process, rules=(), **more):
        return json.loads(json.dumps(identity.identify(process=process, rules=rules, **more)))

    return identified


@pytest.fixture
def names():
    """The names of the differences between two identities."""

    def differing(old, new):
        return [one.name for one in identity.differences(old, new)]

    return differing
