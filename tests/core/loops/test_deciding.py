"""Decisions between two steps: places for attempts, failures in a row, judges, windows of items, snapshots."""

from __future__ import annotations

import pytest

import dalsegno as ds


class Told(ds.Process):
    """Does at step k of attempt n what a table says: "fail", an exception, or nothing."""

    def __init__(self, fails=()):
        self.fails, self.attempts = fails, 0

    def reset(self, *, seed, origin=None):
        self.i, self.attempts = 0, self.attempts + 1

    def step(self):
        self.i += 1
        what = self.fails[self.attempts - 1] if self.attempts <= len(self.fails) else None
        if isinstance(what, Exception) and self.i == 3:
            raise what
        if self.i == 3 and what == "fail":
            return ds.Report({}, status="failed")
        return ds.Report({"i": float(self.i)}, status="succeeded" if self.i == 5 else "running")

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


RESTART, LIMIT = ds.restart(ds.when.failed()), ds.stop(ds.when.spent(attempts=2))


@pytest.mark.parametrize("rules", [[RESTART, LIMIT], [LIMIT, RESTART]])
def test_a_budget_of_attempts_begins_no_further_one_whatever_the_order(rules):
    process = Told([ValueError("x")] * 9)
    result = ds.run(process, rules=rules, seed=0)
    assert (process.attempts, result.rule) == (2, "stop when spent(attempts=2)")


def test_a_running_attempt_is_not_replaced_beyond_the_budget():
    process = Told()
    result = ds.run(process, rules=[ds.restart(ds.when.elapsed(steps=2)), LIMIT], seed=0)
    assert (process.attempts, [one.steps for one in result.attempts]) == (2, [2, 2])


def test_three_identical_exceptions_in_a_row_end_restarting_and_say_why():
    with pytest.raises(ValueError, match="x"):
        ds.run(Told([ValueError("x")] * 9), rules=[RESTART], seed=0)


@pytest.mark.parametrize("between", ["fail", None, ValueError("another")])
def test_anything_else_between_identical_exceptions_breaks_the_row(between):
    x = ValueError("x")
    process = Told([x, x, between, x, x])
    ds.run(
        process,
        rules=[ds.restart(ds.when.failed() | (ds.when.succeeded() & first(process))), ds.stop(ds.when.succeeded())],
        seed=0,
    )
    assert process.attempts == 6


def first(process):
    return lambda trace: process.attempts < 6


def test_attempts_that_say_themselves_that_they_failed_may_be_begun_again_and_again():
    process = Told(["fail"] * 7)
    result = ds.run(process, rules=[RESTART], seed=0)
    assert (process.attempts, result.succeeded) == (8, True)


def test_an_escalated_stop_is_no_success():
    result = ds.run(
        Told(),
        rules=[ds.roll_back(ds.when.above("i", 2.5), limit=1, escalate=ds.Stop("given up"))],
        checkpoint=ds.checkpoint.Every(steps=1),
        seed=0,
    )
    assert (result.succeeded, result.reason) == (False, "given up")


def test_two_judges_of_one_name_are_asked_each():
    def ask(answer):
        def judge(process):
            return answer

        return ds.when.judge(judge)

    result = ds.run(Told(), rules=[ds.stop(ask(False), reason="first"), ds.stop(ask(True), reason="second")], seed=0)
    assert (result.reason, result.steps) == ("second", 1)


def test_one_judge_in_two_rules_is_asked_once_a_step():
    asked = []

    def judge(process):
        asked.append(process.i)
        return False

    ds.run(
        Told(), rules=[ds.stop(ds.when.judge(judge)), ds.stop(~ds.when.judge(judge) & ds.when.every(steps=2))], seed=0
    )
    assert asked == [1, 2]


@pytest.mark.filterwarnings("ignore::dalsegno.core.loops.instructions.EngineWarning")
def test_a_reset_that_fails_leaves_its_own_exception():
    class Unready(Told):
        def reset(self, *, seed, origin=None):
            raise OSError("no such data")

    with pytest.raises(OSError, match="no such data"):
        ds.run(Unready(), rules=[ds.roll_back(ds.when.not_finite("i"))], seed=0)
    result = ds.run(Unready(), rules=[LIMIT, RESTART], checkpoint=ds.checkpoint.Every(steps=1), seed=0)
    assert [one.state for one in result.attempts] == ["failed", "failed"]


def test_a_process_that_goes_back_thrice_leaves_out_the_items_of_each_fault():
    class Reader(ds.Process):
        """Reads items 0, 1, 2, ...; those in ``bad`` give a fault."""

        bad = (4, 8, 12)

        def reset(self, *, seed, origin=None):
            self.next, self.windows, self.read = 0, [], []

        def skip(self, start, stop):
            self.windows.append([start, stop])

        def step(self):
            while any(start <= self.next < stop for start, stop in self.windows):
                self.next += 1
            item, self.next = self.next, self.next + 1
            self.read.append(item)
            loss = float("nan") if item in self.bad else 1.0
            return ds.Report({"loss": loss}, status="succeeded" if item == 16 else "running")

        def state_dict(self):
            return {"next": self.next, "windows": self.windows, "read": self.read}

        def load_state_dict(self, state):
            self.next, self.windows, self.read = state["next"], state["windows"], state["read"]

    process = Reader()
    result = ds.run(
        process,
        rules=[ds.roll_back(ds.when.not_finite("loss"), skip=1)],
        checkpoint=ds.checkpoint.Every(steps=2),
        seed=0,
    )
    assert (result.succeeded, process.read) == (True, [item for item in range(17) if item not in Reader.bad])


def test_a_rule_that_adapts_at_every_step_does_not_keep_snapshots_off(tmp_path):
    ds.run(
        Told(),
        rules=[ds.adapt(ds.when.above("i", 0.5), lambda process: None)],
        checkpoint=ds.checkpoint.Every(steps=2),
        journal=tmp_path / "runs.db",
        seed=0,
    )
    kinds = [(row["step"], row["kind"]) for row in ds.Journal(tmp_path / "runs.db").rows("snapshots")]
    assert (2, "schedule") in kinds
    assert (4, "schedule") in kinds


class Counting:
    """A policy that counts its questions; ``Saving`` says so."""

    def __init__(self):
        self.asked = 0

    def decide(self, trace):
        self.asked += 1
        return ds.Stop("asked enough") if self.asked == 4 else None


class Saving(Counting):
    def state_dict(self):
        return {"asked": self.asked}

    def load_state_dict(self, state):
        self.asked = state["asked"]


def test_a_policy_that_learns_and_saves_nothing_is_warned_about(tmp_path):
    with pytest.warns(ds.EngineWarning, match="has changed its asked and has no state_dict"):
        ds.run(Told(), rules=[Counting()], journal=tmp_path / "runs.db", seed=0)


def test_a_policy_that_saves_what_it_learns_is_not(tmp_path, recwarn):
    ds.run(Told(), rules=[Saving()], journal=tmp_path / "runs.db", seed=0)
    assert not [one for one in recwarn if "state_dict" in str(one.message)]


def test_a_forked_program_that_comes_back_from_a_step_does_not_touch_the_run(tmp_path):
    import os

    class Forks(Told):
        child = 0

        def step(self):
            if self.i == 1:
                self.child = os.fork()
            return super().step()

    process = Forks()
    try:
        result = ds.run(
            process, rules=[], checkpoint=ds.checkpoint.Every(steps=1), journal=tmp_path / "runs.db", seed=0
        )
    except ds.UsageError as error:
        os._exit(0 if "os._exit" in str(error) else 1)
    finally:
        if process.child == 0:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(process.child, 0)[1]) == 0
    assert (result.succeeded, result.steps, result.verdict) == (True, 5, "exact")
