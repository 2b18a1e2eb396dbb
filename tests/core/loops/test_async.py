"""The same machine on an event loop."""

from __future__ import annotations

import asyncio

import pytest
from tests.cases.processes import Spiky, halve

import dalsegno as ds


class SlowSpiky(Spiky):
    async def step(self):
        await asyncio.sleep(0)
        return super().step()


def rules():
    return [ds.stop(ds.when.succeeded()), ds.roll_back(ds.when.above("loss", 5.0), then=halve)]


def test_an_asynchronous_process_gives_what_the_plain_one_gives():
    process = SlowSpiky()
    result = asyncio.run(ds.arun(process, rules=rules(), checkpoint=ds.checkpoint.Every(steps=10), seed=0))
    assert (result.step, result.steps, process.lr) == (30, 45, 0.1)


def test_run_drives_an_asynchronous_process_where_no_loop_is_running():
    assert ds.run(SlowSpiky(), rules=rules(), checkpoint=ds.checkpoint.Every(steps=10), seed=0).steps == 45


def test_run_inside_a_running_loop_says_what_to_use():
    async def main():
        with pytest.raises(ds.UsageError, match="arun"):
            ds.run(SlowSpiky(), rules=rules(), seed=0)

    asyncio.run(main())


def test_a_plain_process_may_be_run_on_a_loop_that_is_running():
    async def main():
        return await ds.arun(Spiky(), rules=rules(), checkpoint=ds.checkpoint.Every(steps=10), seed=0)

    assert asyncio.run(main()).steps == 45


def test_a_coroutine_function_over_an_asynchronous_iterable():
    async def numbers():
        for number in range(5):
            await asyncio.sleep(0)
            yield number

    class Loader:
        def __aiter__(self):
            return numbers()

    async def train(attempt):
        total = {"n": 0}
        attempt.keep(total=total)
        async for step, item in attempt.over(Loader(), epochs=2):
            total["n"] += item
            step.report(n=total["n"])
        return total["n"]

    assert asyncio.run(ds.arun(train, seed=0)).returned == 20


def test_the_inline_form_on_an_event_loop():
    async def main():
        run = ds.attempts(rules=[ds.stop(ds.when.spent(attempts=3)), ds.restart(ds.when.failed())], seed=0)
        async for attempt in run:
            async with attempt:
                await asyncio.sleep(0)
                raise RuntimeError("always")
        return run.result

    assert len(asyncio.run(main()).attempts) == 3


def test_two_runs_on_one_loop_do_not_mix():
    async def one(name, n):
        class Named(Spiky):
            async def step(self):
                await asyncio.sleep(0)
                report = super().step()
                value = await ds.once_async("who", self.who)
                assert value == name
                return report

            async def who(self):
                await asyncio.sleep(0)
                return name

        return await ds.arun(Named(), rules=[ds.stop(ds.when.spent(steps=n))], seed=0)

    async def main():
        return await asyncio.gather(one("a", 10), one("b", 14))

    assert [result.steps for result in asyncio.run(main())] == [10, 14]


CTRL_C = """
import asyncio, os, signal, sys, threading, time
import dalsegno as ds

class Slow(ds.Process):
    def reset(self, *, seed, origin=None): self.n = 0
    async def step(self):
        await asyncio.sleep(0.02)
        self.n += 1
        if self.n == 10 and sys.argv[1] == "die":
            os.kill(os.getpid(), signal.SIGINT)
        return ds.Report({"n": float(self.n)}, status="succeeded" if self.n == 30 else "running")
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state): self.n = state["n"]

async def main():
    return await ds.arun(Slow(), journal="runs.db", seed=0)

print(asyncio.run(main()).step if sys.argv[2] == "arun" else ds.run(Slow(), journal="runs.db", seed=0).step)
"""


@pytest.mark.parametrize("way", ["arun", "run"])
def test_ctrl_c_on_an_event_loop_cuts_no_step_and_saves_the_state(tmp_path, way):
    import subprocess
    import sys

    def go(die):
        return subprocess.run([sys.executable, "-c", CTRL_C, die, way], cwd=tmp_path, capture_output=True, text=True)

    first = go("die")
    assert first.returncode == -2 or "KeyboardInterrupt" in first.stderr
    assert [row["step"] for row in ds.Journal(tmp_path / "runs.db").rows("snapshots")][-1] == 10
    assert go("on").stdout.strip() == "30"
