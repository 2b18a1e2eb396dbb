"""FixedCutoff: one cutoff for every attempt."""

from __future__ import annotations

import pytest

from dalsegno.core.errors import UsageError
from dalsegno.core.machine import Machine
from dalsegno.core.process import Origin
from dalsegno.core.report import Report
from dalsegno.policies import FixedCutoff


def test_every_attempt_has_the_same_cutoff() -> None:
    assert [FixedCutoff(5).cutoff(k) for k in (1, 2, 99)] == [5.0, 5.0, 5.0]


def test_a_unit_of_cost_is_counted_as_reported() -> None:
    machine = Machine([FixedCutoff(10, of="evaluations")])
    machine.start(0, Origin())
    answers = [machine.advance(Report(cost={"evaluations": 6.0}), 0.0) for _ in range(2)]
    assert (answers[0], answers[1].verb) == (None, "restart")


def test_the_renewal_identity_gives_the_textbooks_mean() -> None:
    # 10% of the attempts need 10, the rest 1000. Cut at 10 the mean is E[tau] / q = 10 / 0.1.
    after = FixedCutoff(10).cutoff(1)
    assert (0.1 * min(10, after) + 0.9 * min(1000, after)) / 0.1 == pytest.approx(100)


def test_it_reads_like_its_constructor_call() -> None:
    assert str(FixedCutoff(5, of="tokens")) == "FixedCutoff(5.0, of='tokens')"


def test_a_cutoff_of_0_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0"):
        FixedCutoff(0)
