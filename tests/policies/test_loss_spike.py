"""Loss spikes: when they are noticed."""

from __future__ import annotations

import random
from math import inf, isfinite, nan
from statistics import median
from typing import Any

import pytest

from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.policies import LossSpike, loss_spike

STEADY = [1.00, 1.02] * 64


def answers(losses: list[Any], norms: list[Any] | None = None, **options: Any) -> list[bool | None]:
    """What the condition answers, report by report."""
    machine, watched = Machine([]), loss_spike(**options)
    machine.start(0, Origin())
    state, found = watched.initial(), []
    for loss, norm in zip(losses, norms or [None] * len(losses), strict=True):
        figures = {name: figure for name, figure in (("loss", loss), ("gradient_norm", norm)) if figure is not None}
        machine.advance(Report(metrics=figures), 0.0)
        found.append(watched.fold(state, machine.trace))
    return found


def fires_at(losses: list[Any], norms: list[Any] | None = None, **options: Any) -> list[int]:
    """The steps it fires at, counted from 1."""
    return [step for step, answer in enumerate(answers(losses, norms, **options), 1) if answer]


# -- when --------------------------------------------------------------------------------------------------


def test_the_worked_example_fires_at_the_fifth_and_begins_at_the_second() -> None:
    machine, watched = Machine([]), LossSpike()
    machine.start(0, Origin())
    fired = []
    for loss in [*STEADY, 1.1, 1.2, 1.1, 1.3, 1.4]:
        machine.advance(Report(metrics={"loss": loss}), 0.0)
        watched.observe(machine.trace)
        fired.append(watched.fires)
    assert (fired.index(True), watched.onset) == (128 + 4, 128 + 2)


def test_the_limit_of_the_worked_example() -> None:
    machine, watched = Machine([]), LossSpike()
    machine.start(0, Origin())
    for loss in STEADY:
        machine.advance(Report(metrics={"loss": loss}), 0.0)
        watched.observe(machine.trace)
    assert round(watched.saw(machine.trace)["loss"]["limit"], 6) == 1.128608


def by_definition(losses: list[float], norms: list[float]) -> list[tuple[bool, int | None]]:
    """Whether it fires and the onset, from the whole history at every step."""
    clean: tuple[list[float], list[float]] = ([], [])
    flags: list[bool] = []
    found: list[tuple[bool, int | None]] = []
    for loss, norm in zip(losses, norms, strict=True):
        window, other = clean[0][-128:], clean[1][-128:]
        flag = not (isfinite(loss) and isfinite(norm))
        if len(window) >= 32 and isfinite(loss):
            middle = median(window)
            spread = 1.4826 * median(abs(one - middle) for one in window)
            flag = flag or loss > middle + max(8 * spread, 0.1 * abs(middle))
        if len(other) >= 32 and isfinite(norm):
            flag = flag or norm > 10 * median(other)
        if not flag:
            clean[0].append(loss)
            clean[1].append(norm)
        flags.append(flag)
        last = flags[-5:]
        fires = flag and (sum(last) >= 3 or not (isfinite(loss) and isfinite(norm)))
        found.append((fires, len(flags) - len(last) + last.index(True) + 1 if fires else None))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_definition_at_every_step(seed: int) -> None:
    rng = random.Random(seed)
    losses = [3 * 0.999**k * rng.lognormvariate(0.0, 0.1) for k in range(900)]
    norms = [rng.lognormvariate(0.0, 0.6) for _ in range(900)]
    for place in rng.sample(range(900), 12):
        for k in range(place, min(place + rng.randint(1, 9), 900)):
            losses[k] *= rng.choice([1.0, 2.0, 3.0])
            norms[k] *= rng.choice([1.0, 30.0])
    losses[700], norms[800] = nan, inf
    watched, machine = LossSpike(), Machine([])
    machine.start(0, Origin())
    found = []
    for loss, norm in zip(losses, norms, strict=True):
        machine.advance(Report(metrics={"loss": loss, "gradient_norm": norm}), 0.0)
        watched.observe(machine.trace)
        found.append((watched.fires, watched.onset if watched.fires else None))
    assert found == by_definition(losses, norms) and any(fires for fires, _ in found)


def test_nothing_is_flagged_before_there_are_32_losses() -> None:
    assert (fires_at([1.0] * 31 + [50.0] * 3), fires_at([1.0] * 32 + [50.0] * 3)) == ([], [35])


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_fires_at_once(value: float) -> None:
    assert fires_at([1.0, value]) == [2]
    assert fires_at([1.0, 1.0], [1.0, value]) == [2]


def test_two_high_losses_are_no_spike() -> None:
    assert fires_at([*STEADY, 9.0, 9.0, 1.0, 1.0, 1.0, 9.0, 9.0]) == []


def test_a_norm_ten_times_its_median_flags_too_and_its_losses_do_not_count() -> None:
    norms = [1.0] * 128 + [10.1, 10.1, 10.0, 10.1]
    assert fires_at([*STEADY, 1.0, 1.0, 1.0, 1.0], norms) == [132]


def test_a_loss_that_falls_is_no_spike() -> None:
    assert fires_at([10 * 0.98**k for k in range(400)]) == []


def test_steps_without_either_figure_are_not_counted() -> None:
    assert answers([*STEADY, 9.0, None, 9.0, None, None, 9.0])[-6:] == [False, None, False, None, None, True]


def test_other_names_can_be_watched_and_the_norm_left_out() -> None:
    assert loss_spike("a", norm="b").metric_names() == ("a", "b")
    assert fires_at([1.0] * 5, [1.0, inf, 1.0, 1.0, 1.0], norm=None) == []
