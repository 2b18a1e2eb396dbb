"""Which snapshots to keep, and which to go back to, where faults are noticed late.

Number the snapshots 0, 1, 2, ...; while n is the newest, keep i if n - i < 3 * 2^v, v the exponent of 2 in
i, and always 0. Then for every lag L <= n some kept one has an age in [L, 2L - 1], and no more than
2 log2(n + 1) + 1 are kept. A run keeps its snapshots so by ``ds.checkpoint.Keep(ages=True)``.

A fault that is noticed up to L intervals after it happened is in every snapshot younger than that: those are
good for going on after a machine has failed, not for going back after a judgement. In a run
``ds.roll_back(..., to=ds.Target("before", step=-L))`` passes over them, L in steps.
"""

from __future__ import annotations

from dalsegno.core.errors import UsageError
from dalsegno.core.store.retention import kept_at_age
from dalsegno.policies.retries import whole


def kept_numbers(newest: int) -> list[int]:
    """The numbers of the snapshots that are kept while ``newest`` is the newest, oldest first; O(log^2 n).

    >>> kept_numbers(20)
    [0, 8, 12, 16, 18, 19, 20]
    """
    newest = whole("kept_numbers", "newest", newest)
    kept = {0}
    power = 1
    while power <= max(newest, 1):
        first = max(newest - 3 * power + 1, 0)
        kept.update(i for i in range(-(-first // power) * power, newest + 1, power) if kept_at_age(i, newest))
        power *= 2
    return sorted(kept)


def number_to_return_to(newest: int, lag: int = 1) -> int:
    """The newest kept snapshot that is at least ``lag`` intervals old; the oldest if none is.

    >>> number_to_return_to(20, lag=3), number_to_return_to(20, lag=5)
    (16, 12)

    Raises :class:`UsageError` for a lag below 0.
    """
    lag = whole("number_to_return_to", "lag", lag)
    if newest < 0:
        raise UsageError(f"number_to_return_to(newest={newest!r}): there is no snapshot")
    return max((number for number in kept_numbers(newest) if newest - number >= lag), default=0)
