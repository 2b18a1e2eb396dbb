"""Preemption: stop attempts that a predictor says will fail, if and only if that saves time.

Formulas in ``makespan`` and ``makespan_law``; columns of attempts in ``observed`` and ``attempts``; the sweep over
rules in ``sweep``, the test for adoption in ``adoption``; predictors in ``predictor`` and ``convolution``; all of it
put together in ``rule``.
"""

from dalsegno.policies.preemption.adoption import Verdict, assign_folds, crossfit, judge
from dalsegno.policies.preemption.attempts import AttemptLog
from dalsegno.policies.preemption.convolution import ConvolutionPredictor
from dalsegno.policies.preemption.makespan import (
    Confusion,
    Means,
    breakeven_fnr,
    cost_per_success,
    expected_makespan,
    reactive_makespan,
)
from dalsegno.policies.preemption.makespan_law import Branch, MakespanLaw
from dalsegno.policies.preemption.observed import BranchStatistics, Observed, branch_statistics
from dalsegno.policies.preemption.predictor import LogisticPredictor
from dalsegno.policies.preemption.report import PreemptionReport
from dalsegno.policies.preemption.rule import PreemptiveRestart
from dalsegno.policies.preemption.sweep import Sweep, ThresholdRule, sweep

__all__ = [
    "AttemptLog",
    "Branch",
    "BranchStatistics",
    "Confusion",
    "ConvolutionPredictor",
    "LogisticPredictor",
    "MakespanLaw",
    "Means",
    "Observed",
    "PreemptionReport",
    "PreemptiveRestart",
    "Sweep",
    "ThresholdRule",
    "Verdict",
    "assign_folds",
    "branch_statistics",
    "breakeven_fnr",
    "cost_per_success",
    "crossfit",
    "expected_makespan",
    "judge",
    "reactive_makespan",
    "sweep",
]
