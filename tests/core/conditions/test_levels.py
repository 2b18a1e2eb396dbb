"""above, below and not_finite: absence is no value, NaN is unknown, infinities are numbers."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from dalsegno.core.conditions import above, below, not_finite

LEVELS = [
    # (value, above 2, below 2)
    (1.0, False, True),
    (2.0, False, False),
    (3.0, True, False),
    (inf, True, False),
    (-inf, False, True),
    (nan, None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("value", "over", "under"), LEVELS)
def test_a_metric_against_a_limit(watch: Any, value: float | None, over: bool | None, under: bool | None) -> None:
    assert (watch(above("loss", 2)).metric(value), watch(below("loss", 2)).metric(value)) == (over, under)


@pytest.mark.parametrize("condition", [above("loss", 2.0), below("loss", 2.0)], ids=str)
@pytest.mark.parametrize("value", [nan, None])
def test_on_nan_and_absence_neither_it_nor_its_negation_fires(watch: Any, condition: Any, value: float | None) -> None:
    assert (watch(condition).metric(value), watch(~condition).metric(value)) == (None, None)


def test_the_objective_goes_by_the_name_value(watch: Any) -> None:
    watched = watch(above("value", 1.0))
    assert [watched.step(value=2.0), watched.step(value=0.5), watched.step()] == [True, False, None]


def test_what_it_saw_is_the_value(watch: Any) -> None:
    watched = watch(above("loss", 5.0))
    watched.metric(9.0)
    assert watched.saw() == {"metric": "loss", "value": 9.0}


FINITE = [
    # (metrics named, reported, value, answer)
    (("loss",), {"loss": 1.0}, None, False),
    (("loss",), {"loss": nan}, None, True),
    (("loss",), {"loss": inf}, None, True),
    (("loss",), {"loss": -inf}, None, True),
    (("loss",), {"norm": nan}, None, None),
    (("loss", "norm"), {"norm": nan}, None, True),
    (("loss", "norm"), {"norm": 1.0}, None, None),
    (("loss", "norm"), {"norm": 1.0, "loss": 1.0}, None, False),
    (("value",), {}, nan, True),
    ((), {"loss": 1.0, "norm": nan}, None, True),
    ((), {"loss": 1.0}, None, False),
    ((), {"loss": 1.0}, inf, True),
    ((), {"loss": 1.0}, 2.0, False),
    ((), {}, 2.0, False),
    ((), {}, None, None),
]


@pytest.mark.parametrize(("names", "metrics", "value", "answer"), FINITE)
def test_not_finite_sees_nan_and_infinities(
    watch: Any, names: tuple[str, ...], metrics: dict[str, float], value: float | None, answer: bool | None
) -> None:
    assert watch(not_finite(*names)).step(metrics=metrics, value=value) is answer


def test_not_finite_waits_for_the_metrics_it_names() -> None:
    assert not_finite("loss", "value").metric_names() == ("loss",)


def test_what_not_finite_saw_leaves_out_what_is_absent(watch: Any) -> None:
    watched = watch(not_finite("loss", "norm"))
    watched.metric(inf)
    assert watched.saw() == {"loss": inf}
