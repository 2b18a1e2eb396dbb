"""Exact counts of retries: how likely the next try is a record, how many find one good, pass@k."""

from __future__ import annotations

from math import ceil, isfinite, log, log1p
from typing import Any

from dalsegno.core.errors import UsageError


def record_probability(n: int) -> float:
    """How likely the next of independent tries beats all ``n`` before it, whatever their continuous law.

    >>> record_probability(4)
    0.2
    """
    return 1.0 / (whole("record_probability", "n", n) + 1)


def coverage_draws(p: float, delta: float) -> int:
    """The least number of tries of which one at least is good with probability 1 - ``delta``.

    ``p`` is the chance that one is.

    >>> coverage_draws(0.3, 0.05)
    9
    """
    for name, value in (("p", p), ("delta", delta)):
        if isinstance(value, (bool, str)) or not isfinite(value) or not 0 < value <= 1:
            raise UsageError(f"coverage_draws({name}={value!r}): expected a probability above 0, at most 1")
    if p == 1.0 or delta == 1.0:
        return 1
    return max(ceil(log(delta) / log1p(-p) * (1.0 - 1e-12)), 1)  # a whole number stays one in floating point


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that one at least of ``k`` samples is correct, unbiased, from ``n`` samples with ``c`` correct.

    1 - C(n - c, k) / C(n, k), as a product (Chen et al. 2021).

    >>> round(pass_at_k(10, 3, 5), 6)
    0.916667

    Raises :class:`UsageError` for ``c`` or ``k`` above ``n``.
    """
    n, c, k = whole("pass_at_k", "n", n, 1), whole("pass_at_k", "c", c), whole("pass_at_k", "k", k, 1)
    if c > n or k > n:
        raise UsageError(f"pass_at_k(n={n}, c={c}, k={k}): expected c and k of at most n")
    if n - c < k:
        return 1.0
    missed = 1.0
    for i in range(n - c + 1, n + 1):
        missed *= 1.0 - k / i
    return 1.0 - missed


def whole(where: str, name: str, value: Any, least: int = 0) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise UsageError(f"{where}({name}={value!r}): expected a whole number of at least {least}")
    return int(value)
