"""What the searches cost: choosing a cutoff, intervals by the bootstrap, how heavy the tail is, the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dalsegno.studies.demo.killing import DemoError
from dalsegno.studies.demo.show import Show, between, count

NONE, FIXED, LUBY = "no restart", "fixed cutoff", "Luby"
BOUND = "; they would\ntruly cost more, so totals with >= are lower bounds."
STEP = 100  # nodes in a step, and so the grain of every cutoff
Costs = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """What one search cost. Where it was given up, ``solved`` is false and ``nodes`` a lower bound (censored)."""

    policy: str
    instance: int
    seed: int
    nodes: float
    attempts: int
    seconds: float
    solved: bool


def grid(solved: list[Solved], policy: str) -> tuple[Costs, npt.NDArray[np.bool_]]:
    """Nodes and whether solved, both (instances, seeds)."""
    mine = {(one.instance, one.seed): one for one in solved if one.policy == policy}
    instances, seeds = (sorted({key[part] for key in mine}) for part in (0, 1))
    nodes = np.array([[mine[instance, seed].nodes for seed in seeds] for instance in instances])
    won = np.array([[mine[instance, seed].solved for seed in seeds] for instance in instances])
    return nodes, won


def best_cutoff(nodes: Costs, won: npt.NDArray[np.bool_]) -> int:
    """The cutoff, in whole steps, at which the training instances together are expected to cost least.

    ``nodes`` and ``won`` (instances, runs) are of runs without restarts.  Cut at t and begun anew until
    solved, an instance costs E[min(T, t)] / P(T <= t); one without a solved run at or before t costs
    infinitely much.
    """
    best, least = 0, np.inf
    for cutoff in np.unique(np.maximum(np.ceil(nodes[won] / STEP), 1) * STEP):
        solved = (won & (nodes <= cutoff)).mean(axis=1)
        if (solved == 0).any():
            continue
        expected = float((np.minimum(nodes, cutoff).mean(axis=1) / solved).sum())
        if expected < least:
            best, least = int(cutoff), expected
    if not best:
        raise DemoError("on the training squares no cutoff solved every one of them: nothing to choose from")
    return best


def bootstrap(
    costs: dict[str, Costs], draws: int = 4000, seed: int = 0
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Total cost of the set (mean over seeds) and its share of no restart, each with a 95 % interval.

    Seeds are resampled within each instance, the same for all policies: a seed's first attempt is the same in
    each.
    """
    instances, seeds = next(iter(costs.values())).shape
    picks = np.random.default_rng(seed).integers(seeds, size=(draws, instances, seeds))
    rows = np.arange(instances)[:, None]
    totals = {policy: cost[rows, picks].mean(axis=2).sum(axis=1) for policy, cost in costs.items()}
    answer = {}
    for policy, cost in costs.items():
        point, base = cost.mean(axis=1).sum(), costs[NONE].mean(axis=1).sum()
        low, high = np.percentile(totals[policy], [2.5, 97.5])
        share_low, share_high = np.percentile(totals[policy] / totals[NONE], [2.5, 97.5])
        answer[policy] = {
            "total": (float(point), float(low), float(high)),
            "share": (float(point / base), float(share_low), float(share_high)),
        }
    return answer


def tail(nodes: Costs, won: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """How heavy the tail of runs without restarts is: of all, and of each against its instance's median.

    A run that was given up was still running at its last node; ``mean`` and the longest are then lower
    bounds.
    """
    medians = np.maximum(np.median(nodes, axis=1, keepdims=True), 1)
    levels = [10**power for power in range(2, 7)]
    return {
        "runs": int(nodes.size),
        "censored": int((~won).sum()),
        "median": float(np.median(nodes)),
        "mean": float(nodes.mean()),
        "longest": float(nodes.max()),
        "longest_over_own_median": float((nodes / medians).max()),
        "survival": {level: float(((nodes > level) | (~won & (nodes >= level))).mean()) for level in levels},
    }


def luby_unit(nodes: Costs) -> int:
    """A tenth of the training runs' median, in whole steps."""
    return max(1, round(float(np.median(nodes)) / 10 / STEP)) * STEP


def measure(solved: list[Solved], cutoffs: dict[str, int], cap: int) -> dict[str, Any]:
    """Every figure of the test set, and whether the checks held; ``cutoffs`` by policy."""
    grids = {policy: grid(solved, policy) for policy in cutoffs}
    costs = {policy: nodes for policy, (nodes, _) in grids.items()}
    figures = bootstrap(costs)
    policies = {}
    for policy, cutoff in cutoffs.items():
        mine = [one for one in solved if one.policy == policy]
        policies[policy] = {
            "cutoff": cutoff or None,
            "runs": len(mine),
            "censored": sum(not one.solved for one in mine),
            "restarts": sum(one.attempts - 1 for one in mine),
            "seconds": sum(one.seconds for one in mine),
            "by_seed": costs[policy].sum(axis=0).tolist(),
            **figures[policy],
        }
    short = grids[NONE][1] & (costs[NONE] <= cutoffs[FIXED])
    return {
        "tail": tail(*grids[NONE]),
        "policies": policies,
        "censored": sum(figure["censored"] for figure in policies.values()),
        "checks": {
            "every square solved and its solution checked, or said to be given up": all(
                one.solved or one.nodes >= cap for one in solved
            ),
            "searches that end before the cutoff cost the same with it and without": bool(
                (costs[NONE] == costs[FIXED])[short].all()
            ),
        },
    }


def print_part(show: Show, figures: dict[str, Any], training: int, cap: int) -> None:
    heavy = figures["tail"]
    bound = ">= " if heavy["censored"] else ""
    show.table(
        f"Without restarts, {heavy['runs']} searches: share that is still running after so many nodes",
        [
            "nodes",
            *(count(level) for level in heavy["survival"]),
            "median",
            "mean",
            "longest",
            "longest / own median",
        ],
        [
            ["share", *(f"{share:.1%}" for share in heavy["survival"].values())]
            + [count(heavy["median"])]
            + [bound + count(heavy[name]) for name in ("mean", "longest", "longest_over_own_median")]
        ],
    )
    seeds = len(figures["policies"][NONE]["by_seed"])
    censored = figures["censored"]
    show.table(
        f"What it costs to solve the whole set, in nodes: mean of {seeds} seeds, 95 % bootstrap intervals",
        ["policy", "total nodes", "interval", "share", "interval", "restarts", "seconds", "solved"],
        [row(policy, figure) for policy, figure in figures["policies"].items()],
        f"Cutoff and Luby's unit were chosen on {training} other squares. "
        f"Searches given up after {count(cap)} nodes: {censored}{'.' if not censored else BOUND}",
    )
    for check, held in figures["checks"].items():
        show.check(check, held)


def row(policy: str, figure: dict[str, Any]) -> list[str]:
    seeds = len(figure["by_seed"])
    label = {NONE: policy, FIXED: f"{policy} {figure['cutoff']}", LUBY: f"{policy}, unit {figure['cutoff']}"}[policy]
    total, low, high = figure["total"]
    share, share_low, share_high = figure["share"]
    return [
        label,
        (">= " if figure["censored"] else "") + count(total),
        between(low, high),
        f"{share:.1%}",
        "" if policy == NONE else between(share_low, share_high, ".1%"),
        f"{figure['restarts'] / seeds:,.0f}",
        f"{figure['seconds'] / seeds:.2f}",
        f"{figure['runs'] - figure['censored']} of {figure['runs']}",
    ]
