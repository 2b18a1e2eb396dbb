"""succeeded and failed: how an attempt ended, and failed by kind of exception."""

from __future__ import annotations

from typing import Any

import pytest

from dalsegno.core.conditions import failed, succeeded
from dalsegno.core.report import Failure


class Overheated(RuntimeError):
    pass


def test_a_running_attempt_has_neither_succeeded_nor_failed(watch: Any) -> None:
    assert (watch(succeeded()).metric(1.0), watch(failed()).metric(1.0)) == (False, False)


def test_a_reported_success_is_one(watch: Any) -> None:
    assert watch(succeeded()).step(status="succeeded") is True


def test_the_end_of_a_loops_body_is_a_success(watch: Any) -> None:
    assert watch(succeeded()).finish() is True


@pytest.mark.parametrize("error", [None, ValueError("x"), MemoryError()])
def test_without_types_every_failure_counts(watch: Any, error: Exception | None) -> None:
    assert watch(failed()).fail(error) is True


CASES = [
    (ZeroDivisionError, ZeroDivisionError(), True),
    (ArithmeticError, ZeroDivisionError(), True),
    (Exception, ZeroDivisionError(), True),
    (ZeroDivisionError, ArithmeticError(), False),
    (OSError, TimeoutError(), True),
    ("OSError", TimeoutError(), True),
    (Overheated, Overheated(), True),
    ("Overheated", Overheated(), True),
    ("RuntimeError", Overheated(), True),
    ("heated", Overheated(), False),
    ("elsewhere.Overheated", Overheated(), False),
    (ValueError, None, False),
]


@pytest.mark.parametrize(("kind", "error", "answer"), CASES)
def test_a_type_answers_for_its_subclasses(watch: Any, kind: Any, error: Exception | None, answer: bool) -> None:
    assert watch(failed(kind)).fail(error) is answer


def test_any_of_several_types_will_do(watch: Any) -> None:
    assert watch(failed(KeyError, "ValueError")).fail(ValueError()) is True


def test_every_failure_but_one_can_be_said(watch: Any) -> None:
    rule = failed() & ~failed(ValueError)
    assert [watch(rule).fail(error) for error in (KeyError(), ValueError())] == [True, False]


def test_a_class_of_the_main_module_is_known_in_a_spawned_program(watch: Any) -> None:
    watched = watch(failed("__main__.Broken"))
    watched.machine.fail(Failure(("__mp_main__.Broken", "Exception"), "x"), 0.0)
    assert watched.ask() is True


def test_what_it_saw_names_type_and_message(watch: Any) -> None:
    watched = watch(failed())
    watched.fail(ZeroDivisionError("by zero"))
    assert watched.saw() == {"status": "failed", "type": "ZeroDivisionError", "message": "by zero"}
