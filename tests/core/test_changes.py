"""The usual changes: learning rates that no scheduler moves back, numbers at a path, several in a row."""

from __future__ import annotations

import copy
import warnings
from math import cos, inf, nan
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from dalsegno.core.changes import scale, scale_learning_rate, sequence, set_learning_rate
from dalsegno.core.errors import UsageError

torch = pytest.importorskip("torch")
schedulers = pytest.importorskip("torch.optim.lr_scheduler")
SWALR = pytest.importorskip("torch.optim.swa_utils").SWALR


def optimizer_of(*rates: float, kind: str = "SGD", **options: Any) -> Any:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))], "lr": rate} for rate in rates]
    return getattr(torch.optim, kind)(groups, **({"momentum": 0.9} if kind == "SGD" else {}), **options)


def sequential(optimizer: Any) -> Any:
    parts = [
        schedulers.LinearLR(optimizer, start_factor=0.1, total_iters=4),
        schedulers.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.001),
    ]
    return schedulers.SequentialLR(optimizer, parts, milestones=[7])


SCHEDULES = {
    "StepLR": lambda o: schedulers.StepLR(o, step_size=3, gamma=0.5),
    "MultiStepLR": lambda o: schedulers.MultiStepLR(o, milestones=[4, 8, 15], gamma=0.3),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, gamma=0.9),
    "ConstantLR": lambda o: schedulers.ConstantLR(o, factor=0.5, total_iters=12),
    "LinearLR": lambda o: schedulers.LinearLR(o, start_factor=0.1, end_factor=0.9, total_iters=15),
    "PolynomialLR": lambda o: schedulers.PolynomialLR(o, total_iters=18, power=2.0),
    "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda epoch: 1.0 / (1 + epoch)),
    "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, lambda epoch: 0.95),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, T_max=6, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, T_0=5, eta_min=0.01),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, max_lr=1.0, total_steps=30),
    "CyclicLR": lambda o: schedulers.CyclicLR(o, base_lr=0.1, max_lr=0.9, step_size_up=4),
    "SWALR": lambda o: SWALR(o, swa_lr=0.05, anneal_epochs=12),
    "SequentialLR": sequential,
    "ChainedScheduler": lambda o: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(o, factor=0.5, total_iters=9), schedulers.ExponentialLR(o, gamma=0.9)]
    ),
}


def trajectory(
    name: str, change: Any = None, at: int = 5, length: int = 20, rate: Any = float, **options: Any
) -> list[list[float]]:
    """The rates of both groups at each step, with ``change`` made before step ``at``."""
    optimizer = optimizer_of(rate(0.8), rate(0.2), **options)
    scheduler = SCHEDULES[name](optimizer)
    rates = []
    for step in range(length):
        if step == at and change is not None:
            change({"optimizer": optimizer, "scheduler": scheduler})
        rates.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # SequentialLR calls step(epoch), which torch itself deprecates
            scheduler.step()
    return rates


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("at", [0, 5, 7])
def test_the_schedule_from_there_on_is_the_old_one_times_the_factor(name: str, at: int) -> None:
    plain, changed = trajectory(name), trajectory(name, scale_learning_rate(0.25), at)
    expected = plain[:at] + [[0.25 * rate for rate in rates] for rates in plain[at:]]
    numpy.testing.assert_allclose(changed, expected, rtol=1e-9, atol=1e-15)  # torch's recursions round


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LambdaLR", "OneCycleLR"])
def test_a_rate_that_is_a_tensor_follows_too(name: str) -> None:
    options = {"kind": "Adam", "foreach": False, "rate": lambda rate: torch.tensor(rate, dtype=torch.float64)}
    plain, changed = trajectory(name, **options), trajectory(name, scale_learning_rate(0.25), **options)
    expected = plain[:5] + [[0.25 * rate for rate in rates] for rates in plain[5:]]
    numpy.testing.assert_allclose(changed, expected, rtol=1e-9)


def test_a_tensor_stays_the_same_tensor() -> None:
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))], lr=rate, capturable=True, foreach=True)
    scale_learning_rate(0.5)({"optimizer": optimizer})
    assert (optimizer.param_groups[0]["lr"] is rate, float(rate)) == (True, 0.25)


def plateau(change_at: int | None, factor: float = 0.25) -> list[float]:
    optimizer = optimizer_of(0.8)
    scheduler = schedulers.ReduceLROnPlateau(optimizer, patience=1, factor=0.5, min_lr=0.05)
    rates = []
    for step in range(20):
        if step == change_at:
            scale_learning_rate(factor)(SimpleNamespace(optimizer=optimizer, scheduler=scheduler))
        rates.append(float(optimizer.param_groups[0]["lr"]))
        scheduler.step(1.0)
    return rates


def test_a_plateau_scheduler_goes_on_in_proportion() -> None:
    numpy.testing.assert_allclose(plateau(5)[5:], [0.25 * rate for rate in plateau(None)[5:]], rtol=1e-12)


def test_a_closed_form_schedule_is_not_undone_by_asking_for_an_epoch() -> None:
    optimizer = optimizer_of(0.8)
    scheduler = schedulers.StepLR(optimizer, step_size=3, gamma=0.5)
    scale_learning_rate(0.5)({"optimizer": optimizer, "scheduler": scheduler})
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        scheduler.step(6)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 0.8 * 0.25)


def test_two_changes_multiply() -> None:
    optimizer = optimizer_of(0.8)
    for _ in range(2):
        scale_learning_rate(0.5)({"optimizer": optimizer})
    assert optimizer.param_groups[0]["lr"] == 0.2


def test_a_change_made_again_on_a_restored_state_gives_the_same_schedule() -> None:
    optimizer = optimizer_of(0.8)
    scheduler = schedulers.CosineAnnealingLR(optimizer, T_max=10)
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    found = []
    for _ in range(2):
        optimizer.load_state_dict(copy.deepcopy(saved[0]))
        scheduler.load_state_dict(copy.deepcopy(saved[1]))
        scale_learning_rate(0.5)({"optimizer": optimizer, "scheduler": scheduler})
        found.append((optimizer.param_groups[0]["lr"], scheduler.base_lrs, scheduler.get_last_lr()))
    assert found[0] == found[1] == (0.4, [0.4], [0.4])


class Agent:
    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer


PLACES = {
    "a kept piece": lambda o: {"optimizer": o},
    "an attribute": lambda o: SimpleNamespace(optimizer=o),
    "a list": lambda o: {"optimizers": [o]},
    "a dict in an attribute": lambda o: SimpleNamespace(pieces={"actor": o}),
    "an attribute of a kept piece": lambda o: {"agent": Agent(o)},
    "a private attribute": lambda o: SimpleNamespace(_optimizer=o),
    "a process that keeps": lambda o: SimpleNamespace(kept={"optimizer": o}),
    "the optimizer itself": lambda o: o,
    "only its scheduler": lambda o: {"scheduler": schedulers.StepLR(o, 5)},
    "twice": lambda o: {"optimizer": o, "agent": Agent(o), "scheduler": schedulers.StepLR(o, 5)},
    "a wrapper beside it": lambda o: {
        "optimizer": o,
        "wrapped": SimpleNamespace(param_groups=o.param_groups),
    },
}


@pytest.mark.parametrize("place", PLACES)
def test_an_optimizer_is_found_and_changed_once(place: str) -> None:
    optimizer = optimizer_of(0.8)
    scale_learning_rate(0.5)(PLACES[place](optimizer))
    assert optimizer.param_groups[0]["lr"] == 0.4


def test_all_optimizers_and_their_groups_are_changed() -> None:
    kept = {"actor": optimizer_of(0.8, 0.4), "critic": optimizer_of(0.2, kind="Adam")}
    scale_learning_rate(0.5)(kept)
    assert [[group["lr"] for group in one.param_groups] for one in kept.values()] == [[0.4, 0.2], [0.1]]


def test_a_process_that_steps_and_has_a_scheduler_is_no_scheduler() -> None:
    class Training:
        def __init__(self) -> None:
            self.optimizer = optimizer_of(0.8)
            self.scheduler = schedulers.StepLR(self.optimizer, 5)

        def step(self) -> None: ...

    process = Training()
    scale_learning_rate(0.5)(process)
    assert (process.optimizer.param_groups[0]["lr"], process.scheduler.base_lrs) == (0.4, [0.4])


def test_a_scheduler_that_is_not_kept_is_warned_about() -> None:
    optimizer = optimizer_of(0.8)
    schedulers.StepLR(optimizer, 5)
    with pytest.warns(UserWarning, match="keep it too"):
        scale_learning_rate(0.5)({"optimizer": optimizer})


PLAIN = {
    "an attribute": (SimpleNamespace(lr=0.8), lambda t: t.lr),
    "an attribute by its long name": (SimpleNamespace(learning_rate=0.8), lambda t: t.learning_rate),
    "an entry of a kept dict": ({"settings": {"lr": 0.8}}, lambda t: t["settings"]["lr"]),
    "an entry": ({"learning_rate": 0.8}, lambda t: t["learning_rate"]),
    "a dict in an attribute": (SimpleNamespace(settings={"lr": 0.8}), lambda t: t.settings["lr"]),
    "an attribute of a kept piece": ({"agent": SimpleNamespace(lr=0.8)}, lambda t: t["agent"].lr),
}


@pytest.mark.parametrize("place", PLAIN)
def test_without_an_optimizer_a_plain_number_is_changed(place: str) -> None:
    target, look = copy.deepcopy(PLAIN[place])
    scale_learning_rate(0.5)(target)
    assert look(target) == 0.4


def test_beside_an_optimizer_a_plain_number_is_left_alone() -> None:
    target = SimpleNamespace(lr=0.8, optimizer=optimizer_of(0.8))
    scale_learning_rate(0.5)(target)
    assert (target.lr, target.optimizer.param_groups[0]["lr"]) == (0.8, 0.4)


@pytest.mark.parametrize("target", [{}, {"model": object()}, SimpleNamespace(loss=3.0), {"lr": "fast"}, {"lr": True}])
@pytest.mark.parametrize("change", [scale_learning_rate(0.5), set_learning_rate(0.5)], ids=str)
def test_where_nothing_is_found_it_says_what_is_there(change: Any, target: Any) -> None:
    with pytest.raises(UsageError, match="found no optimizer and no number called lr"):
        change(target)


def test_a_number_that_cannot_be_set_is_said() -> None:
    class Fixed:
        lr = property(lambda self: 0.5)

    with pytest.raises(UsageError, match="cannot be set"):
        scale_learning_rate(0.5)(Fixed())


def test_a_rate_is_set_exactly_in_every_group() -> None:
    optimizer = optimizer_of(0.7, 0.3)
    scheduler = schedulers.ExponentialLR(optimizer, gamma=0.5)
    set_learning_rate(0.1)({"optimizer": optimizer, "scheduler": scheduler})
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]


def test_a_schedule_goes_on_in_proportion_from_a_rate_that_was_set() -> None:
    optimizer = optimizer_of(0.8)
    scheduler = schedulers.LambdaLR(optimizer, lambda epoch: 1 + cos(epoch))
    set_learning_rate(0.4)({"optimizer": optimizer, "scheduler": scheduler})  # it is 1.6 before
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * (1 + cos(1)))


def test_a_rate_of_0_without_a_schedule_can_be_set() -> None:
    optimizer = optimizer_of(0.0)
    set_learning_rate(0.1)({"optimizer": optimizer})
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_rate_of_0_in_a_schedule_is_refused_to_be_set() -> None:
    optimizer = optimizer_of(0.5)
    scheduler = schedulers.LambdaLR(optimizer, lambda epoch: epoch / 10)
    with pytest.raises(UsageError, match="no proportion"):
        set_learning_rate(0.1)({"optimizer": optimizer, "scheduler": scheduler})


def test_a_rate_of_0_at_the_start_of_a_warm_up_is_scaled_with_its_schedule() -> None:
    optimizer = optimizer_of(0.5)
    scheduler = schedulers.LambdaLR(optimizer, lambda epoch: epoch / 10)
    scale_learning_rate(0.5)({"optimizer": optimizer, "scheduler": scheduler})
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.025)


def test_a_path_goes_through_attributes_keys_and_places() -> None:
    optimizer = optimizer_of(0.8, weight_decay=0.5)
    scale("optimizer.param_groups.0.weight_decay", 0.5)(SimpleNamespace(optimizer=optimizer))
    assert optimizer.param_groups[0]["weight_decay"] == 0.25


@pytest.mark.parametrize("make", [numpy.ones, torch.ones], ids=["array", "tensor"])
def test_an_array_or_tensor_is_scaled_in_place(make: Any) -> None:
    noise = make(3)
    scale("noise", 0.5)({"noise": noise})
    assert noise.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("settings.heat", "settings has no 'heat'; it has name \\(str\\), temperature \\(float\\)"),
        ("setting.temperature", "the target has no 'setting'"),
        ("settings.name", "is a str: expected a number"),
        ("steps.7", "places 0 to 1"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ended(path: str, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        scale(path, 0.5)({"settings": {"temperature": 1.0, "name": "x"}, "steps": [1, 2]})


class Sampler:
    def __init__(self) -> None:
        self.lr, self.noise = 0.8, 1.0

    def hush(self) -> None:
        self.noise = 0.0


def test_a_sequence_applies_functions_and_methods_in_order() -> None:
    sampler = Sampler()
    sequence(scale_learning_rate(0.5), "hush", scale("lr", 0.5))(sampler)
    assert (sampler.lr, sampler.noise) == (0.2, 0.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: scale_learning_rate(0),
        lambda: scale_learning_rate(-0.5),
        lambda: scale_learning_rate(nan),
        lambda: scale_learning_rate(inf),
        lambda: scale_learning_rate("0.5"),
        lambda: scale_learning_rate(True),
        lambda: set_learning_rate(0),
        lambda: set_learning_rate(None),
        lambda: scale("", 0.5),
        lambda: scale("a..b", 0.5),
        lambda: scale("a", nan),
        lambda: scale(3, 0.5),
        lambda: sequence(0.5),
        lambda: sequence(scale_learning_rate),
    ],
)
def test_mistakes_are_refused_when_a_change_is_made(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (scale_learning_rate(0.5), "scale_learning_rate(0.5)"),
        (set_learning_rate(1), "set_learning_rate(1.0)"),
        (scale("a.b", 2), "scale('a.b', 2.0)"),
        (sequence(scale_learning_rate(0.5), "hush"), "sequence(scale_learning_rate(0.5), hush)"),
    ],
)
def test_a_change_reads_like_its_call(change: Any, written: str) -> None:
    assert str(change) == written


def test_changes_made_alike_are_equal() -> None:
    assert sequence(scale("a", 1), scale_learning_rate(2)) == sequence(scale("a", 1.0), scale_learning_rate(2.0))
