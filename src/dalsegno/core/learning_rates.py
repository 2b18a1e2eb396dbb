"""Where the learning rates of a process lie, and how they are moved so that no scheduler moves them back.

Optimizers and schedulers are known by their form (``param_groups`` of dicts that have ``lr``; ``step`` and
``get_last_lr``), so that torch need not be imported and wrappers of torch's are found too. Torch's
schedulers come in three kinds: those that compute the next rate from the present one, those that compute it
from the base rates they hold, and those that hold their rates in the optimizer's groups. Everything in all
three places that is a rate is moved by one ratio, so from then on the schedule is the old one times that
ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

PLAIN = ("lr", "learning_rate")
PER_GROUP = ("base_lrs", "_last_lr", "min_lrs", "max_lrs")
SHARED = ("eta_min", "default_min_lr")
INNER = ("_schedulers", "scheduler")
DEPTH = 2  # the target's own pieces, and what those hold
CROWD = 100  # a list or dict of more entries holds data, not optimizers


@dataclass(slots=True)
class Found:
    """Optimizers, schedulers and holders of a plain rate, each once."""

    optimizers: list[Any] = field(default_factory=list)
    schedulers: list[Any] = field(default_factory=list)
    plain: list[tuple[Any, str]] = field(default_factory=list)


def find(target: Any) -> Found:
    """Look through a process, or what a loop keeps, for everything that has a learning rate."""
    found = Found()
    for thing in pieces(target, DEPTH, set()):
        if is_optimizer(thing):
            add_optimizer(found, thing)
        elif is_scheduler(thing):
            add_scheduler(found, thing)
        else:
            name = next((name for name in PLAIN if is_rate(read(thing, name))), None)
            if name is not None:
                found.plain.append((thing, name))
    return found


def pieces(thing: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    """``thing`` and what it holds, down to a depth; lists and dicts do not count as a level."""
    if id(thing) in seen or thing is None or isinstance(thing, (str, bytes, Real, type)):
        return
    seen.add(id(thing))
    if isinstance(thing, (Mapping, list, tuple)):
        if isinstance(thing, Mapping):
            yield thing
        if len(thing) <= CROWD:
            for value in list(thing.values()) if isinstance(thing, Mapping) else thing:
                yield from pieces(value, depth, seen)
        return
    yield thing
    if depth and not is_optimizer(thing) and not is_scheduler(thing):
        for value in list(getattr(thing, "__dict__", {}).values()):
            yield from pieces(value, depth - 1, seen)


def is_optimizer(thing: Any) -> bool:
    groups = getattr(thing, "param_groups", None)
    return isinstance(groups, list) and bool(groups) and all(isinstance(g, dict) and "lr" in g for g in groups)


def is_scheduler(thing: Any) -> bool:
    return callable(getattr(thing, "step", None)) and callable(getattr(thing, "get_last_lr", None))


def is_rate(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def read(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def add_optimizer(found: Found, optimizer: Any) -> None:
    """A wrapper shows the very groups of what it wraps: they are moved once."""
    if not any(known.param_groups is optimizer.param_groups for known in found.optimizers):
        found.optimizers.append(optimizer)


def add_scheduler(found: Found, scheduler: Any) -> None:
    if any(known is scheduler for known in found.schedulers):
        return
    found.schedulers.append(scheduler)
    if is_optimizer(getattr(scheduler, "optimizer", None)):
        add_optimizer(found, scheduler.optimizer)
    for name in INNER:
        inner = getattr(scheduler, name, None)
        for one in inner if isinstance(inner, (list, tuple)) else (inner,):
            if one is not None and is_scheduler(one):
                add_scheduler(found, one)


def rescale(
    optimizer: Any,
    schedulers: Sequence[Any],
    ratio: Callable[[float], float],
    moved: Callable[[float], float],
) -> bool:
    """Move the rates of an optimizer and its schedulers; False where it has one that is not among them.

    ``moved`` says what a group's present rate becomes, ratio by how much its schedule is multiplied.
    """
    groups = optimizer.param_groups
    own = [one for one in schedulers if getattr(getattr(one, "optimizer", None), "param_groups", None) is groups]
    scheduled = bool(own) or any("initial_lr" in group for group in groups)
    ratios = [ratio(float(group["lr"])) for group in groups] if scheduled else []
    for place, group in enumerate(groups):
        for key, value in list(group.items()):
            if key == "lr":
                put(group, key, moved(float(value)))
            elif scheduled and key.endswith("_lr") and (is_rate(value) or is_tensor(value)):
                put(group, key, float(value) * ratios[place])
    for scheduler in own:
        rescale_schedule(scheduler, ratios)
    return bool(own) or not scheduled


def rescale_schedule(scheduler: Any, ratios: list[float]) -> None:
    for name in PER_GROUP:
        rates = getattr(scheduler, name, None)
        if isinstance(rates, list) and len(rates) == len(ratios):
            setattr(scheduler, name, [rate * ratio for rate, ratio in zip(rates, ratios, strict=True)])
    if len(set(ratios)) == 1:  # groups that move unequally have no common least rate to move
        for name in SHARED:
            value: Any = getattr(scheduler, name, None)
            if is_rate(value):
                setattr(scheduler, name, value * ratios[0])


def is_tensor(value: Any) -> bool:
    return hasattr(value, "fill_") and hasattr(value, "detach")


def put(group: dict[str, Any], key: str, rate: float) -> None:
    """A rate that is a tensor stays the same tensor: a captured graph or a compiled step reads that one."""
    if is_tensor(group[key]):
        group[key].detach().fill_(rate)
    else:
        group[key] = rate
