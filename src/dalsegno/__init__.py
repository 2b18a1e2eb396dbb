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
    "snapshot": "core.naming",
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
    from dalsegno.core import conditions as when  # noqa: F401
    from dalsegno.core import events as events
    from dalsegno.core.actions import (
        Adapt as Adapt,
    )
    from dalsegno.core.actions import (
        Continue as Continue,
    )
    from dalsegno.core.actions import (
        Restart as Restart,
    )
    from dalsegno.core.actions import (
        RollBack as RollBack,
    )
    from dalsegno.core.actions import (
        Stop as Stop,
    )
    from dalsegno.core.actions import (
        Target as Target,
    )
    from dalsegno.core.budget import Budget as Budget
    from dalsegno.core.errors import (
        BudgetError as BudgetError,
    )
    from dalsegno.core.errors import (
        ChangedError as ChangedError,
    )
    from dalsegno.core.errors import (
        DalsegnoError as DalsegnoError,
    )
    from dalsegno.core.errors import (
        HungError as HungError,
    )
    from dalsegno.core.errors import (
        InUseError as InUseError,
    )
    from dalsegno.core.errors import (
        JournalError as JournalError,
    )
    from dalsegno.core.errors import (
        ReportError as ReportError,
    )
    from dalsegno.core.errors import (
        SnapshotError as SnapshotError,
    )
    from dalsegno.core.errors import (
        UnsavableError as UnsavableError,
    )
    from dalsegno.core.errors import (
        UsageError as UsageError,
    )
    from dalsegno.core.journal import Journal as Journal
    from dalsegno.core.loops.api import arun as arun
    from dalsegno.core.loops.api import run as run
    from dalsegno.core.loops.drive import attempts as attempts
    from dalsegno.core.loops.instructions import EngineWarning as EngineWarning
    from dalsegno.core.naming import snapshot as snapshot
    from dalsegno.core.once import once as once
    from dalsegno.core.once import once_async as once_async
    from dalsegno.core.plan import Plan as Plan
    from dalsegno.core.process import Origin as Origin
    from dalsegno.core.process import Process as Process
    from dalsegno.core.replay import replay as replay
    from dalsegno.core.report import Failure as Failure
    from dalsegno.core.report import Report as Report
    from dalsegno.core.result import Result as Result
    from dalsegno.core.rules import (
        Policy as Policy,
    )
    from dalsegno.core.rules import (
        Rule as Rule,
    )
    from dalsegno.core.rules import (
        adapt as adapt,
    )
    from dalsegno.core.rules import (
        restart as restart,
    )
    from dalsegno.core.rules import (
        roll_back as roll_back,
    )
    from dalsegno.core.rules import (
        stop as stop,
    )
    from dalsegno.core.trace import Trace as Trace


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
