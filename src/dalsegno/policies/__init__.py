"""Policies: when to restart, and when to save.

======================  =====================================================
Luby, luby              the universal schedule of restarts
FixedCutoff             one cutoff for every attempt
Geometric               cutoffs that grow by a factor
LearnedCutoff           the cutoff that past attempts show to be the best
RestartBandit           chooses between Luby, the learned cutoff and none
PreemptiveRestart       stops attempts that will fail, where that pays
enough                  true once another attempt is not worth its cost
rebuild_after           goes back to a base so often before it is built anew
LossSpike, loss_spike   goes back before a loss spike and skips its batches
IPOP, BIPOP, Evolution  CMA-ES, restarted with other populations
YoungDaly               snapshots at the interval that loses least
LearnedYoungDaly        the same, from the failures of the run so far
Every, Never            snapshots at regular places, or none
Improved                a snapshot whenever a metric is better than ever
======================  =====================================================

A policy is anything with ``decide(trace) -> Action | None``; a schedule of snapshots anything with
``due(trace, saved)``. The arithmetic behind them is here as plain functions and estimators too: logs of
attempts (``RunLog``), laws of their times (``fit``, ``as_law``), what a schedule costs (``expected_time``), and
whether restarting pays at all (``verdict``).
"""

from dalsegno.policies.bandit import RestartBandit
from dalsegno.policies.cutoff import Cutoff
from dalsegno.policies.enough import enough
from dalsegno.policies.evolution import Evolution
from dalsegno.policies.expected_time import expected_time
from dalsegno.policies.failure_times import (
    FailureTimes,
    LearnedYoungDaly,
    Segments,
    best_segments,
    mean_time_between_failures,
)
from dalsegno.policies.fixed import FixedCutoff
from dalsegno.policies.geometric import Geometric
from dalsegno.policies.geometric_ages import kept_numbers, number_to_return_to
from dalsegno.policies.improved import Improved
from dalsegno.policies.laws import Discrete, KaplanMeier, Law, LognormalMixture, WeibullMixture, as_law, fit
from dalsegno.policies.learned import LearnedCutoff
from dalsegno.policies.loss_spike import LossSpike, loss_spike, skipped_items
from dalsegno.policies.luby import Luby, luby
from dalsegno.policies.optimal_cutoff import OptimalCutoff
from dalsegno.policies.optimal_stopping import GoingOn, Stopping, optimal_horizon, optimal_states
from dalsegno.policies.past import journal_log
from dalsegno.policies.population_restarts import (
    BIPOP,
    IPOP,
    PopulationRun,
    default_population,
    most_iterations,
)
from dalsegno.policies.preemption import PreemptiveRestart, breakeven_fnr, expected_makespan
from dalsegno.policies.reservation import (
    Price,
    expected_best,
    expected_draws,
    expected_gain,
    reservation_value,
    shared_price,
    should_try,
    value_with_budget,
)
from dalsegno.policies.retries import coverage_draws, pass_at_k, record_probability
from dalsegno.policies.reward_laws import Normal, Prize, Uniform
from dalsegno.policies.rollback_depth import (
    Depth,
    best_depth,
    continuation_index,
    rebuild_after,
    rebuilding_cost,
    stage_chain,
    still_good,
)
from dalsegno.policies.run_log import RunLog
from dalsegno.policies.schedules import Every, Never, Schedule
from dalsegno.policies.verdict import Verdict, verdict
from dalsegno.policies.young_daly import YoungDaly, checkpoint_interval, daly, expected_completion, young

__all__ = [
    "BIPOP",
    "IPOP",
    "Cutoff",
    "Depth",
    "Discrete",
    "Every",
    "Evolution",
    "FailureTimes",
    "FixedCutoff",
    "Geometric",
    "GoingOn",
    "Improved",
    "KaplanMeier",
    "Law",
    "LearnedCutoff",
    "LearnedYoungDaly",
    "LognormalMixture",
    "LossSpike",
    "Luby",
    "Never",
    "Normal",
    "OptimalCutoff",
    "PopulationRun",
    "PreemptiveRestart",
    "Price",
    "Prize",
    "RestartBandit",
    "RunLog",
    "Schedule",
    "Segments",
    "Stopping",
    "Uniform",
    "Verdict",
    "WeibullMixture",
    "YoungDaly",
    "as_law",
    "best_depth",
    "best_segments",
    "breakeven_fnr",
    "checkpoint_interval",
    "continuation_index",
    "coverage_draws",
    "daly",
    "default_population",
    "enough",
    "expected_best",
    "expected_completion",
    "expected_draws",
    "expected_gain",
    "expected_makespan",
    "expected_time",
    "fit",
    "journal_log",
    "kept_numbers",
    "loss_spike",
    "luby",
    "mean_time_between_failures",
    "most_iterations",
    "number_to_return_to",
    "optimal_horizon",
    "optimal_states",
    "pass_at_k",
    "rebuild_after",
    "rebuilding_cost",
    "record_probability",
    "reservation_value",
    "shared_price",
    "should_try",
    "skipped_items",
    "stage_chain",
    "still_good",
    "value_with_budget",
    "verdict",
    "young",
]
