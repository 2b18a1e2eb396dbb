"""Differences between identities: their names, kinds and both values; and the text of a refusal."""

from __future__ import annotations

import pytest

import dalsegno as ds
from dalsegno.core import identity
from dalsegno.core.identity import Difference


def stall(patience=3, metric="loss"):
    return ds.stop(ds.when.stalled(metric, patience=patience))


def spent(**units):
    return ds.stop(ds.when.spent(**units))


AGAIN = ds.restart(ds.when.failed())


def told(old, new):
    return [(one.name, one.old, one.new, one.kind) for one in identity.differences(old, new)]


# -- rules ----


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([stall(3), AGAIN], [stall(5), AGAIN], [("rules[0].condition.patience", "3", "5", "change")]),
        ([AGAIN, stall(3)], [AGAIN, stall(metric="acc")], [("rules[1].condition.metric", "'loss'", "'acc'", "change")]),
        ([spent(evaluations=40)], [spent(evaluations=60)], [("rules[0].condition.evaluations", "40.0", "60.0", "limit")]),
        ([stall(), spent(steps=1)], [spent(steps=1)], [("rules[0]", "Rule(condition=stalled(metric='loss', patience=3), action=Stop())", "absent", "change")]),
        ([spent(steps=1)], [spent(steps=2), AGAIN], [("rules[0].condition.steps", "1", "2", "limit"), ("rules[1]", "absent", None, "change")]),
    ],
)  # fmt: skip
def test_rules_are_told_by_place_and_argument(of, old, new, expected):
    found = told(of(None, old), of(None, new))
    assert [
        (*one[:2], None if want[2] is None else one[2], one[3]) for one, want in zip(found, expected, strict=True)
    ] == expected


def test_a_rule_put_in_front_leaves_the_others_what_they_are(of, names):
    old = [stall(), spent(steps=5), AGAIN]
    assert names(of(None, old), of(None, [ds.stop(ds.when.succeeded()), *old])) == ["rules[0]"]


def test_a_rule_put_in_front_and_a_limit_moved_are_told_apart(of):
    found = told(of(None, [spent(steps=5), AGAIN]), of(None, [stall(), spent(steps=9), AGAIN]))
    assert [(name, kind) for name, _, _, kind in found] == [
        ("rules[0]", "change"),
        ("rules[1].condition.steps", "limit"),
    ]


def test_another_order_of_rules_is_one_difference(of, names):
    assert names(of(None, [stall(), AGAIN]), of(None, [AGAIN, stall()])) == ["rules"]


def test_the_same_rules_made_again_are_the_same(of, names):
    def rules():
        return [
            spent(steps=20_000, seconds="6h"),
            ds.roll_back(ds.when.spike("loss", factor=3.0), then=ds.changes.scale_learning_rate(0.5), skip=200),
            ds.adapt(ds.when.above("x", 0.25) & ~ds.when.below("y", 2), lambda process: process.halve()),
            ds.policies.Luby(unit=8) if hasattr(ds.policies, "Luby") else AGAIN,
        ]

    assert names(of(None, rules()), of(None, rules())) == []


def test_a_function_in_a_rule_counts_by_its_code(user, of, names):
    def rules(module):
        return [ds.adapt(ds.when.above("x", 1.0), module.update)]

    assert names(of(None, rules(user())), of(None, rules(user(("x * 2\n", "x * 3\n"))))) == ["scale"]
    assert names(of(None, rules(user())), of(None, rules(user(("+ by", "- by"))))) == ["rules[0].action.change"]


def test_a_condition_inside_another_is_named_by_its_path(of, names):
    def rules(level):
        return [ds.stop(ds.when.every(steps=5) & ~ds.when.above("x", level))]

    assert names(of(None, rules(1.0)), of(None, rules(2.0))) == ["rules[0].condition.parts[1].part.limit"]


# -- limits ----


@pytest.mark.parametrize("condition", [ds.when.spent, ds.when.elapsed])
def test_another_unit_is_no_moved_limit(of, condition):
    (found,) = told(of(None, [ds.stop(condition(tokens=40))]), of(None, [ds.stop(condition(usd=40))]))
    name = condition.__name__
    assert found == ("rules[0].condition", f"{name}(tokens=40.0)", f"{name}(usd=40.0)", "change")


def test_a_limit_inside_a_composite_is_a_limit(of):
    def rules(steps, level):
        return [ds.stop(ds.when.spent(steps=steps) | ds.when.above("x", level))]

    found = told(of(None, rules(5, 1.0)), of(None, rules(6, 2.0)))
    assert [(name, kind) for name, _, _, kind in found] == [
        ("rules[0].condition.parts[0].steps", "limit"), ("rules[0].condition.parts[1].limit", "change")]  # fmt: skip


def test_spent_for_elapsed_is_a_change(of):
    (found,) = told(of(None, [spent(steps=5)]), of(None, [ds.stop(ds.when.elapsed(steps=5))]))
    assert found[0] == "rules[0].condition" and found[3] == "change"


def test_the_numbers_of_a_budget_are_limits(of):
    assert told(of(None, budget=ds.Budget(tokens=3)), of(None, budget=ds.Budget(tokens=5))) == [
        ("budget.tokens", "3.0", "5.0", "limit")]  # fmt: skip


def test_what_a_budget_has_used_is_not_part_of_the_run(of, names):
    budget = ds.Budget(tokens=3)
    one = of(None, budget=budget)
    budget.settle(budget.hold({"tokens": 2}), {"tokens": 2})
    assert names(one, of(None, budget=budget)) == []


# -- the rest ----


def test_arguments_and_checkpoint_are_named(of, names):
    one = of(None, arguments={"lr": 0.1}, checkpoint=ds.checkpoint.Every(steps=5))
    assert names(one, of(None, arguments={"lr": 0.2}, checkpoint=ds.checkpoint.Every(steps=6))) == [
        "checkpoint.steps", "arguments.lr"]  # fmt: skip


def test_the_values_of_changed_code_are_the_lines_that_differ(user, of):
    old, new = user(), user(("return scale(x) + by", "return scale(x) - by  # less"))
    assert told(of(old.train), of(new.train)) == [
        ("update", "`return scale(x) + by`", "`return scale(x) - by`", "change")
    ]


def test_changed_arguments_of_a_process_have_both_values(user, of):
    walk = user().Walk
    assert told(of(walk(3)), of(walk(4, (1.0, 5.0)))) == [
        ("process.width", "3", "4", "change"), ("process.values[1]", "2.0", "5.0", "change")]  # fmt: skip


def test_a_list_of_another_length_is_told_whole(user, of):
    walk = user().Walk
    assert told(of(walk(3)), of(walk(3, (1.0,)))) == [("process.values", "[1.0, 2.0]", "[1.0]", "change")]


def test_arrays_are_told_by_shape_and_checksum(user, of):
    import numpy as np

    make = user().make
    (found,) = told(of(make(np.zeros(2))), of(make(np.ones(2))))
    assert found[0] == "process.rate" and found[1].startswith("array <f8 [2] checksum ") and found[1] != found[2]


def test_an_identity_of_another_format_is_refused_as_such(of, names):
    one, other = of(None), of(None)
    other["format"] = 99
    assert names(one, other) == names({}, one) == ["format"]


def test_no_two_differences_are_the_same(user, of):
    old, new = (
        user(),
        user(
            ("return scale(x) + by", "return scale(x)"),
            ("x * 2\n", "x * 7\n"),
            ("self.position = 0", "self.position = 1"),
        ),
    )
    found = identity.differences(of(old.Walk(1)), of(new.Walk(2)))
    assert len(found) == len({one.name for one in found}) == 4


# -- the refusal ----

CHANGE = Difference("process.width", "3", "4")
LIMIT = Difference("rules[0].condition.steps", "5.0", "9.0", "limit")


def test_a_refusal_names_both_values_and_every_way_on():
    text = identity.explain([CHANGE, LIMIT])
    for part in ("process.width: it was 3, now it is 4", "(a limit): it was 5.0, now it is 9.0", "accept=['process.width']",
                 "extend=True", "fresh=True"):  # fmt: skip
        assert part in text


def test_a_refusal_of_limits_alone_does_not_speak_of_accepting():
    text = identity.explain([LIMIT])
    assert "accept" not in text and "extend=True" in text


def test_a_refusal_of_changes_alone_does_not_speak_of_extending():
    assert "extend" not in identity.explain([CHANGE])
