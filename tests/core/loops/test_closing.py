"""A process that the engine made from its class is closed at the end of the run; one that it was given is not."""

from __future__ import annotations

import pytest

import dalsegno as ds

closed = []


class Closes(ds.Process):
    fails = False

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        self.i += 1
        if self.fails:
            raise OSError("broken")
        return ds.Report({}, status="succeeded")

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]

    def close(self):
        closed.append(type(self).__name__)


class Breaks(Closes):
    fails = True


class Later(Closes):
    async def step(self):
        return super().step()


@pytest.mark.parametrize(
    ("process", "names"), [(Closes, ["Closes"]), (Closes(), []), (Later, ["Later"]), (Breaks, ["Breaks"])]
)
def test_what_the_engine_made_is_closed_however_the_run_ends(process, names):
    closed.clear()
    try:
        ds.run(process, seed=0)
    except OSError:
        assert process is Breaks
    assert closed == names
