"""fit: the law behind a log, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.policies.laws.kaplan_meier import KaplanMeier
from dalsegno.policies.laws.law import Law
from dalsegno.policies.laws.lognormal import LognormalMixture
from dalsegno.policies.laws.weibull import WeibullMixture
from dalsegno.policies.run_log import RunLog

FITS: dict[str, Callable[..., Law]] = {
    "kaplan-meier": KaplanMeier,
    "lognormal": LognormalMixture.fit,
    "weibull": WeibullMixture.fit,
}


def fit(log: RunLog, law: str = "kaplan-meier", **options: Any) -> Law:
    """The law behind a log: ``"kaplan-meier"``, or a mixture, ``"lognormal"`` or ``"weibull"``.

    ``options`` are those of the fit: ``components``, ``starts`` and ``seed`` of a mixture.

    >>> log = RunLog("steps", [12, 7, 30], [True, True, False])
    >>> fit(log).survival([7, 12]).round(6).tolist()
    [0.666667, 0.333333]

    Raises :class:`UsageError` for a log without a solved attempt, and for a name that is none of these.
    """
    if law not in FITS:
        raise UsageError(f"fit(..., {law!r}): expected {', '.join(map(repr, FITS))}")
    if not log.successes:
        raise UsageError(
            f"0 of {len(log)} attempts were solved: there is nothing to estimate; the log needs some that were"
        )
    return FITS[law](log, **options)
