"""What a preemptive restart is told: its checkpoints, its tests, its costs; refused where that makes no sense."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.conditions.leaf import finite, whole
from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption.makespan import check_resets
from dalsegno.policies.preemption.predictor import LogisticPredictor, check_predictor
from dalsegno.policies.preemption.sweep import KINDS, Kind

WHERE = "PreemptiveRestart"


@dataclass(eq=False)
class Settings:
    """See :class:`PreemptiveRestart` for what each means.

    Raises :class:`UsageError` for a setting out of its range, and for ``explore=0`` together with re-evaluation.
    """

    checkpoints: Sequence[float] | None = None
    alpha: float = field(default=0.05, kw_only=True)
    explore: float = field(default=0.1, kw_only=True)
    reset_cost: tuple[float, float] = field(default=(0.0, 0.0), kw_only=True)
    observe_attempts: int = field(default=200, kw_only=True)
    reevaluate: int | None = field(default=100, kw_only=True)
    keep: int = field(default=2000, kw_only=True)
    predictor: Any = field(default=None, kw_only=True)
    window: int = field(default=1, kw_only=True)
    latency: float = field(default=0.0, kw_only=True)
    kinds: tuple[Kind, ...] = field(default=KINDS, kw_only=True)
    thresholds: int = field(default=200, kw_only=True)
    folds: int = field(default=5, kw_only=True)
    repeats: int = field(default=3, kw_only=True)
    resamples: int = field(default=1000, kw_only=True)
    pilot: int = field(default=20, kw_only=True)
    metrics: tuple[str, ...] = field(default=(), kw_only=True)
    transform: Callable[[float], float] | None = field(default=None, kw_only=True)
    of: str = field(default="steps", kw_only=True)
    seed: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("alpha", "explore"):
            if finite(WHERE, name, getattr(self, name)) > 1 or (name == "alpha" and not 0 < self.alpha < 0.5):
                within = "above 0 and below 0.5" if name == "alpha" else "from 0 to 1"
                raise UsageError(f"{WHERE}({name}={getattr(self, name)!r}): expected a probability {within}")
        self.reset_cost = check_resets(self.reset_cost)
        self.latency = finite(WHERE, "latency", self.latency)
        least = {"observe_attempts": 40, "keep": 40, "window": 1, "thresholds": 1, "folds": 2, "repeats": 1}
        for name, bound in {**least, "resamples": 100, "pilot": 2, "seed": 0}.items():
            setattr(self, name, whole(WHERE, name, getattr(self, name), least=bound))
        if self.keep < self.observe_attempts:
            raise UsageError(
                f"{WHERE}(keep={self.keep}, observe_attempts={self.observe_attempts}): expected to keep at least as "
                "many attempts as are observed before the first judgement"
            )
        if self.reevaluate is not None:
            self.reevaluate = whole(WHERE, "reevaluate", self.reevaluate)
            if self.explore == 0:
                raise UsageError(
                    f"{WHERE}(explore=0, reevaluate={self.reevaluate}): a stopped attempt never shows how it would have "
                    "ended, so without exploration nothing can be judged again; expected explore above 0, or "
                    "reevaluate=None"
                )
        if self.checkpoints is not None:
            self.checkpoints = check_checkpoints(self.checkpoints)
        kinds = self.kinds if isinstance(self.kinds, (tuple, list)) else ()
        if not kinds or not set(kinds) <= set(KINDS):
            raise UsageError(f"{WHERE}(kinds={self.kinds!r}): expected some of {KINDS}")
        self.kinds = tuple(kinds)
        names = self.metrics if isinstance(self.metrics, (tuple, list)) else (None,)
        if not all(isinstance(name, str) and name for name in names):
            raise UsageError(f"{WHERE}(metrics={self.metrics!r}): expected a tuple of names, such as ('loss',)")
        self.metrics = tuple(self.metrics)
        if self.transform is not None and not callable(self.transform):
            raise UsageError(
                f"{WHERE}(transform={self.transform!r}): expected a function of a number, such as math.log"
            )
        if not isinstance(self.of, str) or not self.of or self.of == "attempts":
            raise UsageError(f"{WHERE}(of={self.of!r}): expected 'steps', 'seconds' or a unit of cost")
        if self.predictor is not None:
            check_predictor(self.predictor)

    def estimator(self) -> Any:
        """A fresh predictor."""
        return LogisticPredictor() if self.predictor is None else copy.deepcopy(self.predictor)


def check_checkpoints(checkpoints: Sequence[float]) -> tuple[float, ...]:
    if isinstance(checkpoints, (str, bytes)) or not hasattr(checkpoints, "__iter__"):
        raise UsageError(f"{WHERE}(checkpoints={checkpoints!r}): expected a list of times")
    times = tuple(finite(WHERE, "checkpoints", one) for one in checkpoints)
    if not times or any(not before < after for before, after in zip((0.0, *times), times, strict=False)):
        raise UsageError(f"{WHERE}(checkpoints={list(times)}): expected times above 0, each later than the one before")
    return times
