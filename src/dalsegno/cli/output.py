"""Standard output: what a command answers, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_answers: int | None = None  # the file descriptor for answers, while standard output is given to standard error


def write_json(value: Any) -> None:
    """Strict JSON, to where standard output went when the program began."""
    from dalsegno.report.strict_json import dumps

    text = dumps(value) + "\n"
    if _answers is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(_answers, data) :]


@contextmanager
def only_answers(wanted: bool) -> Iterator[None]:
    """While somebody's own code runs under ``--json``: what it prints, its child programs too, goes to standard error."""
    global _answers
    if not wanted:
        yield
        return
    sys.stdout.flush()
    _answers = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(_answers, 1)
        os.close(_answers)
        _answers = None
