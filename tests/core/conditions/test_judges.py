"""Judges are asked late; a verdict is checked where it is made."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest

from dalsegno.core.conditions import Pending, Verdict, above, judge
from dalsegno.core.decisions import Ask
from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.core.rules import stop


def verify(process: Any) -> Verdict:
    raise AssertionError("asked while folding")


def test_folding_asks_nobody() -> None:
    pending = judge(verify).fold(None, None)  # type: ignore[arg-type]
    assert isinstance(pending, Pending)
    assert pending.judge.function is verify


@pytest.mark.parametrize("answer", [True, False, None])
def test_the_answer_is_the_truth(answer: bool | None) -> None:
    assert judge(verify).fold(None, None).then(answer) is answer  # type: ignore[arg-type]


def test_the_machine_asks_only_where_the_left_is_true() -> None:
    machine = Machine([stop(above("loss", 1.0) & judge(verify))])
    machine.start(0, Origin())
    first = machine.advance(Report(metrics={"loss": 0.5}), 0.0)
    assert (first, type(machine.advance(Report(metrics={"loss": 2.0}), 0.0))) == (None, Ask)


def test_the_machine_decides_by_the_answer() -> None:
    machine = Machine([stop(above("loss", 1.0) & judge(verify))])
    machine.start(0, Origin())
    refused = machine.reply(machine.advance(Report(metrics={"loss": 2.0}), 0.0), False)
    accepted = machine.reply(machine.advance(Report(metrics={"loss": 2.0}), 0.0), True)
    assert (refused, accepted.verb) == (None, "stop")


def test_a_verdict_has_no_reason_and_no_cost_by_default() -> None:
    assert (Verdict(True).reason, Verdict(True).cost) == ("", {})


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Verdict(1), "True, False or None"),
        (lambda: Verdict("yes"), "True, False or None"),
        (lambda: Verdict(True, None), "expected a text"),
        (lambda: Verdict(True, cost={"tokens": -1}), "at least 0"),
        (lambda: Verdict(True, cost={"tokens": nan}), "nan"),
    ],
)
def test_a_verdict_is_checked_where_it_is_made(make: Any, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        make()
