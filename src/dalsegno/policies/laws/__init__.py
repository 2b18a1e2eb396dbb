"""Laws of run times: estimated from a log with cut attempts, or given."""

from dalsegno.policies.laws.discrete import Discrete
from dalsegno.policies.laws.fitting import fit
from dalsegno.policies.laws.given import as_law
from dalsegno.policies.laws.kaplan_meier import KaplanMeier
from dalsegno.policies.laws.law import Law
from dalsegno.policies.laws.lognormal import LognormalMixture
from dalsegno.policies.laws.weibull import WeibullMixture

__all__ = ["Discrete", "KaplanMeier", "Law", "LognormalMixture", "WeibullMixture", "as_law", "fit"]
