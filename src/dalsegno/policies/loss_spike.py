"""Loss spikes: noticed by a robust limit, answered by going back before them and leaving out their batches.

A spike comes from some batches in some state of the weights: from an earlier snapshot the same batches did
not spike, and without them it does not come back (PaLM, 2022, which left out 200 to 500).

A step is flagged where its loss is above median + max(8 * 1.4826 * MAD, 0.1 |median|) of the last 128 losses
of steps that were not (never before there are 32), or the norm of its gradient above 10 times its running
median. It fires on a flagged step if 3 of the last 5 are, and at once on a loss or norm that is not finite.
The onset is the first flagged one of those 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, ClassVar

from dalsegno.core.actions import Action, Change, RollBack, Target
from dalsegno.core.conditions.base import Scope, State
from dalsegno.core.conditions.leaf import Leaf, as_written, named_metric, refuses, whole
from dalsegno.core.conditions.spikes import spike
from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace

NORM = "gradient_norm"
NORM_FACTOR = 10.0
OF, LEAST = 5, 3  # it fires if so many of the last so many steps are flagged


@refuses
@dataclass(frozen=True)
class loss_spike(Leaf):
    """True where the loss has risen far above what it was for several steps, or where it is not finite.

    ``loss`` and ``norm`` are names of metrics; a norm that is not reported is not looked at. Steps that
    report neither are not counted.

    >>> from dalsegno.policies import loss_spike
    >>> print(loss_spike("train_loss"))
    loss_spike('train_loss')
    """

    loss: str = "loss"
    norm: str | None = field(default=NORM, kw_only=True)
    window: int = field(default=128, kw_only=True)

    def __post_init__(self) -> None:
        named_metric("loss_spike", self.loss)
        if self.norm is not None:
            named_metric("loss_spike(norm=...)", self.norm)
        object.__setattr__(self, "window", whole("loss_spike", "window", self.window, least=4))
        object.__setattr__(self, "of_loss", spike(self.loss, window=self.window))
        of_norm = None if self.norm is None else spike(self.norm, factor=NORM_FACTOR, window=self.window)
        object.__setattr__(self, "of_norm", of_norm)

    of_loss: ClassVar[spike]  # of each object its own, and not fields: they follow from the arguments
    of_norm: ClassVar[spike | None]

    def initial(self) -> State:
        norm = None if self.of_norm is None else self.of_norm.initial()
        return [self.of_loss.initial(), norm, 0, []]  # both windows, steps counted, [count, step] of those flagged

    def fold(self, state: Any, trace: Trace) -> bool | None:
        metrics = trace.metrics
        loss = metrics.get(self.loss)
        norm = None if self.norm is None else metrics.get(self.norm)
        if loss is None and norm is None:
            return None
        by_loss = None if loss is None else self.of_loss.fold(state[0], trace)
        by_norm = None if norm is None or self.of_norm is None else self.of_norm.fold(state[1], trace)
        state[2] += 1
        if not (by_loss or by_norm):
            return False
        if loss is not None and not by_loss:
            state[0][0].pop()  # flagged by the other one: the step enters neither window
        if norm is not None and not by_norm:
            state[1][0].pop()
        flagged = state[3] = [one for one in state[3] if one[0] > state[2] - OF]
        flagged.append([state[2], trace.attempt.steps])
        return len(flagged) >= LEAST or not all(isfinite(figure) for figure in (loss, norm) if figure is not None)

    def onset(self, state: Any) -> int:
        """The first flagged step of the last 5; only where the present one is flagged."""
        return int(state[3][0][1])

    def calm(self, state: Any) -> bool:
        """Whether none of the last 5 steps is flagged."""
        return not state[3] or state[3][-1][0] <= state[2] - OF

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        seen = {"loss": self.of_loss.saw(state[0], trace)}
        if self.of_norm is not None and self.norm in trace.metrics:
            seen["norm"] = self.of_norm.saw(state[1], trace)
        return {**seen, "flagged": [step for count, step in state[3] if count > state[2] - OF]}

    def metric_names(self) -> tuple[str, ...]:
        return (self.loss,) if self.norm in (None, NORM) else (self.loss, str(self.norm))


@dataclass
class LossSpike:
    """Go back before a loss spike, and leave out the batches from there to where it was noticed.

    It goes back to the newest sound snapshot at or before ``before`` steps ahead of the onset, or else to
    the oldest, so keep old ones: ``checkpoint=ds.checkpoint.Every(steps=100, keep=ds.checkpoint.Keep(ages=True))``.
    From there on every batch up to the one that it fired on is left out, and ``skip`` at least. ``then`` is
    changed besides, as in :func:`dalsegno.roll_back`. Which batches were left out stands in the journal
    (:func:`skipped_items`). What goes back is all that the loop keeps, and the random generators.

    After going back ``budget`` times in all it stands down; the next rule is asked, and without an answer
    the run stops. For ``cooldown`` steps after going back (by whatever rule) it does not fire, except on
    what is not finite; a spike that lasts beyond that counts from its own onset.

    >>> print(LossSpike("train_loss", skip=500))
    LossSpike('train_loss', skip=500)

    Raises :class:`UsageError` for numbers that are not whole or below 0.
    """

    scope: ClassVar[Scope] = "attempt"
    goes_back: ClassVar[bool] = True
    loss: str = "loss"
    norm: str | None = field(default=NORM, kw_only=True)
    before: int = field(default=100, kw_only=True)
    skip: int = field(default=200, kw_only=True)
    budget: int = field(default=3, kw_only=True)
    cooldown: int = field(default=128, kw_only=True)
    window: int = field(default=128, kw_only=True)
    then: Change | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("before", "skip", "cooldown", "budget"):
            least = 1 if name == "skip" else 0
            setattr(self, name, whole("LossSpike", name, getattr(self, name), least=least))
        if self.then is not None and (
            isinstance(self.then, type) or not (callable(self.then) or isinstance(self.then, str))
        ):
            raise UsageError(f"LossSpike(then={self.then!r}): expected a function of the process or a method's name")
        self.detector = loss_spike(self.loss, norm=self.norm, window=self.window)
        self.state: Any = self.detector.initial()
        self.fires = False
        self.run_steps: int | None = None  # steps taken in the run when it was last looked
        self.back_at: int | None = None  # the same when the attempt last went back
        self.held_onset: int | None = None  # of a spike that the cooldown held back

    @property
    def changes(self) -> dict[str, Change]:
        return {} if self.then is None else {"then": self.then}

    def observe(self, trace: Trace) -> None:
        """Take in the newest report."""
        if self.run_steps is not None and trace.steps > self.run_steps + 1:
            self.back_at = trace.steps - 1  # the run went on while this state, which goes back, did not
        if self.run_steps == trace.steps:  # the end of an attempt without a step of its own
            self.fires = False
            return
        self.run_steps = trace.steps
        self.fires = self.detector.fold(self.state, trace) is True
        if self.held_onset is not None and self.detector.calm(self.state):
            self.held_onset = None

    def decide(self, trace: Trace) -> Action | None:
        if not self.fires or trace.attempt.status != "running":
            return None
        onset = self.onset
        if self.cools(trace):
            self.held_onset = onset
            return None
        to = Target("before", step=max(onset - self.before, 0))
        return RollBack(to, self.then, self.skip, self.budget, self.budget, skip_from="landing")

    @property
    def onset(self) -> int:
        """The first step of the spike that is under way."""
        onset = self.detector.onset(self.state)
        return onset if self.held_onset is None else min(onset, self.held_onset)

    def cools(self, trace: Trace) -> bool:
        if self.back_at is None or trace.steps - self.back_at > self.cooldown:
            return False
        figures = (trace.metrics.get(name) for name in (self.loss, self.norm or ""))
        return all(isfinite(figure) for figure in figures if figure is not None)

    def saw(self, trace: Trace) -> dict[str, Any]:
        return {**self.detector.saw(self.state, trace), **({"onset": self.onset} if self.fires else {})}

    def state_dict(self) -> dict[str, Any]:
        return {
            "detector": self.state,
            "run_steps": self.run_steps,
            "back_at": self.back_at,
            "held_onset": self.held_onset,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.state, self.fires = state["detector"], False
        self.run_steps, self.back_at = state["run_steps"], state["back_at"]
        self.held_onset = state["held_onset"]

    def __str__(self) -> str:
        return as_written(self)


def skipped_items(decisions: Iterable[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """The items of data that roll backs left out, as (first, last), counted from 1, from a journal's decisions.

    ``skipped_items(ds.Journal("runs.db").rows("decisions", run=1))``. Ranges that overlap are joined.

    >>> skipped_items([{"action": {"changes": [[0, "skip", 9, [4, 10], False, None]]}}])
    [(5, 10)]
    """
    windows = sorted(
        (int(first), int(stop))
        for decision in decisions
        for _, _, _, window, *_ in decision["action"].get("changes", ())
        if window is not None
        for first, stop in [window]
    )
    joined: list[tuple[int, int]] = []
    for first, stop in windows:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((first + 1, stop))
    return joined
