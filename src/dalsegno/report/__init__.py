"""Views of runs: progress and tables in the terminal, pages that open with no network, comparisons, exports.

======================  ==================================================================
write_page              one HTML file of a run, or of several beside each other
compare                 runs grouped by name: medians over seeds, with intervals
Progress                a listener that shows a run in the terminal while it goes on
summary                 how a run ended, in two or three lines
steps_to_csv            the steps of runs as CSV
table_to_csv            another table of a journal as CSV
to_tensorboard          the curves of runs for TensorBoard
======================  ==================================================================
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Progress": ("progress", "Progress"),
    "compare": ("comparison", "compare"),
    "steps_to_csv": ("export", "steps_to_csv"),
    "summary": ("progress", "summary"),
    "table_to_csv": ("export", "table_to_csv"),
    "to_tensorboard": ("export", "to_tensorboard"),
    "write_page": ("page", "write"),
}

__all__ = ["Progress", "compare", "steps_to_csv", "summary", "table_to_csv", "to_tensorboard", "write_page"]

if TYPE_CHECKING:
    from dalsegno.report.comparison import compare as compare
    from dalsegno.report.export import steps_to_csv as steps_to_csv
    from dalsegno.report.export import table_to_csv as table_to_csv
    from dalsegno.report.export import to_tensorboard as to_tensorboard
    from dalsegno.report.page import write as write_page
    from dalsegno.report.progress import Progress as Progress
    from dalsegno.report.progress import summary as summary


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dalsegno.report' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(f"dalsegno.report.{module}"), attribute)
    globals()[name] = value
    return value
