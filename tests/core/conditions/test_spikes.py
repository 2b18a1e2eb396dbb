"""spike: robust, exact, and quick where nothing happens."""

from __future__ import annotations

import copy
import random
from math import inf, isfinite, nan
from statistics import median
from typing import Any

import pytest

from dalsegno.core.conditions import spike


def by_definition(
    values: list[float], *, factor: float | None = None, z: float = 8.0, window: int = 128, floor: float = 0.1
) -> list[bool | None]:
    """The same test computed from the whole window at every step."""
    seen: list[float] = []
    answers: list[bool | None] = []
    for value in values:
        held = seen[-window:]
        if not isfinite(value):
            answers.append(True)
            continue
        if len(held) < max(window // 4, 2):
            answers.append(None)
        else:
            middle = median(held)
            spread = 1.4826 * median(abs(one - middle) for one in held)
            limit = factor * middle if factor else middle + max(z * spread, floor * abs(middle))
            answers.append(None if factor and middle <= 0 else value > limit)
        if answers[-1] is not True:
            seen.append(value)
    return answers


STEADY = [1.00, 1.02] * 64


@pytest.mark.parametrize(("value", "flagged"), [(1.1286, False), (1.12861, True), (0.0, False), (-50.0, False)])
def test_the_limit_of_the_worked_example(watch: Any, value: float, flagged: bool) -> None:
    assert watch(spike("loss")).values(*STEADY, value)[-1] is flagged


def test_flagged_values_do_not_enter_the_window(watch: Any) -> None:
    watched = watch(spike("loss"))
    answers = watched.values(*STEADY, 1.1, 1.2, 1.1, 1.3, 1.4)[-5:]
    assert answers == [False, True, False, True, True]


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_is_a_spike_at_once(watch: Any, value: float) -> None:
    assert watch(spike("loss")).metric(value) is True


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_does_not_enter_the_window(watch: Any, value: float) -> None:
    watched = watch(spike("loss", factor=2.0, window=8))
    watched.values(*[1.0] * 8, *[value] * 8)
    assert watched.values(2.5, 1.5) == [True, False]


def test_it_is_unknown_until_a_quarter_of_the_window_is_there(watch: Any) -> None:
    assert watch(spike("loss", window=16)).values(1.0, 1.0, 90.0, 1.0, 90.0) == [None, None, None, None, True]


def test_it_is_unknown_where_the_metric_is_absent(watch: Any) -> None:
    assert watch(spike("loss")).values(*STEADY, None)[-1] is None


def test_a_factor_is_of_the_running_median(watch: Any) -> None:
    answers = watch(spike("loss", factor=3.0)).values(*[2.0] * 128, 6.0, 6.001)
    assert answers == [None] * 32 + [False] * 97 + [True]


def test_a_factor_of_what_is_not_above_0_is_unknown(watch: Any) -> None:
    assert watch(spike("loss", factor=3.0, window=8)).values(*[-1.0] * 8, 5.0)[-1] is None


def test_a_constant_metric_that_moves_a_little_is_no_spike(watch: Any) -> None:
    assert watch(spike("loss")).values(*[1.0] * 40, 1.09, 1.11)[-2:] == [False, True]


STREAMS = {
    "steady noise": lambda rng, n: [rng.gauss(1.0, 0.05) for _ in range(n)],
    "wild noise": lambda rng, n: [rng.lognormvariate(0.0, 1.0) for _ in range(n)],
    "a falling loss": lambda rng, n: [5 * 0.995**i * rng.uniform(0.9, 1.1) for i in range(n)],
    "a rising loss": lambda rng, n: [1.002**i * rng.uniform(0.9, 1.1) for i in range(n)],
    "around zero": lambda rng, n: [rng.gauss(0.0, 1.0) for _ in range(n)],
    "negative": lambda rng, n: [rng.gauss(-3.0, 0.2) for _ in range(n)],
    "few values many times": lambda rng, n: [float(rng.randint(0, 3)) for _ in range(n)],
    "constant": lambda rng, n: [0.5] * n,
    "a level that jumps": lambda rng, n: [rng.gauss(1.0 + i // 150, 0.3) for i in range(n)],
}
KEYWORDS = [
    {},
    {"z": 3.0, "floor": 0.0},
    {"z": 1.0, "floor": 2.0},
    {"factor": 1.3},
    {"factor": 3.0},
    {"window": 7},
]


@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
@pytest.mark.parametrize("stream", STREAMS)
def test_the_quick_answer_is_the_exact_one(watch: Any, stream: str, keywords: dict[str, Any]) -> None:
    rng = random.Random(f"{stream} {keywords}")
    values = STREAMS[stream](rng, 600)
    for place in rng.sample(range(600), 20):
        values[place] *= rng.choice([4.0, 30.0, nan, inf, -1.0])
    assert watch(spike("loss", **keywords)).values(*values) == by_definition(values, **keywords)


def test_a_state_put_back_goes_on_as_it_would_have(watch: Any) -> None:
    rng = random.Random(0)
    values = STREAMS["wild noise"](rng, 400)
    watched = watch(spike("loss"))
    watched.values(*values[:217])
    snapshot = watched.snapshot()
    rest = watched.values(*values[217:])
    watched.go_back(snapshot)
    assert watched.values(*values[217:]) == rest


def test_its_state_is_bounded(watch: Any) -> None:
    watched = watch(spike("loss", window=64))
    watched.values(*[1.0] * 5000)
    assert len(watched.state[0]) <= 64 + 64 // 4


def test_the_usual_step_sorts_nothing(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    watched = watch(spike("loss"))
    watched.values(*(rng.gauss(1.0, 0.05) for _ in range(128)))
    looks = []
    look = spike.look

    def counted(self: Any, state: Any, value: float) -> Any:
        looks.append(value)
        return look(self, state, value)

    monkeypatch.setattr(spike, "look", counted)
    watched.values(*(rng.gauss(1.0, 0.05) for _ in range(3200)))
    assert len(looks) <= 3200 // 20  # one in 32 for the bound that has aged, the rest for values above it


def test_what_it_saw_names_the_figures(watch: Any) -> None:
    watched = watch(spike("loss", factor=3.0))
    watched.values(*[1.0] * 128, 9.0)
    assert watched.saw() == {"metric": "loss", "value": 9.0, "median": 1.0, "limit": 3.0, "values": 128}


def test_what_it_saw_of_few_values_is_their_number(watch: Any) -> None:
    watched = watch(spike("loss"))
    watched.values(1.0, nan)
    seen = copy.copy(watched.saw())
    assert (seen["values"], seen.get("median")) == (1, None)
