"""Opening a run: new, resumed, begun again after a failure, extended, or ended already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dalsegno.core import events
from dalsegno.core.actions import OutOfBudget, Target
from dalsegno.core.errors import ChangedError, UsageError
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.loops.refusals import check_plan
from dalsegno.core.loops.saving import Saver
from dalsegno.core.loops.taking_up import take_up, taken_up_by_driver
from dalsegno.core.machine import Machine, all_conditions
from dalsegno.core.plan import Plan, may_go_back
from dalsegno.core.trial import Often, Trial


def open_run(
    plan: Plan,
    *,
    journal: str | os.PathLike[str] | None = None,
    listeners: Sequence[events.Listener] = (),
    fresh: bool | str = False,
    extend: bool = False,
    accept: Sequence[str] = (),
    wait: float = 30.0,
    portfolio: bool = False,
) -> Conductor:
    """Open the run of a plan and say where it goes on. Everything that can be refused is refused here."""
    from dalsegno.core.journal import Journal
    from dalsegno.core.journal.journal import place_of

    if fresh not in (True, False, "if changed"):
        raise UsageError(f"fresh={fresh!r}: expected True, False or 'if changed'")
    if isinstance(accept, str):
        raise UsageError(f"accept={accept!r}: expected a list of names")
    if not hasattr(listeners, "__iter__") or not all(callable(listener) for listener in listeners):
        raise UsageError(f"listeners={listeners!r}: expected a list of functions of one event")
    trial = Trial.asked()
    if trial is not None:
        plan, journal = on_trial(plan, trial), trial.journal
        listeners = [*listeners, trial.listener()]
    rules = plan.rules
    snapshots = plan.wants_snapshots(journal is not None)
    schedule = schedule_of(plan, snapshots)
    check_plan(plan, schedule)
    own = rules if plan.budget is None else (rule_of(plan.budget), *rules)
    if portfolio:
        from dalsegno.core.loops.worker import Silent, is_of_run

        own = tuple(rule if is_of_run(rule) else Silent(rule) for rule in rules)
    machine = Machine(own, schedule=None if portfolio else schedule, objective=objective_of(rules, schedule))
    stream = events.Stream(list(listeners))

    if journal is None:
        writer = Journal.memory().open_run(plan.run_name, plan.seed, identity={})
    else:
        writer = open_journaled(plan, place_of(journal), schedule, fresh, extend, accept, wait)
    try:
        return take_over(plan, writer, machine, schedule, stream, extend, journal is not None, portfolio)
    except BaseException:
        writer.close()  # a run that could not be taken up is free for the next that tries
        raise


def take_over(
    plan: Plan,
    writer: Any,
    machine: Machine,
    schedule: Any,
    stream: events.Stream,
    extend: bool,
    journaled: bool,
    portfolio: bool,
) -> Conductor:
    """The conductor of a run whose rows are this program's now, and where it goes on."""
    from dalsegno.core.seeds import fresh_root

    rules = plan.rules
    root_seed = writer.run["root_seed"] if writer.run.get("root_seed") is not None else plan.seed
    if root_seed is None:
        root_seed = fresh_root()
    writer.set_root_seed(root_seed)
    conductor = Conductor(
        rules=rules,
        machine=machine,
        journal=writer,
        root_seed=int(root_seed),
        name=plan.run_name,
        stream=stream,
        budget=None if plan.budget is None else own_budget(plan.budget),
        journaled=journaled,
    )
    conductor.writer_number = int(writer.owner)
    if plan.wants_snapshots(journaled) and not portfolio:
        from dalsegno.core.store.retention import Keep

        conductor.saver = Saver(conductor, store_of(writer, journaled), getattr(schedule, "keep", None) or Keep())
        conductor.saver.store.sweep()
    conductor.promised_best = promised(rules, machine)
    machine.saves_best = saves_best(plan, schedule, conductor.promised_best)
    how = take_up(conductor, extend) if not portfolio else taken_up_by_driver(conductor)
    if how == "ended" and writer.former_identity is not None:  # nothing was extended: the limits stay as they were
        writer.set_identity(writer.former_identity)
    conductor.paid.mark(conductor.paid.since)
    if conductor.budget is not None:
        used, held = writer.calls_spent()
        conductor.budget.load_state_dict({"used": used, "held": held})
    stream.send(events.RunStarted(writer.run_id, plan.run_name, conductor.root_seed, how))
    return conductor


def on_trial(plan: Plan, trial: Trial) -> Plan:
    """The plan as ``dalsegno check`` wants it: it stops early and saves often."""
    from dalsegno.core.conditions import spent
    from dalsegno.core.rules import stop
    from dalsegno.core.store.retention import Keep

    keep = getattr(plan.checkpoint, "keep", None) or Keep()
    early = stop(spent(steps=trial.steps), name="stop as dalsegno check asked")
    return plan.with_(rules=(early, *plan.rules), checkpoint=Often(trial.every, keep), seed=plan.seed or 0)


def schedule_of(plan: Plan, snapshots: bool) -> Any:
    """The plan's schedule of snapshots; Young/Daly where there is none and a state may have to be put back."""
    if plan.checkpoint is not None or not snapshots:
        return plan.checkpoint
    from dalsegno.policies.young_daly import YoungDaly  # the one default that core takes from policies

    return YoungDaly()


def open_journaled(
    plan: Plan, path: Path, schedule: Any, fresh: bool | str, extend: bool, accept: Sequence[str], wait: float
) -> Any:
    """The writer of the plan's run in a journal file, once its identity has been compared."""
    from dalsegno.core import identity
    from dalsegno.core.journal import Journal

    mine = identity.identify(
        process=plan.process, rules=plan.rules, checkpoint=None, budget=plan.budget, arguments=plan.arguments
    )
    file = Journal(path, wait=wait)
    writer = file.open_run(plan.run_name, plan.seed, identity=mine, fresh=fresh is True)
    if writer.created:
        return writer
    unlike = identity.differences(writer.identity, mine)
    ended = writer.run["state"] == "finished"
    tolerated = [one for one in unlike if one.kind == "limit" and (extend or not ended)]
    refused = [one for one in unlike if one not in tolerated and one.name not in accept]
    if refused and fresh == "if changed":
        writer.close()
        return Journal(path, wait=wait).open_run(plan.run_name, plan.seed, identity=mine, fresh=True)
    if refused:
        writer.close()
        raise ChangedError(
            f"run {plan.run_name!r} (seed {plan.seed}) in {path} was made otherwise: " + identity.explain(refused)
        )
    if unlike:
        writer.former_identity = writer.identity
        writer.set_identity(mine)
        if len(tolerated) < len(unlike):
            writer.accepted = True
    return writer


def store_of(writer: Any, journaled: bool) -> Any:
    if journaled:
        from dalsegno.core.store.directory import DirectoryStore

        return DirectoryStore(writer.snapshots_path, writer.uid)
    from dalsegno.core.store.memory import MemoryStore

    return MemoryStore(writer.uid)


def rule_of(budget: Any) -> Any:
    """The rule that a budget is between two steps: once a unit is used up the run ends, and has not succeeded."""
    from dalsegno.core.conditions import spent
    from dalsegno.core.rules import Rule

    return Rule(spent(**budget.limits), OutOfBudget(f"{budget} is used up"), f"stop at the end of {budget}")


def own_budget(budget: Any) -> Any:
    import copy

    return copy.deepcopy(budget)


def objective_of(rules: Sequence[Any], schedule: Any) -> tuple[str, str, float] | None:
    """What counts as best where no report carries a value: the first metric that is watched for improvement."""
    if getattr(schedule, "improvement", False):
        return None if schedule.metric == "value" else (schedule.metric, schedule.mode, 0.0)
    for leaf in all_conditions(rules):
        if type(leaf).__name__.lower() == "stalled":
            watched: Any = leaf
            return watched.metric, watched.mode, float(watched.min_delta)
    keep = getattr(schedule, "keep", None)
    best = getattr(keep, "best", None)
    if best and best != "value":
        return best, keep.mode, 0.0  # type: ignore[union-attr]
    return None


def saves_best(plan: Plan, schedule: Any, promised_best: Sequence[tuple[str, str]]) -> str:
    """Whether an improvement calls for a snapshot: the plan's schedule says so, or a rule may put the best one back."""
    if getattr(schedule, "improvement", False):
        return "always"
    return "cheap" if plan.checkpoint is None and promised_best else ""


def promised(rules: Sequence[Any], machine: Machine) -> list[tuple[str, str]]:
    """The (metric, mode) pairs whose best snapshot some rule may put back."""
    pairs = []
    for rule in rules:
        action = getattr(rule, "action", None)
        origin = getattr(action, "origin", None)
        begins = Target("best") if getattr(origin, "snapshot", None) == "best" else None
        for to in (getattr(action, "restore", None), getattr(action, "to", None), begins):
            if to is not None and to.which == "best" and may_go_back(rule):
                pairs.append(
                    (to.metric, to.mode)
                    if to.metric
                    else machine.objective[:2]
                    if machine.objective
                    else ("value", "max")
                )
    return pairs
