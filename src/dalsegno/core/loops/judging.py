"""Judging: a judge that costs something is asked only where everything else is true, and its answer is journaled."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from dalsegno.core.conditions.judges import judge
from dalsegno.core.decisions import Ask
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.machine import all_conditions
from dalsegno.core.once import charge_judge, instant, once, once_async


def key_of(conductor: Conductor, ask: Ask) -> str:
    """What the answer is journaled under: the judge's name, and its place where another judge has the same name."""
    namesakes: list[Any] = []
    for leaf in all_conditions(conductor.rules):
        function = getattr(leaf, "function", None)
        if isinstance(leaf, judge) and str(leaf) == str(ask.judge) and function not in namesakes:
            namesakes.append(function)
    place = namesakes.index(ask.judge.function) if ask.judge.function in namesakes else 0
    return f"judge: {ask.judge}" + (f" ({place + 1})" if place else "")


def verdict_cost(value: Any) -> dict[str, float]:
    return dict(value["cost"])


def as_values(verdict: Any) -> dict[str, Any]:
    """A judge's answer (a truth value, a pair of it and a reason, or a Verdict) as plain values."""
    if verdict is None or isinstance(verdict, bool):
        return {"accept": verdict, "reason": "", "cost": {}}
    if isinstance(verdict, tuple) and len(verdict) == 2:
        return {
            "accept": None if verdict[0] is None else bool(verdict[0]),
            "reason": str(verdict[1]),
            "cost": {},
        }
    if hasattr(verdict, "accept"):
        return {"accept": verdict.accept, "reason": verdict.reason, "cost": dict(verdict.cost)}
    return {"accept": bool(verdict), "reason": "", "cost": {}}


def known(conductor: Conductor, ask: Ask) -> dict[str, Any] | None:
    """What this judge has said at this very step already, when another rule asked it."""
    if conductor.judged_at != instant(conductor):
        conductor.judged, conductor.judged_at = {}, instant(conductor)
    return conductor.judged.get(key_of(conductor, ask))


def take(conductor: Conductor, ask: Ask, said: dict[str, Any]) -> Any:
    """Hand a judge's answer to the machine, its cost charged and its reason kept."""
    conductor.judged[key_of(conductor, ask)] = said
    charge_judge(conductor)
    return conductor.reply(ask, said["accept"], said["reason"])


def answer(conductor: Conductor, instruction: Any) -> Any:
    """Ask the judges that the machine waits for, and hand back the instruction that follows."""
    while isinstance(instruction, Ask):
        ask = instruction
        said = known(conductor, ask)
        if said is None:
            asked = partial(judged, ask.judge.function, conductor.subject.target)
            said = once(key_of(conductor, ask), asked, cost=verdict_cost)
        instruction = take(conductor, ask, said)
    return instruction


async def answer_async(conductor: Conductor, instruction: Any) -> Any:
    """The same where a judge may be a coroutine function."""
    while isinstance(instruction, Ask):
        ask = instruction
        said = known(conductor, ask)
        if said is None:
            asked = partial(judged_async, ask.judge.function, conductor.subject.target)
            said = await once_async(key_of(conductor, ask), asked, cost=verdict_cost)
        instruction = take(conductor, ask, said)
    return instruction


def judged(function: Any, subject: Any) -> dict[str, Any]:
    return as_values(function(subject))


async def judged_async(function: Any, subject: Any) -> dict[str, Any]:
    verdict = function(subject)
    return as_values(await verdict if inspect.isawaitable(verdict) else verdict)
