"""dalsegno: one engine for adaptive restarts: when to stop, where to go back to, what to keep."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Everything is imported when it is first used, so that `import dalsegno` costs next to nothing.
_HOMES = {
    "Process": "core.process",
    "Origin": "core.process",
    "Report": "core.report",
    "Failure": "core.report",
    "Plan": "core.plan",
    "Budget": "core.budget",
    "Result": "core.result",
    "Trace": "core.trace",
    "Rule": "core.rules",
    "Policy": "core.rules",
    "stop": "core.rules",
    "restart": "core.rules",
    "roll_back": "core.rules",
    "adapt": "core.rules",
    "Continue": "core.actions",
    "Adapt": "core.actions",
    "RollBack": "core.actions",
    "Restart": "core.actions",
    "Stop": "core.actions",
    "Target": "core.actions",
    "run": "core.loops.api",
    "arun": "core.loops.api",
    "attempts": "core.loops.drive",
    "once": "core.once",
    "once_async": "core.once",
    "replay": "core.replay",
    "Journal": "core.journal",
    "EngineWarning": "core.loops.instructions",
    "DalsegnoError": "core.errors",
    "UsageError": "core.errors",
    "ReportError": "core.errors",
    "ChangedError": "core.errors",
    "SnapshotError": "core.errors",
    "UnsavableError": "core.errors",
    "InUseError": "core.errors",
    "JournalError": "core.errors",
    "BudgetError": "core.errors",
    "HungError": "core.errors",
}
_MODULES = {
    "when": "core.conditions",
    "changes": "core.changes",
    "events": "core.events",
    "policies": "policies",
    "checkpoint": "checkpoint",
}

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])

if TYPE_CHECKING:
    from dalsegno import checkpoint as checkpoint
    from dalsegno import policies as policies
    from dalsegno.core import changes as changes
    from dalsegno.core import conditions as when
    from dalsegno.core import events as events
    from dalsegno.core.actions import Adapt, Continue, Restart, RollBack, Stop, Target
    from dalsegno.core.budget import Budget
    from dalsegno.core.errors import (
        BudgetError,
        ChangedError,
        DalsegnoError,
        HungError,
        InUseError,
        JournalError,
        ReportError,
        SnapshotError,
        UnsavableError,
        UsageError,
    )
    from dalsegno.core.journal import Journal
    from dalsegno.core.loops.api import arun, run
    from dalsegno.core.loops.instructions import EngineWarning
    from dalsegno.core.loops.drive import attempts
    from dalsegno.core.once import once, once_async
    from dalsegno.core.plan import Plan
    from dalsegno.core.process import Origin, Process
    from dalsegno.core.replay import replay
    from dalsegno.core.report import Failure, Report
    from dalsegno.core.result import Result
    from dalsegno.core.rules import Policy, Rule, adapt, restart, roll_back, stop
    from dalsegno.core.trace import Trace


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"dalsegno.{_HOMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"dalsegno.{_MODULES[name]}")
    else:
        raise AttributeError(f"module 'dalsegno' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
