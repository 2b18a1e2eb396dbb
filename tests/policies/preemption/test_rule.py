"""The rule by hand: observing, adopting, exploring, judging again, falling back; saved and loaded at any place."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import LogisticPredictor, PreemptiveRestart


def test_nothing_is_stopped_while_it_observes(World: Any, a_rule: Any) -> None:
    assert World().run(a_rule(), 99).actions == [None] * 99


def test_a_predictor_that_pays_is_adopted_and_stops_attempts(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    world = World().run(rule, 300)
    assert rule.report().decision == "preempt" and any(world.actions[100:])


def test_the_gain_that_it_foresees_comes_in(World: Any, a_rule: Any) -> None:
    rule = a_rule(reevaluate=None)
    World().run(rule, 100)
    after = World(seed=1).run(rule, 4000)
    verdict = rule.learner.verdict
    assert verdict is not None
    # The verdict's own error and that of 4000 fresh attempts (about 2%).
    assert abs(after.total / after.successes - verdict.foreseen) < 3 * verdict.foreseen_error + 0.02 * verdict.foreseen


def test_a_hint_of_nothing_is_not_adopted(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    assert not any(World(noise=50.0).run(rule, 300).actions)


def test_about_a_tenth_of_the_flagged_attempts_are_let_go_on(World: Any, a_rule: Any) -> None:
    rule = a_rule(keep=5000, reevaluate=1000)
    World().run(rule, 1100)
    report = rule.report()
    share = report.explored / (report.explored + report.stopped)
    assert 0.05 < share < 0.16  # about 450 flagged: s.e. .014


def test_explored_attempts_weigh_as_many_as_they_stand_for(World: Any, a_rule: Any) -> None:
    rule = a_rule(explore=0.25)
    World().run(rule, 300)
    assert rule.learner.log is not None and set(rule.learner.log.weights.tolist()) == {0.0, 1.0, 4.0}


def test_the_estimate_of_p_stays_right_while_failures_are_stopped(World: Any, a_rule: Any) -> None:
    rule = a_rule(keep=5000, reevaluate=5000, explore=0.3)
    World(p=0.5).run(rule, 3000)
    assert rule.report().p == pytest.approx(0.5, abs=0.06)  # 3 s.e. with these weights


def test_drift_is_noticed_and_it_falls_back_to_observing(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World().run(rule, 300)
    stopped = World(seed=2, noise=0.7, p=0.1, bad=20.0).run(rule, 240).actions
    report = rule.report()
    assert report.drifts and any(stopped[:50]) and not any(stopped[-20:])


def test_it_learns_again_after_drift(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World().run(rule, 300)
    World(seed=2, p=0.9, bad=200.0).run(rule, 800)
    assert rule.report().drifts and rule.report().p == pytest.approx(0.9, abs=0.05)


def test_without_drift_none_is_noticed(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World(seed=5).run(rule, 1500)
    assert rule.report().drifts == ()


def test_a_predictor_that_no_longer_pays_is_dropped(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World().run(rule, 300)
    World(seed=3, noise=50.0).run(rule, 1500)
    assert rule.report().decision in ("reactive", "too few")


def test_the_same_attempts_and_seed_give_the_same_decisions(World: Any, a_rule: Any) -> None:
    assert World().run(a_rule(), 400).actions == World().run(a_rule(), 400).actions


def test_another_seed_explores_other_attempts(World: Any, a_rule: Any) -> None:
    assert World().run(a_rule(seed=1), 400).actions != World().run(a_rule(seed=2), 400).actions


def test_features_left_out_leave_the_cutoff() -> None:
    rule = PreemptiveRestart([5.0], observe_attempts=60, resamples=200)
    for number in range(61):
        with rule.attempt() as attempt:
            success = number % 2 == 0
            if not success:
                attempt.observe(5.0)
            if not attempt.should_stop:
                attempt.finish(success, 2.0 if success else 100.0)
    assert (rule.report().decision, rule.report().rule) == ("cutoff", "stop at checkpoint 0")


def test_checkpoints_are_placed_by_the_first_durations_where_none_are_given() -> None:
    rule = PreemptiveRestart(pilot=9)
    for t in range(1, 10):
        rule.attempt().finish(True, 10.0 * t)
    assert rule.report().checkpoints == pytest.approx([10 + 80 * k / 9 for k in range(1, 9)])


def test_checkpoints_of_durations_all_alike_are_fractions_of_them() -> None:
    rule = PreemptiveRestart(pilot=3)
    for _ in range(3):
        rule.attempt().finish(True, 9.0)
    assert rule.report().checkpoints == pytest.approx([1, 2, 3, 4, 5, 6, 7, 8])


def test_the_predictor_sees_the_last_vectors_oldest_first() -> None:
    rule = PreemptiveRestart([3.0], window=3)
    with rule.attempt() as attempt:
        for t in (1.0, 2.0, 2.5, 3.0):
            attempt.observe(t, [t, -t])
        attempt.finish(True, 4.0)
    assert rule.learner.log is not None
    assert rule.learner.log.column("signals")[0, 0].tolist() == [2.0, -2.0, 2.5, -2.5, 3.0, -3.0]


def test_a_window_that_is_not_full_begins_with_what_was_seen_first() -> None:
    rule = PreemptiveRestart([3.0], window=3)
    with rule.attempt() as attempt:
        attempt.observe(3.0, [7.0])
        attempt.finish(True, 4.0)
    assert rule.learner.log is not None and rule.learner.log.column("signals")[0, 0].tolist() == [7.0] * 3


def test_a_coarse_clock_passes_several_checkpoints_at_once() -> None:
    rule = PreemptiveRestart([1.0, 2.0, 50.0])
    with rule.attempt() as attempt:
        attempt.observe(30.0, [1.0])
        attempt.finish(True, 40.0)
    assert rule.learner.log is not None
    assert rule.learner.log.column("times")[0].tolist() == pytest.approx([30.0, 30.0, nan], nan_ok=True)


def test_latency_is_part_of_the_time_of_a_call() -> None:
    rule = PreemptiveRestart([1.0], latency=0.5)
    with rule.attempt() as attempt:
        attempt.observe(1.0)
        attempt.finish(True, 4.0)
    assert rule.learner.log is not None and rule.learner.log.column("times").tolist() == [[1.5]]


def test_the_predictor_is_asked_at_checkpoints_alone(World: Any, a_rule: Any) -> None:
    rule = a_rule()
    World().run(rule, 100)
    asked = []
    rule.learner.probability = lambda k, signal: asked.append(k) or 0.99  # type: ignore[method-assign,func-returns-value]
    with rule.attempt() as attempt:
        for t in np.linspace(0.1, 10.0, 500):
            attempt.observe(float(t), [0.5])
        attempt.finish(True, 20.0)
    assert asked == sorted(set(asked)) and 1 <= len(asked) <= 3


def test_several_attempts_may_be_open_at_once() -> None:
    rule = PreemptiveRestart([1.0])
    one, two = rule.attempt(), rule.attempt()
    two.finish(True, 2.0)
    one.finish(False, 3.0)
    assert rule.learner.log is not None and rule.learner.log.durations.tolist() == [2.0, 3.0]


def test_an_attempt_left_without_an_end_is_not_booked() -> None:
    rule = PreemptiveRestart([1.0])
    with pytest.raises(ZeroDivisionError), rule.attempt() as attempt:
        attempt.observe(2.0)
        raise ZeroDivisionError
    assert (rule.report().attempts, rule.report().unbooked) == (0, 1)


# -- refusals --------------------------------------------------------------------------------------------------


def stopped_attempt(World: Any, a_rule: Any) -> Any:
    rule = a_rule(explore=0.0, reevaluate=None)
    World().run(rule, 100)
    attempt = rule.attempt()
    assert attempt.observe(3.0, [-5.0])
    return attempt


def test_a_label_for_a_preempted_attempt_is_refused(World: Any, a_rule: Any) -> None:
    with pytest.raises(UsageError, match="no exploration weight"):
        stopped_attempt(World, a_rule).finish(True)


def test_a_checkpoint_after_the_longest_attempt_is_refused_at_the_first_judgement() -> None:
    rule = PreemptiveRestart([1.0, 500.0], observe_attempts=100)
    with pytest.raises(UsageError, match="longest attempt"):
        for number in range(100):
            attempt = rule.attempt()
            attempt.observe(1.0, [0.0])
            attempt.finish(number % 2 == 0, 5.0)


class Mute(LogisticPredictor):
    """A predictor that answers NaN."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X) * nan


def test_a_predictor_that_answers_nan_is_refused(World: Any, a_rule: Any) -> None:
    with pytest.raises(UsageError, match="Mute|LogisticPredictor"):
        World().run(a_rule(predictor=Mute()), 100)
