"""Luby's sequence and the policy of that name."""

from __future__ import annotations

from math import exp, log
from typing import Any

import pytest

from dalsegno.core.actions import Restart
from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Failure, Report
from dalsegno.core.rules import restart
from dalsegno.policies import FixedCutoff, Luby, luby


def by_definition(i: int) -> int:
    k = 1
    while 2**k - 1 < i:
        k += 1
    return 2 ** (k - 1) if i == 2**k - 1 else by_definition(i - 2 ** (k - 1) + 1)


def test_the_first_terms_are_the_textbooks() -> None:
    assert [luby(i) for i in range(1, 16)] == [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]


def test_every_term_is_that_of_the_definition() -> None:
    assert [luby(i) for i in range(1, 2000)] == [by_definition(i) for i in range(1, 2000)]


@pytest.mark.parametrize(("k", "total"), [(1, 1), (2, 4), (3, 12), (4, 32), (5, 80), (6, 192)])
def test_the_sum_of_the_first_terms(k: int, total: int) -> None:
    assert sum(luby(i) for i in range(1, 2**k)) == total == k * 2 ** (k - 1)


def test_a_far_term_takes_a_logarithms_time() -> None:
    assert (luby(2**4000 - 1), luby(2**4000)) == (2**3999, 1)


@pytest.mark.parametrize("i", [0, -1, 1.0, True, "1", None])
def test_an_index_below_1_is_refused(i: Any) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        luby(i)


def expected_time(unit: float) -> float:
    """The exact mean time of Luby's schedule where a run's time is lognormal with sigma 2."""
    from scipy.special import ndtr

    def survival(t: float) -> float:
        return 1.0 - float(ndtr(log(t) / 2.0))

    def partial_mean(t: float) -> float:  # the integral of the survival function up to t
        return t * survival(t) + exp(2.0) * float(ndtr((log(t) - 4.0) / 2.0))

    total, alive, k = 0.0, 1.0, 1
    while alive > 1e-12:
        cutoff = luby(k) * unit
        total += alive * partial_mean(cutoff)
        alive *= survival(cutoff)
        k += 1
    return total


@pytest.mark.parametrize(("unit", "mean"), [(0.001, 1.074298), (0.01, 0.799885), (0.05, 0.780795), (0.5, 1.148445)])
def test_the_exact_mean_on_a_heavy_tail(unit: float, mean: float) -> None:
    assert expected_time(unit) == pytest.approx(mean, abs=1.5e-6)


def test_the_guarantee_holds_on_a_law_in_discrete_time() -> None:
    # 10% of the attempts need 10 steps, the rest 1000: the best cutoff is 10, at a mean of 100 steps.
    total, alive, k = 0.0, 1.0, 1
    while alive > 1e-12:
        cutoff = luby(k)
        total += alive * (min(cutoff, 10) * 0.1 + min(cutoff, 1000) * 0.9)
        alive *= (1.0 if cutoff < 10 else 0.9) * (1.0 if cutoff < 1000 else 0.0)
        k += 1
    assert total <= 192 * 100 * (log(100, 2) + 5)


def lengths(policy: Any, attempts: int, status: str = "running") -> list[int]:
    """How many steps each attempt takes until the policy restarts it."""
    machine = Machine([policy])
    taken = []
    for _ in range(attempts):
        machine.start(0, Origin())
        while True:
            decision = machine.advance(Report(), 0.5)
            if decision is not None:
                break
        machine.commit(decision)
        taken.append(machine.trace.attempts[-1].steps)
    return taken


def test_attempts_are_cut_by_the_sequence() -> None:
    assert lengths(Luby(2), 7) == [2, 2, 4, 2, 2, 4, 8]


def test_seconds_are_counted_as_well() -> None:
    assert lengths(Luby("1s", of="seconds"), 3) == [2, 2, 4]


def running(machine: Machine, number: int) -> None:
    while machine.trace.begun < number:
        machine.start(0, Origin())


def test_an_attempt_that_goes_on_after_an_interruption_keeps_its_cutoff() -> None:
    policy = Luby(2)
    machine = Machine([policy])
    running(machine, 3)
    machine.advance(Report(), 0.0)
    again = Machine([policy])
    again.load(machine.state(), seed=0, origin=Origin())
    assert [again.advance(Report(), 0.0) for _ in range(2)] == [None, None]
    assert again.advance(Report(), 0.0).verb == "restart"


def test_a_failed_attempt_uses_up_its_place() -> None:
    machine = Machine([restart(lambda trace: trace.attempt.status == "failed"), Luby(1)])
    for _ in range(2):
        machine.start(0, Origin())
        machine.commit(machine.fail(Failure.of(ValueError()), 0.0))
    machine.start(0, Origin())
    assert (machine.advance(Report(), 0.0), machine.advance(Report(), 0.0).verb) == (None, "restart")


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_an_attempt_that_ended_at_its_cutoff_is_not_restarted(status: str) -> None:
    machine = Machine([Luby(1)])
    machine.start(0, Origin())
    assert machine.advance(Report(status=status), 0.0).verb == "stop"


def test_an_attempt_from_a_snapshot_counts_its_own_steps() -> None:
    machine = Machine([FixedCutoff(2)])
    machine.start(0, Origin(), base=100)
    assert (machine.advance(Report(), 0.0), machine.advance(Report(), 0.0).verb) == (None, "restart")


def test_it_restarts_from_scratch() -> None:
    machine = Machine([Luby(1)])
    machine.start(0, Origin())
    assert machine.advance(Report(), 0.0).action == Restart()


def test_what_it_saw_names_attempt_and_cutoff() -> None:
    machine = Machine([Luby(3)])
    running(machine, 3)
    machine.advance(Report(), 0.0)
    assert Luby(3).saw(machine.trace) == {"attempt": 3, "elapsed": 1, "cutoff": 6.0, "of": "steps"}


@pytest.mark.parametrize(
    ("policy", "written"),
    [(Luby(100), "Luby(100.0)"), (Luby(unit="1m", of="seconds"), "Luby(60.0, of='seconds')")],
)
def test_it_reads_like_its_constructor_call(policy: Luby, written: str) -> None:
    assert str(policy) == written


@pytest.mark.parametrize("unit", [0, -1, float("nan"), float("inf"), "x", None, True])
@pytest.mark.parametrize("of", ["steps", "seconds", "tokens"])
def test_a_unit_that_is_no_number_above_0_is_refused(unit: Any, of: str) -> None:
    with pytest.raises(UsageError):
        Luby(unit, of=of)


@pytest.mark.parametrize("of", ["attempts", "", None])
def test_a_cutoff_of_attempts_is_refused(of: Any) -> None:
    with pytest.raises(UsageError, match="unit of cost"):
        Luby(3, of=of)
