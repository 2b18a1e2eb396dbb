"""Conditions, public as ``dalsegno.when``: what is the case when a rule is to act.

=================  ==========================================================================
succeeded, failed  how the attempt ended; failed also by kind of exception
spent, elapsed     steps, seconds, attempts or cost used, of the run and of the attempt
stalled            a metric has not improved for a number of reports
spike              a metric leapt above its running median
above, below       a metric against a limit
not_finite         a metric is NaN or infinite
every              each n-th step, or each so many seconds
agrees             several attempts came to the same result
judge              a function that costs something to ask
=================  ==========================================================================

They compose with ``&``, ``|`` and ``~``. Any function of the trace is a condition too.
"""

from dalsegno.core.conditions.agreement import agrees
from dalsegno.core.conditions.base import All, AnyOf, Condition, Not, Pending, Test, condition
from dalsegno.core.conditions.endings import failed, succeeded
from dalsegno.core.conditions.judges import Verdict, judge
from dalsegno.core.conditions.leaf import Leaf
from dalsegno.core.conditions.levels import above, below, not_finite
from dalsegno.core.conditions.limits import elapsed, spent
from dalsegno.core.conditions.modes import check_modes
from dalsegno.core.conditions.patience import stalled
from dalsegno.core.conditions.periods import every
from dalsegno.core.conditions.spikes import spike

__all__ = [
    "All",
    "AnyOf",
    "Condition",
    "Leaf",
    "Not",
    "Pending",
    "Test",
    "Verdict",
    "above",
    "agrees",
    "below",
    "check_modes",
    "condition",
    "elapsed",
    "every",
    "failed",
    "judge",
    "not_finite",
    "spent",
    "spike",
    "stalled",
    "succeeded",
]
