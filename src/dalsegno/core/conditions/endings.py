"""How an attempt ended: succeeded, failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dalsegno.core.conditions.leaf import Leaf, refuses
from dalsegno.core.errors import BudgetError, UsageError
from dalsegno.core.report import qualified_name
from dalsegno.core.trace import Trace

BUDGET = qualified_name(BudgetError)


@refuses
@dataclass(frozen=True)
class succeeded(Leaf):
    """True where the attempt has ended in success.

    >>> from dalsegno.core.conditions import succeeded
    >>> print(succeeded())
    succeeded()
    """

    def fold(self, state: Any, trace: Trace) -> bool:
        return trace.attempt.status == "succeeded"

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        return {"status": trace.attempt.status}


@refuses
@dataclass(frozen=True, init=False)
class failed(Leaf):
    """True where the attempt has failed; with ``types``, where it failed with one of these exceptions.

    A type is a class of exceptions or the name of one, with its module (``"torch.OutOfMemoryError"``) or
    without (``"OutOfMemoryError"``: of any module); subclasses count. Without types a reported status
    ``failed`` is a failure too; a :class:`BudgetError` is one only where it is named. Raises :class:`UsageError` for what is no kind of ``Exception``: leaving
    (Ctrl-C, cancellation, exit) is no failure, and no rule is asked about it.

    >>> from dalsegno.core.conditions import failed
    >>> print(failed() & ~failed(ValueError, "torch.OutOfMemoryError"))
    failed() & ~failed('ValueError', 'torch.OutOfMemoryError')
    """

    types: tuple[str, ...]

    def __init__(self, *types: type[Exception] | str) -> None:
        object.__setattr__(self, "types", tuple(name_of(one) for one in types))

    def fold(self, state: Any, trace: Trace) -> bool:
        attempt = trace.attempt
        if attempt.status != "failed":
            return False
        failure = attempt.failure
        if not self.types:  # a budget that is used up is no reason to try again, unless a rule names it
            return failure is None or BUDGET not in failure.types
        return failure is not None and any(answers(name, one) for name in self.types for one in failure.types)

    def saw(self, state: Any, trace: Trace) -> dict[str, Any]:
        failure = trace.attempt.failure
        if failure is None:
            return {"status": trace.attempt.status}
        return {"status": trace.attempt.status, "type": failure.type, "message": failure.message}

    def __str__(self) -> str:
        return f"failed({', '.join(map(repr, self.types))})"


def name_of(one: object) -> str:
    if isinstance(one, str) and one:
        return one
    if isinstance(one, type) and issubclass(one, Exception):
        return qualified_name(one)
    if isinstance(one, type) and issubclass(one, BaseException):
        raise UsageError(
            f"failed({one.__name__}): expected a kind of Exception; {one.__name__} is no failure: it leaves "
            "the run as it is and no rule is asked (failed() alone is every failure)"
        )
    raise UsageError(f"failed({one!r}): expected classes of exceptions, or their names")


def answers(name: str, type_name: str) -> bool:
    """Whether a type has the name that was asked for; a program's main module goes by two names."""
    name, type_name = (one.replace("__mp_main__.", "__main__.") for one in (name, type_name))
    return name == type_name or ("." not in name and type_name.endswith(f".{name}"))
