"""The probe: what a process loses on the way through a snapshot is found out at the start, not at the crash."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

from dalsegno.core.report import Report
from dalsegno.core.store import codec
from dalsegno.core.store.comparison import differing
from dalsegno.core.subject import ProcessSubject

if TYPE_CHECKING:
    from dalsegno.core.loops.conductor import Conductor

SHORT = 0.05  # seconds: a longer step is not taken a second time
SMALL = 16 << 20  # bytes: a larger state is not copied


def through_a_snapshot(state: Any) -> Any:
    """A state as a snapshot would give it back."""
    text, arrays = codec.encode(state)
    own: dict[str, Any] = {}
    for key, value in arrays.items():
        source: Any = value
        own[key] = source.detach().clone() if hasattr(source, "untyped_storage") else source.copy()
    return codec.decode(text, own)


def round_trip(conductor: Conductor) -> None:
    """Save, load, save again: what comes out another time is not put back by ``load_state_dict``, and that is said."""
    from dalsegno.core.store import generators

    before = generators.capture()
    state = through_a_snapshot(conductor.subject.save())
    conductor.first_state = state
    try:
        conductor.subject.load(through_a_snapshot(state))
        lost = differing(state, through_a_snapshot(conductor.subject.save()))
    finally:
        generators.restore(before)
    if lost:
        paths = ", ".join(path.removeprefix("state.") for path in lost[:5])
        conductor.verdict = "approximate"
        conductor.warn(
            f"saving, loading and saving again does not give the same state; it differs at {paths}: a resume is approximate"
        )


def step_again(conductor: Conductor, report: Report, seconds: float) -> None:
    """Take the first step once more, on a copy and from the saved state; only where steps are short and cost nothing."""
    subject, state = conductor.subject, conductor.first_state
    conductor.first_state = None
    if (
        state is None
        or not isinstance(subject, ProcessSubject)
        or seconds > SHORT
        or report.cost
        or report.status == "failed"
        or inspect.iscoroutinefunction(subject.process.step)  # a plain loop cannot wait for it
    ):
        return
    from dalsegno.core.store import generators

    now = generators.capture()
    try:
        twin = copy.deepcopy(subject.process)
        twin.load_state_dict(state["state"])
        generators.restore(conductor.first_generators)
        again = twin.step()
        after = differing(through_a_snapshot(subject.process.state_dict()), through_a_snapshot(twin.state_dict()))
    except Exception:  # a process that cannot be copied cannot be probed; `dalsegno check` still can
        return
    finally:
        generators.restore(now)
    if not isinstance(again, Report):
        return
    lost = [f"metric {name!r}" for name in report.metrics if not same(report.metrics[name], again.metrics.get(name))]
    lost += [path.removeprefix("state.") for path in after]
    if lost:
        conductor.warn(
            f"the first step, taken again from its saved state on a copy, differs at {', '.join(lost[:5])}: something that "
            "a step depends on is not in state_dict (a generator, an environment, a counter?); `dalsegno check` says more"
        )


def same(one: float, other: float | None) -> bool:
    return one == other or (one != one and other is not None and other != other)
