"""Progress: one line on a terminal, nothing in a pipe, and never more than the position on the line that counts."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

import dalsegno as ds
from dalsegno.report.progress import Progress, summary


def terminal(kind=True):
    return Console(file=io.StringIO(), force_terminal=kind, width=200)


class BadRecord(ds.Process):
    """Record 12 is corrupt, and going back meets it again."""

    def reset(self, *, seed, origin=None):
        self.i = 0

    def step(self):
        self.i += 1
        return ds.Report({"loss": math.nan if self.i == 12 else 1.0}, status="succeeded" if self.i == 20 else "running")

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


class Shown(Progress):
    """Keeps every step that a line named."""

    def __init__(self, **options):
        super().__init__(**options)
        self.steps = []

    def progressed(self, trace):
        super().progressed(trace)
        self.steps += [int(word.split()[1].replace(",", "")) for word in self.words() if word.startswith("step ")]


@pytest.mark.filterwarnings("ignore::dalsegno.EngineWarning")
def test_a_roll_back_takes_the_shown_step_back():
    shown = Shown(console=terminal())
    shown.every_step = True  # so that every boundary brings a line
    rule = ds.roll_back(ds.when.not_finite("loss"))
    ds.run(BadRecord(), rules=[rule], checkpoint=ds.checkpoint.Every(steps=5), listeners=[shown], seed=0)
    assert max(shown.steps) <= 12 and 10 in shown.steps[shown.steps.index(11) :]


def test_a_terminal_sees_steps_figures_and_decisions():
    screen = terminal()
    rules = [ds.roll_back(ds.when.above("loss", 5.0), then=lambda kept: kept["fixed"].append(1))]

    def train(attempt):
        fixed: list[int] = []
        attempt.keep(fixed=fixed)
        for step, i in attempt.over(range(20)):
            step.report(loss=9.0 if i == 7 and not fixed else 1.0)

    ds.run(train, rules=rules, checkpoint=ds.checkpoint.Every(steps=5), listeners=[Progress(console=screen)], seed=0)
    told = screen.file.getvalue()
    assert "train" in told and "step 8: roll back to step 5" in told


def test_a_pipe_sees_nothing_but_warnings():
    screen = terminal(False)
    rules = [ds.stop(ds.when.stalled("los", patience=3)), ds.stop(ds.when.elapsed(steps=5))]
    with pytest.warns(ds.EngineWarning):
        ds.run(BadRecord(), rules=rules, listeners=[Progress(console=screen)], seed=0)
    (line,) = screen.file.getvalue().splitlines()
    assert line.startswith("warning: 'los'")


def test_quiet_says_nothing_at_all():
    screen = terminal()
    ds.run(
        BadRecord(), rules=[ds.stop(ds.when.elapsed(steps=5))], listeners=[Progress(quiet=True, console=screen)], seed=0
    )
    assert screen.file.getvalue() == ""


@pytest.mark.parametrize(
    ("rules", "share"),
    [
        ([ds.stop(ds.when.spent(steps=200))], 0.25),
        ([ds.stop(ds.when.elapsed(steps=100))], 0.4),
        ([ds.stop(ds.when.spent(steps=200)), ds.stop(ds.when.elapsed(steps=100))], 0.4),
        ([ds.stop(ds.when.spent(tokens=80) | ds.when.below("loss", 0.1))], 0.5),
        ([ds.stop(ds.when.spent(steps=200) & ds.when.below("loss", 0.1))], 0.0),
        ([ds.restart(ds.when.elapsed(steps=100))], 0.0),
        ([], 0.0),
    ],
)
def test_the_nearest_sure_limit_gives_the_share(rules, share):
    trace = ds.Trace()
    trace.steps, trace.attempt.steps, trace.cost = 50, 40, {"tokens": 40.0}
    assert Progress(rules).share(trace) == pytest.approx(share)


def test_time_left_is_estimated_from_the_share_lately_gained():
    progress = Progress([ds.stop(ds.when.spent(steps=100))], console=terminal())
    progress.trace = ds.Trace()
    progress.seen.extend([(0.0, 0, 0.0), (2.0, 20, 0.2)])
    assert progress.left == pytest.approx(8.0) and progress.rate == pytest.approx(10.0)


def test_control_characters_of_a_user_do_not_reach_the_terminal():
    screen = terminal()
    progress = Progress(console=screen)
    progress(ds.events.RunStarted(1, "evil\x1b[2J", 0, "new"))
    progress(ds.events.Warned("bad\x1b]0;x\x07"))
    progress.close()
    assert "\x1b[2J" not in screen.file.getvalue() and "\x07" not in screen.file.getvalue()


def test_the_summary_says_how_it_ended_and_what_it_cost():
    result = ds.run(BadRecord(), rules=[ds.stop(ds.when.elapsed(steps=5))], name="short", seed=3)
    assert summary(result).splitlines()[0] == "short, seed 3: finished, stop when elapsed(steps=5)"
    assert summary(result).splitlines()[1].startswith("1 attempt, 5 steps")
