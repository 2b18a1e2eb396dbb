"""Rules as they are written down: what they mean, and what is refused before any work."""

from __future__ import annotations

import pytest

import dalsegno as ds


def counting(attempt):
    for step, item in attempt.over(range(9)):
        step.report(item=item)


@pytest.mark.parametrize(("succeeded", "holds", "code"), [(None, True, 0), (True, True, 0), (False, False, 3)])
def test_a_stop_says_whether_the_run_succeeded(succeeded, holds, code):
    result = ds.run(counting, rules=[ds.stop(ds.when.spent(steps=3), succeeded=succeeded)])
    assert (result.succeeded, result.exit_code) == (holds, code)


def test_a_stop_with_any_other_verdict_is_refused():
    with pytest.raises(ds.UsageError, match="succeeded='no'"):
        ds.stop(ds.when.spent(steps=3), succeeded="no")
