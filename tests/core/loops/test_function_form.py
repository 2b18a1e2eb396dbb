"""The loop of a function, and the inline form: what is kept, what is gone over, where it goes on."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.cases.conftest import elsewhere  # noqa: F401  (a fixture)
from tests.cases.processes import KillAfter

import dalsegno as ds

EVERY = ds.checkpoint.Every(steps=7)


class Stateful:
    """An iterable that knows its own place."""

    def __init__(self, n):
        self.n, self.i = n, 0

    def __iter__(self):
        while self.i < self.n:
            self.i += 1
            yield self.i
        self.i = 0

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


class Shuffled:
    """An iterable that shuffles by the global generator when it is begun; a place is found by counting."""

    def __iter__(self):
        order = list(range(1, 21))
        random.shuffle(order)
        return iter(order)


ITERABLES = {"index": lambda: list(range(1, 21)), "state": lambda: Stateful(20), "count": Shuffled}


def train(how, seen):
    def body(attempt):
        weights, log = np.zeros(3), []
        attempt.keep(weights=weights, log=log)
        loader = ITERABLES[how]()
        over = attempt.over(loader, epochs=2)
        assert over.how == how
        for step, item in over:
            weights += item * np.random.normal(size=3)
            log.append(item)
            step.report(loss=float(weights.sum()))
        seen.append((weights.tobytes(), list(log)))

    return body


def run_function(how, journal, *listeners):
    seen = []
    result = ds.run(train(how, seen), checkpoint=EVERY, journal=journal, seed=5, listeners=listeners)
    return result.step, result.verdict, seen


def run_inline(how, journal, *listeners):
    seen = []
    body = train(how, seen)
    attempts = ds.attempts(checkpoint=EVERY, journal=journal, seed=5, listeners=listeners, name="inline")
    for attempt in attempts:
        with attempt:
            body(attempt)
    return attempts.result.step, attempts.result.verdict, seen


@pytest.mark.parametrize("form", [run_function, run_inline], ids=["function", "inline"])
@pytest.mark.parametrize("how", ITERABLES)
@pytest.mark.parametrize("kills", [[3], [7], [20], [21], [25, 39], [40]], ids=str)
def test_resume_after_kills_equals_uninterrupted(tmp_path, elsewhere, form, how, kills):  # noqa: F811
    undisturbed = elsewhere(form, how, tmp_path / "one.db")
    assert undisturbed[0] == 40
    for step in kills:
        assert elsewhere(form, how, tmp_path / "two.db", KillAfter(step=step)) is None
    assert elsewhere(form, how, tmp_path / "two.db") == undisturbed
    one, two = (
        [(row["step"], row["loss"]) for row in ds.Journal(tmp_path / name).rows("steps")]
        for name in ("one.db", "two.db")
    )
    assert one == two


def test_without_epochs_the_kth_call_is_epoch_k_and_finished_ones_yield_nothing(tmp_path, elsewhere):  # noqa: F811
    def go(*listeners):
        counts = []

        def body(attempt):
            total = {"n": 0}
            attempt.keep(total=total)
            for _ in range(3):
                taken = 0
                for step, item in attempt.over([1, 2, 3, 4]):
                    total["n"] += item
                    taken += 1
                    step.report(n=total["n"])
                counts.append(taken)
            return total["n"]

        result = ds.run(
            body, checkpoint=ds.checkpoint.Every(steps=1), journal=tmp_path / "j.db", seed=0, listeners=listeners
        )
        return result.returned, counts

    assert elsewhere(go, KillAfter(step=6)) is None
    assert elsewhere(go) == (30, [0, 3, 4])  # the snapshot of step 5 is the newest: three of the second epoch are left


def test_a_finished_inline_run_yields_its_last_attempt_once_with_its_final_state(tmp_path):
    def go():
        bodies = 0
        for attempt in ds.attempts(journal=tmp_path / "j.db", seed=0, name="x"):
            with attempt:
                bodies += 1
                kept = {"sum": 0}
                attempt.keep(kept=kept)
                for step, item in attempt.over([1, 2, 3]):
                    kept["sum"] += item
                    step.report(x=1.0)
        return bodies, kept["sum"]

    assert go() == (1, 6)
    assert go() == (1, 6)
    assert len(ds.Journal(tmp_path / "j.db").rows("steps")) == 3


def test_a_roll_back_goes_back_along_the_data_and_skips_around_the_fault():
    items = []

    def body(attempt):
        state = {"x": 0}
        attempt.keep(state=state)
        for step, item in attempt.over(range(1, 31)):
            items.append(item)
            state["x"] += 1
            step.report(loss=9.0 if item in (15, 16) else 1.0)

    rules = [ds.roll_back(ds.when.above("loss", 5.0), skip=4)]
    result = ds.run(body, rules=rules, checkpoint=ds.checkpoint.Every(steps=10), seed=0)
    assert result.succeeded
    # item 15 is the fault; 14 to 17 are left out, and skipped items are not steps
    assert items == [*range(1, 16), *range(11, 14), *range(18, 31)]
    assert result.step == 26


def test_code_after_report_never_runs_on_a_restored_state():
    log = []

    def body(attempt):
        state = {"x": 0}
        attempt.keep(state=state)
        for step, _ in attempt.over(range(6)):
            state["x"] += 1
            step.report(loss=9.0 if state["x"] == 4 and len(log) < 4 else 1.0)
            log.append(state["x"])

    ds.run(body, rules=[ds.roll_back(ds.when.above("loss", 5.0))], checkpoint=ds.checkpoint.Every(steps=2), seed=0)
    assert log == [1, 2, 3, 4, 3, 4, 5, 6]


def test_an_exception_that_is_rolled_back_calls_the_function_again_in_the_same_attempt():
    calls, raised = [], []

    def body(attempt):
        calls.append(attempt.number)
        state = {"x": 0}
        attempt.keep(state=state)
        for step, _ in attempt.over(range(6)):
            state["x"] += 1
            if state["x"] == 4 and not raised:
                raised.append(True)
                raise RuntimeError("once")
            step.report(x=float(state["x"]))
        return state["x"]

    result = ds.run(
        body, rules=[ds.roll_back(ds.when.failed(RuntimeError))], checkpoint=ds.checkpoint.Every(steps=2), seed=0
    )
    assert result.returned == 6 and calls == [1, 1] and len(result.attempts) == 1


def test_restart_gives_a_fresh_seed_and_stop_says_why():
    seeds, why = [], []

    def body(attempt):
        seeds.append(attempt.seed)
        for step, _ in attempt.over(range(100)):
            step.report(x=1.0)
        why.append(attempt.ended)

    rules = [ds.stop(ds.when.spent(steps=12)), ds.restart(ds.when.elapsed(steps=5))]
    result = ds.run(body, rules=rules, seed=0)
    assert len(set(seeds)) == 3 and [a.state for a in result.attempts] == ["cut", "cut", "cut"]
    assert why[-1] == "stop when spent(steps=12)" and all(attempt.censored for attempt in result.attempts)


def test_fail_ends_the_attempt_without_an_exception():
    def body(attempt):
        for step, item in attempt.over(range(10)):
            step.report(x=1.0)
            if item == 3:
                attempt.fail("no good")

    result = ds.run(body, rules=[], seed=0)
    assert not result.succeeded and result.exit_code == 3 and "no good" in result.reason


def test_a_break_is_a_success_and_its_last_step_counts():
    def body(attempt):
        for step, item in attempt.over(range(10)):
            step.report(x=1.0)
            if item == 3:
                break
        return "left"

    result = ds.run(body, seed=0)
    assert result.succeeded and result.step == 4 and result.returned == "left"


def test_a_kept_name_that_the_snapshot_lacks_is_refused(tmp_path, elsewhere):  # noqa: F811
    def go(names, *listeners):
        def body(attempt):
            attempt.keep(**{name: {"x": 0} for name in names})
            for step, _ in attempt.over(range(10)):
                step.report(x=1.0)

        return ds.run(
            body,
            checkpoint=ds.checkpoint.Every(steps=2),
            journal=tmp_path / "j.db",
            seed=0,
            listeners=listeners,
            accept=["process.names"],
        ).step

    assert elsewhere(go, ["a", "b"], KillAfter(step=5)) is None
    with pytest.raises(RuntimeError, match="has no 'c'"):
        elsewhere(go, ["a", "b", "c"])
    with pytest.raises(RuntimeError, match="holds 'b'"):
        elsewhere(go, ["a"])
    assert elsewhere(go, ["a", "b"]) == 10


@pytest.mark.parametrize(
    ("iterable", "epochs", "word"), [(iter([1]), 2, "once only"), (3, None, "cannot be iterated"), ([1], -1, "epochs")]
)
def test_what_cannot_be_gone_over_is_refused(iterable, epochs, word):
    def body(attempt):
        for _ in attempt.over(iterable, epochs=epochs):
            pass

    with pytest.raises(ds.UsageError, match=word):
        ds.run(body, seed=0)


def test_a_one_shot_iterator_and_a_roll_back_rule_are_refused_at_the_start():
    def body(attempt):
        for _ in attempt.over(iter([1, 2])):
            pass

    with pytest.raises(ds.UsageError, match="once only"):
        ds.run(body, rules=[ds.roll_back(ds.when.above("x", 1.0))], seed=0)


def test_inline_refuses_an_executor_with_the_reason():
    with pytest.raises(ds.UsageError, match="lives in this program"):
        ds.attempts(executor="local")


def test_the_body_of_an_inline_loop_must_be_a_with():
    with pytest.raises(ds.UsageError, match="with attempt"):
        for _ in ds.attempts(rules=[ds.restart(ds.when.failed())], seed=0):
            pass
