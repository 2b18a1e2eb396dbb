"""RestartBandit: choosing, handing over, forgetting, Exp3."""

from __future__ import annotations

from math import e, inf, log, sqrt
from typing import Any

import numpy as np
import pytest

from dalsegno.policies.bandit import Arm, RestartBandit
from dalsegno.policies.laws import Discrete
from dalsegno.policies.learned import LearnedCutoff
from dalsegno.policies.run_log import RunLog

TWO_POINT = RunLog("seconds", [10] * 15 + [30] * 35, [True] * 15 + [False] * 35)


def bandit(figures: dict[str, tuple[float, int]] | None = None, **options: Any) -> RestartBandit:
    """A bandit whose arms have figures."""
    made = RestartBandit(1.0, of="seconds", **options)
    for name, (cost, problems) in (figures or {}).items():
        made.figures[name] = Arm(cost, problems)
    return made


# -- choosing ---------------------------------------------------------------------------------------------


def test_arms_without_figures_come_first() -> None:
    one, chosen = bandit(), []
    for _ in range(3):
        chosen.append(one.choose())
        one.observe(1.0, True)
    assert chosen == ["luby", "learned", "none"]


def test_the_arm_stays_until_the_problem_is_solved() -> None:
    one = bandit()
    arms = [one.choose()]
    for time, solved in ((1.0, False), (1.0, False), (2.0, True)):
        one.observe(time, solved)
        arms.append(one.choose())
    assert arms == ["luby", "luby", "luby", "learned"]


def test_a_cheap_arm_is_drawn_nearly_always_and_a_dear_one_now_and_then() -> None:
    drawn = []
    for seed in range(400):
        drawn.append(bandit({"luby": (30, 10), "learned": (10, 10), "none": (6, 2)}, seed=seed).choose())
    share = {name: drawn.count(name) / 400 for name in ("luby", "learned", "none")}
    assert share["learned"] > 0.85 and share["none"] > 0.0


def test_draws_are_costs_over_gamma_variates() -> None:
    generator = np.random.default_rng((5, 0))
    costs = {"luby": (30.0, 10), "learned": (25.0, 9), "none": (40.0, 11)}
    drawn = {name: cost / generator.gamma(problems) for name, (cost, problems) in costs.items()}
    assert bandit(costs, seed=5).choose() == min(drawn, key=lambda name: drawn[name])


def test_the_same_seed_chooses_the_same() -> None:
    def chosen(seed: int) -> list[str]:
        one, found = bandit({"luby": (3, 3), "learned": (3, 3), "none": (3, 3)}, seed=seed), []
        for _ in range(30):
            found.append(one.choose())
            one.observe(1.0, True)
        return found

    assert chosen(1) == chosen(1) != chosen(2)


def test_cutoffs_are_the_arms() -> None:
    luby = bandit(arms=("luby",))
    learned = bandit(arms=("learned",), past=TWO_POINT)
    none = bandit(arms=("none",))
    assert [luby.cutoff(k) for k in range(1, 8)] == [1, 1, 2, 1, 1, 2, 4]
    assert (learned.cutoff(1), none.cutoff(1)) == (10.0, inf)


def test_the_learned_arm_follows_luby_until_it_has_learned() -> None:
    assert [bandit(arms=("learned",)).cutoff(k) for k in (1, 2, 3)] == [1, 1, 2]


def test_the_learned_arm_does_not_double_at_the_edge() -> None:
    past = RunLog("seconds", range(1, 21), [True] * 20)
    assert bandit(arms=("learned",), past=past).cutoff(1) == 20.0
    assert LearnedCutoff(of="seconds", past=past).next_cutoff() == 40.0


def test_all_attempts_go_to_one_log() -> None:
    one = bandit()
    for time, solved in ((1.0, False), (1.5, True), (0.5, True)):
        one.observe(time, solved)
    assert (one.log.times.tolist(), one.log.solved.tolist()) == ([1.0, 1.5, 0.5], [False, True, True])


# -- handing over -----------------------------------------------------------------------------------------

FIGURES = {"luby": (50.0, 10), "learned": (20.0, 10), "none": (3000.0, 10)}  # means 5, 2, 300


def with_arm(arm: str, figures: dict[str, tuple[float, int]] = FIGURES, **options: Any) -> RestartBandit:
    made = bandit(figures, **options)
    made._arm = arm
    return made


def test_a_problem_is_cut_where_it_has_cost_4_times_the_smallest_mean() -> None:
    assert with_arm("none").cutoff(1) == pytest.approx(8.0)


def test_what_was_spent_before_counts() -> None:
    one = with_arm("luby")
    for _ in range(7):
        one.observe(1.0, False)
    assert one.cutoff(15) == pytest.approx(1.0)  # Luby's 8, and 1 is left


@pytest.mark.parametrize(
    ("arm", "figures", "finisher"),
    [
        ("none", FIGURES, "learned"),
        ("luby", FIGURES, "learned"),
        ("learned", FIGURES, "luby"),
        ("luby", {**FIGURES, "luby": (10.0, 10)}, "learned"),
        ("none", {**FIGURES, "none": (10.0, 10)}, "luby"),
        ("luby", {**FIGURES, "none": (10.0, 10)}, "none"),
    ],
)
def test_who_finishes_a_dear_problem(arm: str, figures: Any, finisher: str) -> None:
    one = with_arm(arm, figures)
    one.observe(100.0, False)
    assert one._finisher == finisher


def test_a_problem_that_was_handed_over_begins_the_finishers_schedule() -> None:
    one = with_arm("learned")
    for _ in range(8):
        one.observe(1.0, False)
    assert [one.cutoff(k) for k in range(9, 16)] == [1, 1, 2, 1, 1, 2, 4]


def test_a_problem_is_handed_over_once() -> None:
    one = with_arm("none")
    one.observe(8.0, False)
    one.observe(1000.0, False)
    assert one._finisher == "learned" and one.choose() == "none"


def test_all_cost_is_booked_to_the_arm_that_was_chosen() -> None:
    one = with_arm("none")
    one.observe(8.0, False)
    one.observe(1.0, True)
    assert (one.figures["none"].cost, one.figures["none"].problems) == (3009.0, 11)
    assert one.figures["learned"].problems == 10


def test_overhead_is_booked_for_failed_attempts() -> None:
    one = bandit(overhead=2.0)
    for time, solved in ((1.0, False), (0.5, True)):
        one.observe(time, solved)
    assert one.figures["luby"].cost == pytest.approx(1.0 + 2.0 + 0.5)


def test_hand_over_can_be_switched_off() -> None:
    one = with_arm("none", hand_over=None)
    assert one.cutoff(1) == inf
    one.observe(1e6, False)
    assert one._finisher is None


def test_before_there_are_figures_nothing_is_handed_over() -> None:
    one = bandit(arms=("none", "luby"))
    assert one.cutoff(1) == inf


def test_steps_are_cut_at_whole_numbers() -> None:
    one = RestartBandit(1)
    one.figures = {"luby": Arm(10.0, 3), "learned": Arm(20.0, 3), "none": Arm(30.0, 3)}
    one._arm = "none"
    assert one.cutoff(1) == 14.0  # 4 x 10 / 3 = 13.3


# -- forgetting -------------------------------------------------------------------------------------------


def test_figures_from_before_it_had_learned_are_forgotten() -> None:
    one = bandit({"learned": (70.0, 7), "luby": (50.0, 10), "none": (50.0, 10)}, past=TWO_POINT)
    assert (one.choose(), one.figures["learned"].problems) == ("learned", 0)


@pytest.mark.parametrize(("began", "kept"), [(10.0, True), (5.5, True), (19.0, True), (4.9, False), (21.0, False)])
def test_figures_are_forgotten_when_the_cutoff_has_moved_by_more_than_twofold(began: float, kept: bool) -> None:
    one = bandit({"learned": (70.0, 7), "luby": (50.0, 10), "none": (50.0, 10)}, past=TWO_POINT)
    one._began_with = began
    one.choose()
    assert (one.figures["learned"].problems == 7) is kept


# -- Exp3 -------------------------------------------------------------------------------------------------


def exp3(**options: Any) -> RestartBandit:
    return bandit(choose_by="exp3", **{"cap": 10.0, "problems": 500, "hand_over": None, **options})


def test_exp3_begins_with_equal_chances() -> None:
    assert exp3().chances() == pytest.approx([1 / 3] * 3)


def test_exp3_weighs_by_the_loss_over_its_chance() -> None:
    one = exp3()
    arm = one.choose()
    one.observe(4.0, True)
    gamma = min(1.0, sqrt(3 * log(3) / ((e - 1) * 500)))
    weights = np.array([np.exp(-(gamma / 3) * 0.4 / (1 / 3)) if name == arm else 1.0 for name in one.arms])
    assert one.chances() == pytest.approx((1 - gamma) * weights / weights.sum() + gamma / 3)


def test_a_loss_is_at_most_1() -> None:
    dear, dearer = exp3(), exp3()
    for one, cost in ((dear, 10.0), (dearer, 1e9)):
        one.choose()
        one.observe(cost, True)
    assert dear.chances() == pytest.approx(dearer.chances())


def test_weights_do_not_overflow() -> None:
    one = exp3(problems=1)
    for _ in range(3000):
        one.choose()
        one.observe(1e6, True)
    assert np.isfinite(one.chances()).all() and one.chances().sum() == pytest.approx(1.0)


def solve(policy: Any, times: Any) -> None:
    solved = False
    while not solved:
        cutoff, needed = policy.next_cutoff(), float(next(times))
        solved = needed <= cutoff
        policy.observe(min(cutoff, needed), solved)


def test_exp3_leaves_the_dear_arm() -> None:
    # The learned cutoff is near 10, and no run is solved sooner: without a cutoff 70% of them take 1000.
    law, one = Discrete([10, 1000], [0.3, 0.7]), exp3(cap=1000.0, arms=("none", "learned"), past=TWO_POINT)
    times = iter(law.sample(100_000, 0))
    for _ in range(500):
        solve(one, times)
    assert one.chances()[1] > 0.8


def test_seen_from_exp3_more_problems_are_explored_less() -> None:
    assert exp3(problems=10)._exploring() > exp3(problems=10_000)._exploring()
