"""Judging: a judge that costs something is asked only where everything else is true, and its answer is journaled."""

from __future__ import annotations

import inspect
from typing import Any

from dalsegno.core.decisions import Ask
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.once import charge_judge, once, once_async


def key_of(ask: Ask) -> str:
    return f"judge of rule {ask.rule}: {ask.judge}"


def verdict_cost(value: Any) -> dict[str, float]:
    return dict(value["cost"])


def as_values(verdict: Any) -> dict[str, Any]:
    """A judge's answer (a truth value, a pair of it and a reason, or a Verdict) as plain values."""
    if verdict is None or isinstance(verdict, bool):
        return {"accept": verdict, "reason": "", "cost": {}}
    if isinstance(verdict, tuple) and len(verdict) == 2:
        return {"accept": None if verdict[0] is None else bool(verdict[0]), "reason": str(verdict[1]), "cost": {}}
    if hasattr(verdict, "accept"):
        return {"accept": verdict.accept, "reason": verdict.reason, "cost": dict(verdict.cost)}
    return {"accept": bool(verdict), "reason": "", "cost": {}}


def answer(conductor: Conductor, instruction: Any) -> Any:
    """Ask the judges that the machine waits for, and hand back the instruction that follows."""
    while isinstance(instruction, Ask):
        ask = instruction
        function, subject = ask.judge.function, conductor.subject.target
        said = once(key_of(ask), lambda: as_values(function(subject)), cost=verdict_cost)
        charge_judge(conductor)
        instruction = conductor.reply(ask, said["accept"])
    return instruction


async def answer_async(conductor: Conductor, instruction: Any) -> Any:
    """The same where a judge may be a coroutine function."""
    while isinstance(instruction, Ask):
        ask = instruction
        function, subject = ask.judge.function, conductor.subject.target

        async def judged() -> Any:
            verdict = function(subject)
            return as_values(await verdict if inspect.isawaitable(verdict) else verdict)

        said = await once_async(key_of(ask), judged, cost=verdict_cost)
        charge_judge(conductor)
        instruction = conductor.reply(ask, said["accept"])
    return instruction
