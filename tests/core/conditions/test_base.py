"""Joining conditions: Kleene's logic, judges asked last, state of the parts."""

from __future__ import annotations

from typing import Any

import pytest

from dalsegno.core.conditions import Pending, above, condition, every, judge, spent, stalled
from dalsegno.core.conditions.base import conjunction, disjunction, negate

T, F, U = True, False, None
AND = [(T, T, T), (T, F, F), (T, U, U), (F, F, F), (F, U, F), (U, U, U)]
OR = [(T, T, T), (T, F, T), (T, U, T), (F, F, F), (F, U, U), (U, U, U)]


@pytest.mark.parametrize(("one", "other", "whole"), AND)
def test_and_is_kleenes(one: Any, other: Any, whole: Any) -> None:
    assert (conjunction([one, other]), conjunction([other, one])) == (whole, whole)


@pytest.mark.parametrize(("one", "other", "whole"), OR)
def test_or_is_kleenes(one: Any, other: Any, whole: Any) -> None:
    assert (disjunction([one, other]), disjunction([other, one])) == (whole, whole)


@pytest.mark.parametrize(("one", "whole"), [(T, F), (F, T), (U, U)])
def test_not_of_unknown_is_unknown(one: Any, whole: Any) -> None:
    assert negate(one) is whole


def ask(process: Any) -> bool:
    return True


ASKED = judge(ask)


@pytest.mark.parametrize("left", [F, U])
def test_a_judge_is_not_asked_where_the_rest_of_an_and_is_not_true(left: Any) -> None:
    assert conjunction([ASKED.fold(None, None), left]) is left


def test_a_judge_is_not_asked_where_the_rest_of_an_or_is_true() -> None:
    assert disjunction([ASKED.fold(None, None), T]) is True


@pytest.mark.parametrize(
    ("joined", "answer", "whole"),
    [
        (lambda asked: conjunction([asked, T]), T, T),
        (lambda asked: conjunction([asked, T]), F, F),
        (lambda asked: conjunction([asked, T]), U, U),
        (lambda asked: disjunction([asked, F]), T, T),
        (lambda asked: disjunction([asked, U]), F, U),
        (lambda asked: negate(conjunction([asked, T])), F, T),
        (lambda asked: negate(asked), U, U),
    ],
)
def test_the_whole_follows_once_the_judge_has_answered(joined: Any, answer: Any, whole: Any) -> None:
    assert joined(ASKED.fold(None, None)).then(answer) is whole


def test_a_second_judge_is_asked_only_where_the_first_accepts() -> None:
    both = conjunction([ASKED.fold(None, None), judge(ask, name="second").fold(None, None)])
    assert isinstance(both, Pending)
    further = both.then(True)
    assert (both.then(False), further.judge.name, further.then(True)) == (False, "second", True)


def test_every_part_is_folded_though_the_first_is_false(watch: Any) -> None:
    watched = watch(above("loss", 10.0) & stalled("loss", patience=2))
    watched.values(1.0, 1.0, 1.0)
    assert watched.state[1] == [1.0, 1, 2]


def test_unknown_fires_nothing_and_neither_does_its_negation(watch: Any) -> None:
    watched = watch(~above("loss", 2.0))
    assert watched.values(None, 1.0, 3.0) == [None, True, False]


def test_only_parts_of_the_scope_are_put_back(watch: Any) -> None:
    first, second = stalled("loss", patience=2), stalled("loss", patience=9)
    both = first & second
    state = [[1.0, 1, 0], [1.0, 1, 0]]
    both.restore(state, [[2.0, 2, 2], [2.0, 2, 2]], frozenset(("run",)))
    assert state == [[1.0, 1, 0], [1.0, 1, 0]]


def test_parts_that_look_at_things_of_one_name_are_told_apart(watch: Any) -> None:
    watched = watch(above("loss", 1.0) & above("norm", 2.0))
    watched.step(metrics={"loss": 3.0, "norm": 4.0})
    assert watched.saw() == {
        "above('loss', 1.0)": {"metric": "loss", "value": 3.0},
        "above('norm', 2.0)": {"metric": "norm", "value": 4.0},
    }


def test_a_negated_condition_saw_what_its_part_saw(watch: Any) -> None:
    watched = watch(~above("loss", 1.0))
    watched.metric(0.5)
    assert watched.saw() == {"metric": "loss", "value": 0.5}


def test_a_users_function_is_a_condition(watch: Any) -> None:
    def late(trace: Any) -> bool | None:
        return None if trace.steps < 2 else trace.steps > 2

    watched = watch(condition(late) & every(steps=1))
    assert watched.values(1.0, 1.0, 1.0) == [None, False, True]


def test_leaves_and_metric_names_go_through_all_parts() -> None:
    joined = ~(above("a", 1.0) | (stalled("b", patience=1) & spent(steps=3)))
    assert [str(leaf) for leaf in joined.leaves()] == [
        "above('a', 1.0)",
        "stalled('b', patience=1)",
        "spent(steps=3)",
    ]
    assert joined.metric_names() == ("a", "b")


def test_what_a_rule_did_is_told_to_all_parts() -> None:
    joined = ~(above("a", 1.0) | stalled("b", patience=1))
    state = [[None, [1.0, 4, 7]]]
    joined.acted(state)
    assert state == [[None, [1.0, 4, 0]]]
