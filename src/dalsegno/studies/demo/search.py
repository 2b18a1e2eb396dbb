"""The second part: what it costs to complete a set of quasigroups with and without restarts.

The instances lie at the hard ratio, where run times of one and the same search are heavy-tailed, so that a
restart is worth more than patience.  The fixed cutoff and Luby's unit are chosen on training instances; the
table is of others. Cost is counted in nodes (values tried), which no other load on the machine changes;
seconds stand beside it.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dalsegno.studies.demo.killing import DemoError
from dalsegno.studies.demo.search_figures import (
    FIXED,
    LUBY,
    NONE,
    STEP,
    Solved,
    best_cutoff,
    grid,
    luby_unit,
    measure,
    print_part,
)
from dalsegno.studies.demo.show import Show


@dataclass(frozen=True)
class Setting:
    """Squares of ``order`` with ``holes`` = 1.8 order ** 1.55; after ``cap`` nodes one is given up."""

    order: int = 25
    holes: int = 264
    training: int = 8  # instances
    training_seeds: int = 48
    training_cap: int = 20_000  # nodes: no longer run is needed to choose a cutoff below it
    test: int = 30
    seeds: int = 8
    cap: int = 1_000_000
    seed: int = 0


@dataclass(frozen=True)
class Task:
    """One instance under one policy with one seed. ``cutoff`` is the fixed one, or Luby's unit, in nodes."""

    policy: str
    cutoff: int
    instance: int
    seed: int
    setting: Setting
    journal: str | None = None


@functools.lru_cache(maxsize=64)
def instance(order: int, holes: int, seed: int) -> Any:
    from dalsegno.studies.quasigroup import square_with_holes

    return square_with_holes(order, holes, seed)


def rules_of(task: Task) -> list[Any]:
    import dalsegno as ds

    given_up = ds.stop(ds.when.spent(nodes=task.setting.cap), reason="given up", succeeded=False)
    if task.policy == FIXED:
        return [given_up, ds.policies.FixedCutoff(task.cutoff, of="nodes")]
    if task.policy == LUBY:
        return [given_up, ds.policies.Luby(unit=task.cutoff, of="nodes")]
    return [given_up]


def solve(task: Task) -> Solved:
    """Solve one instance on the engine; the solution is checked."""
    import dalsegno as ds
    from dalsegno.studies.quasigroup import Completion, is_completion

    setting = task.setting
    givens = instance(setting.order, setting.holes, task.instance)
    search = Completion(givens, nodes_per_step=STEP)
    result = ds.run(
        search,
        rules=rules_of(task),
        seed=task.instance * 1000 + task.seed,
        name=task.policy,
        journal=task.journal,
    )
    if result.succeeded and not is_completion(search.solution, givens):
        raise DemoError(f"square {task.instance}, seed {task.seed}: what {task.policy} calls solved is no completion")
    return Solved(
        task.policy,
        task.instance,
        task.seed,
        result.cost["nodes"],
        len(result.attempts),
        result.seconds,
        result.succeeded,
    )


def begin_worker() -> None:
    from dalsegno.studies.quasigroup import warm_up

    warm_up()


def solve_all(tasks: list[Task], show: Show, what: str, pool: ProcessPoolExecutor) -> list[Solved]:
    with show.bars() as bars:
        bar = bars.add_task(what, total=len(tasks))
        waiting = [pool.submit(solve, task) for task in tasks]
        done = []
        try:
            for future in as_completed(waiting):
                done.append(future.result())
                bars.advance(bar)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sorted(done, key=lambda one: (one.policy, one.instance, one.seed))


def run_part(show: Show, folder: Path, setting: Setting) -> dict[str, Any]:
    """Choose the cutoffs, solve the test set under each policy, print the tables, and return all figures."""
    from dalsegno.studies.quasigroup import warm_up

    show.heading("2  Search: quasigroup completion at the hard ratio")
    began = time.monotonic()
    compiling = warm_up()
    ratio = setting.holes / setting.order**1.55
    show.say(
        f"Latin squares of order {setting.order} with {setting.holes} of {setting.order**2} cells emptied: "
        f"{ratio:.2f} x n^1.55, near the hardest, 1.7.\n"
        f"Sampled from seed {setting.seed}; every one has a solution. "
        f"Randomised backtracking with propagation. Compiling took {compiling:.1f} s, not counted below."
    )
    journal = folder / "search.db"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), context, begin_worker) as pool:
        first = setting.seed * 10_000
        trained = solve_all(
            [
                Task(NONE, 0, first + 5000 + number, seed, replace(setting, cap=setting.training_cap))
                for number in range(setting.training)
                for seed in range(setting.training_seeds)
            ],
            show,
            "training squares",
            pool,
        )
        training_nodes, training_won = grid(trained, NONE)
        cutoffs = {NONE: 0, FIXED: best_cutoff(training_nodes, training_won), LUBY: luby_unit(training_nodes)}
        solved = solve_all(
            [
                Task(policy, cutoff, first + number, seed, setting, str(journal) if seed == 0 else None)
                for seed in range(setting.seeds)
                for number in range(setting.test)
                for policy, cutoff in cutoffs.items()
            ],
            show,
            "test squares",
            pool,
        )
    figures = {
        "setting": asdict(setting),
        "compile_seconds": compiling,
        **measure(solved, cutoffs, setting.cap),
        "seconds": time.monotonic() - began,
        "journal": str(journal),
    }
    print_part(show, figures, setting.training, setting.cap)
    return figures
