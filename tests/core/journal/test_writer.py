"""What a run's writer keeps, and in what order it comes back."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest

from dalsegno.core.errors import JournalError, UnsavableError, UsageError
from dalsegno.core.journal import Journal


def test_a_run_is_found_again_by_name_and_seed(path):
    journal = Journal(path)
    found = {}
    for name, seed in [("a", 0), ("a", 1), ("a", None), ("b", 0), ("a", 2**100), ("a", -1)]:
        writer = journal.open_run(name, seed, identity={"of": name})
        found[name, seed] = writer.run_id, writer.created, writer.uid
        writer.close()
    assert len({run for run, _, _ in found.values()}) == 6 and all(created for _, created, _ in found.values())
    for (name, seed), (run, _, uid) in found.items():
        writer = journal.open_run(name, seed, identity={"of": "somebody else"})
        assert (writer.run_id, writer.created, writer.uid, writer.identity) == (run, False, uid, {"of": name})
        writer.close()


def test_fresh_puts_the_old_run_aside_and_keeps_it(path, begin):
    journal = Journal(path)
    begin(journal).writer.close()
    for generation in (1, 2):
        writer = journal.open_run("train", 0, identity={}, fresh=True)
        assert writer.created
        writer.close()
        assert sorted(row["generation"] for row in journal.rows("runs")) == list(range(generation + 1))
    (first,) = [row for row in journal.rows("runs") if row["id"] == 1]
    assert first["attempts"] == 1


def test_events_come_back_in_journal_order_with_one_numbering(run):
    run.snapshot(0, kind="reset")
    run.decide(1)
    run.snapshot(2)
    second = run.writer.begin_attempt(2, 9, {"kind": "snapshot", "id": 1}, started_from=1, verified=True)
    events = run.writer.events()
    assert [event["kind"] for event in events] == ["attempt", "snapshot", "decision", "snapshot", "attempt"]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5] and run.writer.sequence == 5
    assert (events[1]["snapshot_kind"], events[4]["origin"]) == ("reset", {"kind": "snapshot", "id": 1})
    assert (events[4]["id"], events[4]["seed"], events[4]["started_from"]) == (second, 9, 1)


def test_the_numbering_goes_on_in_the_next_program(path, begin):
    run = begin(Journal(path))
    run.decide(1)
    run.writer.close()
    assert Journal(path).open_run("train", 0, identity={}).sequence == 2


def test_superseded_decisions_are_no_events_and_stay_in_the_table(run, path):
    first, second = run.decide(1), run.decide(2)
    run.writer.supersede([first])
    assert [event["id"] for event in run.writer.events() if event["kind"] == "decision"] == [second]
    assert [row["superseded"] for row in Journal(path).rows("decisions")] == [1, 0]


STATES = [
    {"best": math.nan, "since": math.inf},
    {"weights": np.arange(3.0), "step": np.int64(3)},
    {1: (2, 3), "set": {1, 2}, "bytes": b"\0\1", "big": 2**200},
    {"when": datetime.datetime(2026, 1, 2, 3, 4, 5), "none": None},
]


@pytest.mark.parametrize("state", STATES)
def test_a_decisions_state_comes_back_with_its_types(run, state):
    run.writer.decision(
        attempt=run.attempt,
        branch=run.branch,
        step=1,
        rule="r",
        action={"verb": "stop"},
        saw=[],
        state=state,
        seconds=1.0,
    )
    (event,) = [event for event in run.writer.events() if event["kind"] == "decision"]
    np.testing.assert_equal(event["state"], state)


def test_a_state_that_cannot_be_saved_is_refused_and_nothing_is_written(run, path):
    with pytest.raises(UnsavableError):
        run.writer.decision(
            attempt=run.attempt,
            branch=run.branch,
            step=1,
            rule="r",
            action={"verb": "stop"},
            saw=[],
            state=object(),
            seconds=1.0,
        )
    assert Journal(path).rows("decisions") == []


def test_a_decision_may_begin_a_branch_in_the_same_transaction(run):
    decision = run.decide(5, "roll back", new_branch=(1, 3))
    (_, branch) = run.writer.branches_of(run.attempt)
    assert (branch["number"], branch["parent"], branch["from_step"], branch["decision"], branch["cause"]) == (
        1,
        run.branch,
        3,
        decision,
        "roll back",
    )


def test_rows_of_a_branch_are_read_after_a_step(run):
    for step in range(1, 8):
        run.step(step, {"loss": float(step)}, cost={"tokens": 2.0}, value=float(-step))
    run.writer.flush()
    rows = list(run.writer.read_rows(run.attempt, run.branch, 5))
    assert [row[1:] for row in rows] == [
        (6, 0.5, {"loss": 6.0}, {"tokens": 2.0}, "running", -6.0),
        (7, 0.5, {"loss": 7.0}, {"tokens": 2.0}, "running", -7.0),
    ]


def test_ids_of_steps_are_never_given_twice_also_after_a_run_is_deleted(path, begin):
    journal = Journal(path)
    seen: list[int] = []
    for _ in range(3):
        run = begin(journal)
        for step in range(1, 4):
            run.step(step)
        run.writer.close()
        seen += [row["id"] for row in journal.rows("steps")]
        journal.delete(run.writer.run_id)
    assert len(set(seen)) == 9


def test_an_attempt_that_was_ended_and_goes_on_is_one_record(run, path):
    run.end_attempt(state="interrupted", censored=True)
    run.writer.reopen_attempt(run.attempt)
    (row,) = Journal(path).rows("attempts")
    assert (row["state"], row["ended"]) == ("running", None)


def test_what_an_attempt_was_is_kept(run, path):
    failure = {"types": ["ZeroDivisionError"], "message": "by zero", "traceback": "Traceback ..."}
    run.end_attempt(
        state="failed", failure=failure, value=0.5, best_step=2, cost={"tokens": 3.0}, summary={"number": 1}
    )
    (row,) = Journal(path).rows("attempts")
    assert (row["state"], row["failure"], row["value"], row["best_step"], row["cost"]) == (
        "failed",
        failure,
        0.5,
        2,
        {"tokens": 3.0},
    )
    assert run.writer.summary(run.attempt) == {"number": 1} and run.writer.summaries() == [{"number": 1}]


def test_an_end_that_was_not_written_is_made_up_for_once(run, path):
    run.writer.ensure_ended(run.attempt, "cut")
    run.writer.ensure_ended(run.attempt, "failed")
    assert [(row["state"], row["censored"]) for row in Journal(path).rows("attempts")] == [("cut", True)]


def test_a_run_that_has_ended_keeps_its_outcome_and_can_be_reopened(path, begin):
    journal = Journal(path)
    run = begin(journal)
    run.writer.end_run(state="finished", outcome={"rule": "spent", "steps": 3, "verdict": "exact"})
    run.writer.close()
    writer = journal.open_run("train", 0, identity={})
    assert (writer.run["state"], writer.run["outcome"]["rule"]) == ("finished", "spent")
    writer.reopen_run()
    writer.close()
    assert journal.rows("runs")[0]["state"] == "interrupted"


def test_a_root_seed_is_kept_from_the_first_time(path):
    for seed in (2**100, 5):
        writer = Journal(path).open_run("train", None, identity={})
        writer.set_root_seed(seed)
        assert writer.run["root_seed"] == 2**100
        writer.close()
    assert Journal(path).rows("runs")[0]["seed"] == 2**100


def test_a_snapshots_path_is_relative_to_the_journal(run):
    with pytest.raises(UsageError, match="relative"):
        run.snapshot(1, path="/somewhere/else")


def test_a_snapshot_with_a_part_missing_or_unknown_is_refused(run):
    with pytest.raises(UsageError, match="colour"):
        run.snapshot(1, colour="red")


def test_snapshots_lie_beside_the_journal_and_move_with_it(path, tmp_path, begin):
    begin(Journal(path)).writer.close()
    (tmp_path / "moved").mkdir()
    path.rename(tmp_path / "moved" / "other.db")
    writer = Journal(tmp_path / "moved" / "other.db").open_run("train", 0, identity={})
    assert not writer.created and writer.snapshots_path == tmp_path / "moved" / "other.db.snapshots"
    writer.close()


def test_a_deleted_run_is_not_written_on(run, path, start):
    deleter = start(
        "import apsw; c = apsw.Connection(str(path)); [c.execute(f'DELETE FROM {t}') for t in ('branches', 'attempts', 'owners', 'runs')]"
    )
    assert deleter.end()[0] == 0
    with pytest.raises(JournalError, match="was deleted"):
        run.decide(1)
    with pytest.raises(JournalError, match="was deleted"):
        run.writer.close()


def test_closing_twice_does_nothing(path, begin):
    run = begin(Journal(path))
    run.writer.close()
    run.writer.close()
    begin(Journal(path))  # the run may be taken by this program again


@pytest.mark.parametrize("own_thread", [True, False])
def test_a_hung_step_is_noted_with_all_steps_before_it_once(path, begin, own_thread):
    import threading

    run = begin(Journal(path))
    run.step(1)
    if own_thread:
        run.writer.hung(run.attempt, "step 2 did not return")
        run.writer.flush()
    else:
        watchdog = threading.Thread(target=run.writer.hung, args=(run.attempt, "step 2 did not return"))
        watchdog.start()
        watchdog.join()
    (row,) = Journal(path).rows("attempts")
    assert (row["state"], row["failure"]["message"]) == ("hung", "step 2 did not return")
    assert [row["step"] for row in Journal(path).rows("steps")] == [1]


# -- calls -----------------------------------------------------------------------------------------------------------


def test_a_call_that_has_ended_is_known_with_its_value_and_cost(run):
    call = run.writer.call_begin(run.attempt, run.branch, 3, "answer", "hash")
    assert (call.state, run.writer.call_state(run.attempt, run.branch, 3, "answer")) == ("new", "sent")
    run.writer.call_end(call, {"text": "yes", "logits": (1.0, math.inf)}, {"tokens": 7.0})
    again = run.writer.call_begin(run.attempt, run.branch, 3, "answer", "hash")
    assert (again.state, again.value, again.cost) == (
        "done",
        {"text": "yes", "logits": (1.0, math.inf)},
        {"tokens": 7.0},
    )


def test_a_call_in_flight_at_a_kill_is_made_again_under_the_same_key(path, start):
    code = """
writer, attempt, branch = begin()
say(writer.call_begin(attempt, branch, 3, "answer", "hash", {"tokens": 50.0}).idempotency_key)
os.kill(os.getpid(), signal.SIGKILL)
"""
    program = start(code)
    key = program.line()
    program.end()
    writer = Journal(path).open_run("train", 0, identity={})
    call = writer.call_begin(1, 1, 3, "answer", "hash")
    assert (call.state, call.idempotency_key, call.inputs_hash, call.held) == (
        "in flight",
        key,
        "hash",
        {"tokens": 50.0},
    )
    assert [row["sent"] for row in Journal(path).rows("calls")] == [2]
    writer.close()


def test_calls_at_other_places_have_other_keys(run):
    places = [(3, "answer"), (4, "answer"), (3, "question"), (3, "answer 2")]
    keys = [run.writer.call_begin(run.attempt, run.branch, step, key, "").idempotency_key for step, key in places]
    assert len(set(keys)) == 4


def test_what_calls_cost_and_hold_adds_up(run):
    first = run.writer.call_begin(run.attempt, run.branch, 1, "a", "", {"tokens": 100.0})
    run.writer.call_end(first, 1, {"tokens": 7.0})
    run.writer.call_begin(run.attempt, run.branch, 2, "a", "", {"tokens": 50.0})
    assert run.writer.calls_spent() == ({"tokens": 7.0}, {"tokens": 50.0})


def test_a_value_of_none_is_a_value(run):
    call = run.writer.call_begin(run.attempt, run.branch, 1, "a", "")
    run.writer.call_end(call, None, {})
    again = run.writer.call_begin(run.attempt, run.branch, 1, "a", "")
    assert (again.state, again.value) == ("done", None)
