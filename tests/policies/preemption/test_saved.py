"""The rule saved and loaded at any place, and what it says of itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from dalsegno.policies.preemption import PreemptiveRestart

# -- saved and loaded ------------------------------------------------------------------------------------------


def through_text(state: Any) -> Any:
    """A state as it comes back from the store."""
    from dalsegno.core.store.codec import dumps, loads

    return loads(dumps(state))


@pytest.mark.parametrize("place", [1, 60, 99, 100, 101, 149, 260, 420])
def test_saved_and_loaded_equals_uninterrupted(place: int, World: Any, a_rule: Any) -> None:
    whole = World()
    whole.run(a_rule(), 500)
    world, first, second = World(), a_rule(), a_rule()
    world.run(first, place)
    second.load_state_dict(through_text(first.state_dict()))
    world.run(second, 500 - place)
    assert world.actions == whole.actions


def test_an_attempt_that_was_open_goes_on_where_it_was() -> None:
    first, second = PreemptiveRestart([1.0, 2.0], window=2), PreemptiveRestart([1.0, 2.0], window=2)
    attempt = first.attempt()
    attempt.observe(1.0, [5.0])
    second.load_state_dict(through_text(first.state_dict()))
    with second.attempt(attempt.number) as again:
        again.observe(2.0, [6.0])
        again.finish(True, 3.0)
    assert second.learner.log is not None
    assert second.learner.log.column("signals")[0].tolist() == [[5.0, 5.0], [5.0, 6.0]]


def test_an_estimator_without_a_state_is_fitted_again(World: Any, a_rule: Any) -> None:
    from sklearn.naive_bayes import GaussianNB

    whole, world = World(), World()
    whole.run(a_rule(predictor=GaussianNB()), 300)
    first, second = a_rule(predictor=GaussianNB()), a_rule(predictor=GaussianNB())
    world.run(first, 170)
    second.load_state_dict(through_text(first.state_dict()))
    world.run(second, 130)
    assert world.actions == whole.actions and any(whole.actions)


def test_reporting_changes_nothing(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World().run(rule, 160)
    before = repr(rule.state_dict())
    assert str(rule.report()) == str(rule.report()) and repr(rule.state_dict()) == before


# -- what it says ----------------------------------------------------------------------------------------------


def test_the_report_prints_its_figures(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World().run(rule, 160)
    text = str(rule.report())
    assert all(word in text for word in ("preempt: stop", "P(success)", "by preemption", "by a fixed cutoff"))


def test_the_report_as_plain_values_has_no_nan() -> None:
    import json

    assert "NaN" not in json.dumps(PreemptiveRestart([1.0]).report().to_dict())


def test_before_a_success_the_report_says_that_nothing_is_known() -> None:
    rule = PreemptiveRestart([1.0])
    rule.attempt().finish(False, 3.0)
    report = rule.report()
    assert np.isnan(report.ems_reactive) and "no attempt has succeeded yet" in report.notes[0]


def test_a_reset_that_costs_more_than_an_attempt_is_allowed_and_said(World: Any, a_rule: Any) -> None:
    rule = a_rule(reset_cost=(2.0, 500.0))
    with pytest.warns(UserWarning, match="costs 500, more than the mean attempt"):
        World().run(rule, 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        World().run(rule, 100)  # it is said once
    assert rule.report().decision == "reactive" and "same unit" in rule.report().notes[0]
