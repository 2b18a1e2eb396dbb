"""What a preemptive rule knows so far: the figures it decides by, in one value that prints as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, nan
from typing import Any

from dalsegno.policies.preemption.learner import Learner
from dalsegno.policies.preemption.makespan import Means
from dalsegno.policies.preemption.observed import BRANCHES


@dataclass(frozen=True)
class PreemptionReport:
    """Attempts, estimates and the decision. A figure that is not known yet is NaN.

    ``counts`` are the branches (weighted), ``tnr`` and ``fnr`` P(stop | would fail) and P(stop | would succeed) among
    the attempts that were called, ``means`` are MTS, MTF, MTN under preemption, ``undisturbed`` MTS and MTF without it:
    all of the best rule swept, by cross-fitted predictions, as soon as there was a sweep. ``gain`` is (quantile alpha,
    point, quantile 1 - alpha) of ``ems_baseline`` - ``ems_preemptive``.
    """

    decision: str
    rule: str
    checkpoints: tuple[float, ...]
    attempts: int
    stopped: int
    explored: int
    unbooked: int
    p: float
    counts: dict[str, float]
    tnr: float
    fnr: float
    means: Means
    undisturbed: Means
    ems_reactive: float
    ems_baseline: float
    ems_cutoff: float
    ems_preemptive: float
    gain: tuple[float, float, float]
    cutoff_gain: tuple[float, float, float]
    drifts: tuple[int, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, NaN as None."""
        plain: dict[str, Any] = _plain({**asdict(self), "means": self.means._asdict()})
        plain["undisturbed"] = {name: _plain(getattr(self.undisturbed, name)) for name in ("success", "failure")}
        return plain

    def __str__(self) -> str:
        rows = [
            ("decision", f"{self.decision}: {self.rule}"),
            ("attempts", f"{self.attempts}, of them stopped {self.stopped}, flagged and let go on {self.explored}"),
            ("P(success)", f"{self.p:.3f}"),
            ("branches", ", ".join(f"{name} {count:.4g}" for name, count in self.counts.items() if count)),
            ("stopped of failures, of successes", f"{self.tnr:.3f}, {self.fnr:.3f}"),
            ("mean time to success, failure, call", ", ".join(f"{mean:.4g}" for mean in self.means)),
            ("expected time to success, reactive", f"{self.ems_reactive:.5g}"),
            ("  by a fixed cutoff", f"{self.ems_cutoff:.5g}"),
            ("  by preemption", f"{self.ems_preemptive:.5g}"),
            ("preemption saves over the better", f"{self.gain[1]:.4g} ({self.gain[0]:.4g} to {self.gain[2]:.4g})"),
        ]
        if self.drifts:
            rows.append(("drift noticed after attempt", ", ".join(map(str, self.drifts))))
        rows += [("note", note) for note in self.notes]
        return "\n".join(f"{name:<36}{text}" for name, text in rows)


def report_of(learner: Learner) -> PreemptionReport:
    """The report on what ``learner`` knows now."""
    verdict, log = learner.verdict, learner.log
    seen = learner.statistics()
    statistics = verdict.statistics if verdict is not None and verdict.statistics is not None else seen
    flagged = None if log is None else log.column("flagged") >= 0
    empty = Means(nan, nan, nan)
    notes = list(learner.notes)
    won = seen is not None and seen.p > 0
    if not won:
        notes.append("no attempt has succeeded yet: the expected time to a success is not known")
    return PreemptionReport(
        decision="observe" if verdict is None else verdict.decision,
        rule=str(learner.rule),
        checkpoints=learner.checkpoints,
        attempts=len(learner.pilots) + (0 if log is None else log.begun + len(log)),
        stopped=0 if log is None or flagged is None else int((flagged & (log.outcomes < 0)).sum()),
        explored=0 if log is None or flagged is None else int((flagged & (log.outcomes >= 0)).sum()),
        unbooked=learner.unbooked,
        p=nan if seen is None else seen.p,
        counts={} if statistics is None else dict(zip(BRANCHES, map(float, statistics.weight), strict=True)),
        tnr=nan if statistics is None else statistics.tnr,
        fnr=nan if statistics is None else statistics.fnr,
        means=empty if statistics is None else statistics.means,
        undisturbed=empty if statistics is None else statistics.undisturbed,
        ems_reactive=seen.reactive(learner.settings.reset_cost) if seen is not None and won else nan,
        ems_baseline=nan if verdict is None else verdict.ems_baseline,
        ems_cutoff=nan if verdict is None else verdict.ems_cutoff,
        ems_preemptive=nan if verdict is None else verdict.ems_preemptive,
        gain=(nan, nan, nan) if verdict is None else verdict.gain,
        cutoff_gain=(nan, nan, nan) if verdict is None else verdict.cutoff_gain,
        drifts=tuple(learner.drifts),
        notes=tuple(notes),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
