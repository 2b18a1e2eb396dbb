"""Replay: the rules look on while a past curve goes by, and nobody acts."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import pytest

import dalsegno as ds
from dalsegno.core.errors import UsageError

when = ds.when


def curve(*losses: float | None) -> list[dict[str, Any]]:
    return [{} if loss is None else {"loss": loss} for loss in losses]


def fired(rules: list[Any], source: Any, **options: Any) -> list[tuple[int, int, int]]:
    """(index of the rule, first step, how often) of every firing."""
    return [(one.index, one.step, one.count) for one in ds.replay(rules, source, **options).firings]


def test_every_rule_is_followed_to_the_end_as_if_nobody_acted() -> None:
    rules = [ds.stop(when.above("loss", 5.0)), ds.stop(when.stalled("loss", patience=2))]
    assert fired(rules, curve(2.0, 9.0, 1.0, 9.0, 1.0)) == [(0, 2, 2), (1, 5, 1)]


def test_the_first_to_act_is_the_decision() -> None:
    rules = [ds.stop(when.stalled("loss", patience=2)), ds.roll_back(when.above("loss", 5.0))]
    (decision,) = ds.replay(rules, curve(1.0, 9.0, 9.0)).decisions
    assert (decision.step, decision.action) == (2, "roll back")


def test_of_two_rules_at_one_step_the_earlier_in_the_list_decides() -> None:
    rules = [ds.stop(when.above("loss", 1.0)), ds.roll_back(when.above("loss", 5.0))]
    assert ds.replay(rules, curve(9.0)).decisions[0].action == "stop"


def test_continue_keeps_the_rules_after_it_from_acting() -> None:
    class Patient:
        def decide(self, trace: Any) -> Any:
            return ds.Continue() if trace.steps < 3 else None

    (decision,) = ds.replay([Patient(), ds.stop(when.above("loss", 0.0))], curve(1.0, 1.0, 1.0)).decisions
    assert decision.step == 3


def test_where_no_rule_fires_there_is_no_decision() -> None:
    found = ds.replay([ds.stop(when.above("loss", 5.0))], curve(1.0, 2.0))
    assert (found.firings, found.decisions) == ((), ())


def test_what_a_rule_saw_is_what_it_saw_at_the_first_firing() -> None:
    (firing,) = ds.replay([ds.stop(when.above("loss", 5.0))], curve(1.0, 9.0, 12.0)).firings
    assert (firing.saw, firing.last) == ({"metric": "loss", "value": 9.0}, 3)


def test_a_policy_is_followed_as_well() -> None:
    assert fired([ds.policies.Luby(3)], curve(*[1.0] * 5)) == [(0, 3, 3)]


def test_a_judge_is_not_asked_and_named() -> None:
    def expensive(process: Any) -> bool:
        raise AssertionError("asked")

    found = ds.replay([ds.stop(when.every(steps=2) & when.judge(expensive))], curve(1.0, 1.0, 1.0))
    assert (found.decisions[0].step, found.decisions[0].asks) == (2, "judge(expensive)")


def test_steps_that_were_not_logged_are_counted() -> None:
    rows = [{"step": step, "loss": 1.0} for step in (100, 200, 300)]
    rules = [ds.stop(when.spent(steps=150)), ds.stop(when.elapsed(steps=300)), ds.stop(when.every(steps=200))]
    assert fired(rules, rows) == [(0, 200, 2), (2, 200, 1), (1, 300, 1)]


def test_running_figures_count_each_report_once_over_gaps() -> None:
    counts = []

    def look(trace: Any) -> bool:
        counts.append(trace.attempt.metrics["loss"].count)
        return False

    ds.replay([ds.stop(look)], [{"step": step, "loss": 1.0} for step in (0, 50, 5000, 5001)])
    assert counts == [1, 2, 3, 4]


def test_steps_may_be_counted_from_0() -> None:
    rows = [{"step": step, "loss": 1.0} for step in range(4)]
    assert fired([ds.stop(when.elapsed(steps=3)), ds.stop(when.every(steps=2))], rows) == [(0, 2, 2), (1, 2, 1)]


def test_seconds_are_those_of_the_rows() -> None:
    rows = [{"loss": 1.0, "took": 2.0} for _ in range(4)]
    assert fired([ds.stop(when.spent(seconds=5))], rows, seconds_column="took") == [(0, 3, 2)]


def test_cost_and_value_are_seen() -> None:
    rows = [{"cost.tokens": 30.0, "value": value} for value in (1.0, 1.0, 3.0)]
    rules = [ds.stop(when.spent(tokens=60)), ds.stop(when.above("value", 2.0))]
    assert fired(rules, rows) == [(0, 2, 2), (1, 3, 1)]


def test_a_failed_status_is_a_failure() -> None:
    assert fired([ds.restart(when.failed())], [{"loss": 1.0}, {"loss": 1.0, "status": "failed"}]) == [(0, 2, 1)]


ATTEMPTS = [
    {"run": run, "attempt": attempt, "step": step, "loss": 1.0}
    for run in ("a", "b")
    for attempt in (1, 2)
    for step in (1, 2, 3)
]


def test_patience_begins_afresh_with_each_attempt_and_spending_does_not() -> None:
    rules = [ds.stop(when.stalled("loss", patience=2)), ds.stop(when.spent(steps=5))]
    found = ds.replay(rules, ATTEMPTS)
    assert [(one.run, one.attempt, one.index, one.step) for one in found.firings] == [
        ("a", 1, 0, 3),
        ("a", 2, 1, 2),
        ("a", 2, 0, 3),
        ("b", 1, 0, 3),
        ("b", 2, 1, 2),
        ("b", 2, 0, 3),
    ]


def test_each_run_has_its_own_decision() -> None:
    found = ds.replay([ds.stop(when.spent(steps=5))], ATTEMPTS)
    assert [(one.run, one.attempt, one.step) for one in found.decisions] == [("a", 2, 2), ("b", 2, 2)]


def test_rows_of_several_runs_may_be_mixed() -> None:
    mixed = sorted(ATTEMPTS, key=lambda row: (row["attempt"], row["step"]))
    rules = [ds.stop(when.spent(steps=5))]
    assert ds.replay(rules, mixed).to_list() == ds.replay(rules, ATTEMPTS).to_list()


def test_attempts_that_agree_are_seen() -> None:
    rows = [{"attempt": k, "value": value, "status": "succeeded"} for k, value in enumerate((1.0, 2.0, 1.0))]
    assert fired([ds.stop(when.agrees(2, of=3))], rows) == [(0, 1, 1)]


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([{"step": 2, "loss": 1.0}, {"step": 1, "loss": 1.0}], "row 2: step 1 after step 2: steps must increase"),
        ([{"attempt": 1}, {"attempt": 2}, {"attempt": 1}], "row 3: attempt 1 again"),
        ([{"status": "failed"}, {"loss": 1.0}], "row 2: a step after the attempt has failed at step 1"),
        ([], "no step"),
    ],
)
def test_rows_out_of_order_are_refused(rows: list[dict[str, Any]], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        ds.replay([ds.stop(when.failed())], rows)


def test_two_modes_for_one_metric_are_refused() -> None:
    rules = [ds.stop(when.stalled("loss", patience=2)), ds.stop(when.stalled("loss", patience=2, mode="max"))]
    with pytest.raises(UsageError, match="two modes"):
        ds.replay(rules, curve(1.0))


def test_a_metric_that_was_never_reported_is_noted() -> None:
    (note,) = ds.replay([ds.stop(when.above("los", 5.0))], curve(1.0)).notes
    assert note == "'los' was never reported; reported were: loss"


def test_the_rules_given_are_left_as_they_were() -> None:
    class Counting:
        def __init__(self) -> None:
            self.steps = 0

        def observe(self, trace: Any) -> None:
            self.steps += 1

        def decide(self, trace: Any) -> Any:
            return ds.Stop() if self.steps >= 2 else None

    counting = Counting()
    assert (fired([counting], curve(1.0, 1.0, 1.0)), counting.steps) == ([(0, 2, 2)], 0)


def test_the_table_is_readable() -> None:
    rules = [
        ds.stop(when.stalled("loss", patience=2)),
        ds.roll_back(when.spike("loss", factor=3.0, window=8)),
        ds.stop(when.above("los", 1.0)),
    ]
    assert str(ds.replay(rules, curve(1.0, 1.0, 1.0, 9.0))) == (
        "3 rules on 4 reports of 1 attempt in 1 run, as if nobody had acted:\n"
        "\n"
        "rule                                                first   times  what it saw there\n"
        "stop when stalled('loss', patience=2)               step 3  2      metric loss, value 1, best 1, best_step 1, "
        "without_improvement 2\n"
        "roll back when spike('loss', factor=3.0, window=8)  step 4  1      metric loss, value 9, median 1, limit 3, "
        "values 3\n"
        "stop when above('los', 1.0)                         never   0\n"
        "\n"
        "First to act: stop when stalled('loss', patience=2), at step 3.\n"
        "Note: 'los' was never reported; reported were: loss"
    )


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = [{"attempt": k, "loss": 9.0} for k in range(100)]
    text = str(ds.replay([ds.stop(when.above("loss", 5.0))], rows))
    assert "... and 60 more lines: to_list() has them all" in text


class Scripted(ds.Process):
    def __init__(self, values: list[float], error: Exception | None = None) -> None:
        self.values, self.error = values, error

    def reset(self, *, seed: int, origin: Any = None) -> None:
        self.i = 0

    def step(self) -> ds.Report:
        if self.i == len(self.values) and self.error is not None:
            raise self.error
        self.i += 1
        return ds.Report(metrics={"loss": self.values[self.i - 1]}, cost={"tokens": 5.0})

    def state_dict(self) -> dict[str, Any]:
        return {"i": self.i}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.i = int(state["i"])


LOSSES = [2.0, 1.0, nan, 1.5, 0.75, 0.75, 0.75, 0.75]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    rules = [ds.stop(when.stalled("loss", patience=3)), ds.stop(when.spent(steps=8))]
    ds.run(Scripted(LOSSES), rules=rules, journal=path, seed=0)
    return path


def test_a_journal_replayed_with_its_own_rules_gives_the_runs_decision(journal: Path) -> None:
    found = ds.replay([ds.stop(when.stalled("loss", patience=3)), ds.stop(when.spent(steps=8))], journal)
    taken = ds.Journal(journal).rows("decisions")[-1]
    assert (found.decisions[0].rule, found.decisions[0].step) == (taken["rule"], taken["step"])


def test_a_journals_figures_are_read_back_as_they_were(journal: Path) -> None:
    rules = [ds.stop(when.not_finite("loss")), ds.stop(when.spent(tokens=20))]
    assert fired(rules, ds.Journal(journal)) == [(0, 3, 1), (1, 4, 5)]


def test_failures_of_a_journal_are_seen_with_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    rules = [ds.stop(when.spent(attempts=2)), ds.restart(when.failed())]
    ds.run(Scripted([1.0, 1.0], ZeroDivisionError("by zero")), rules=rules, journal=path, seed=0)
    asked = [ds.stop(when.failed(ArithmeticError)), ds.stop(when.failed(ValueError)), ds.stop(when.spent(attempts=2))]
    found = ds.replay(asked, path)
    assert [(one.index, one.attempt, one.step) for one in found.firings] == [(0, 1, 2), (0, 2, 2), (2, 2, 2)]


def test_of_a_journal_the_line_that_counts_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    class Spiky(Scripted):
        lr = 0.8

        def step(self) -> ds.Report:
            self.i += 1
            loss = 9.0 if self.i == 5 and self.lr > 0.5 else 1.0
            return ds.Report(metrics={"loss": loss}, status="succeeded" if self.i == 7 else "running")

    rules = [ds.roll_back(when.above("loss", 5.0), then=ds.changes.scale_learning_rate(0.5))]
    ds.run(Spiky([]), rules=rules, journal=path, seed=0, checkpoint=ds.checkpoint.Every(steps=2))
    found = ds.replay([*rules, ds.stop(when.elapsed(steps=7))], path)
    assert [(one.index, one.step) for one in found.firings] == [(1, 7)]


def test_attempts_keep_their_own_numbers_in_whatever_order_they_stand():
    rows = [{"attempt": attempt, "loss": 1.0} for attempt in [1] + [3] * 250 + [2] * 250]
    found = ds.replay([ds.policies.Luby(unit=100)], rows)
    assert [(firing.attempt, firing.step) for firing in found.firings] == [(3, 200), (2, 100)]


def test_some_runs_of_a_journal(tmp_path):
    def train(attempt):
        for step, _ in attempt.over(range(5)):
            step.report(loss=1.0)

    for name in ("one", "two"):
        ds.run(train, name=name, journal=tmp_path / "runs.db", seed=0)
    rule = ds.stop(ds.when.elapsed(steps=2))
    assert ds.replay(rule, tmp_path / "runs.db").runs == 2
    for run, number in (("two", 2), ("2", 2), ("1", 1)):
        found = ds.replay(rule, f"{tmp_path / 'runs.db'}:{run}")
        assert [firing.run for firing in found.firings] == [number]
    with pytest.raises(ds.UsageError, match=r"has no run 'three'; it has 1 \(one\), 2 \(two\)"):
        ds.replay(rule, f"{tmp_path / 'runs.db'}:three")


def test_what_loggers_call_a_step_and_a_time_is_understood_and_said():
    rows = [{"_step": 10 * count, "_runtime": 5.0 * count, "loss": 1.0} for count in range(1, 9)]
    found = ds.replay([ds.stop(ds.when.elapsed(seconds=20))], rows, seconds_column="_runtime")
    assert [firing.step for firing in found.firings] == [40]
    assert any("'_step' was taken for the number of the step" in note for note in found.notes)
    assert any("'_runtime' was taken for the time since the start" in note for note in found.notes)


def test_seconds_that_rise_from_row_to_row_are_wondered_at():
    rows = [{"step": count, "wall": 5.0 * count, "loss": 1.0} for count in range(1, 9)]
    found = ds.replay([ds.stop(ds.when.elapsed(seconds=20))], rows, seconds_column="wall")
    assert any("rises from row to row" in note for note in found.notes)


def test_a_column_alone_is_no_table():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageError, match="a Series has no columns"):
        ds.replay(ds.stop(ds.when.above("loss", 1.0)), pandas.Series([1.0, 2.0]))
