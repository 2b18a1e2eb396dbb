"""A worker: one attempt of a portfolio, with the rules of attempt scope beside its state.

It uses the same conductor as every other loop; its journal is the driver's, reached by messages, so that one program
alone writes the file and everything durable is acknowledged before it is acted upon.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dalsegno.core import events
from dalsegno.core.decisions import Decision
from dalsegno.core.executors.base import Task
from dalsegno.core.journal import blocks
from dalsegno.core.journal.calls import Call
from dalsegno.core.journal.writer import Lane, dumps, loads
from dalsegno.core.loops.conductor import Conductor
from dalsegno.core.loops.deciding import to_json
from dalsegno.core.loops.drive import run_function, run_process
from dalsegno.core.loops.ending import end_attempt_row
from dalsegno.core.loops.instructions import ENDED, Instruction
from dalsegno.core.loops.opening import objective_of, promised, saves_best, schedule_of, store_of
from dalsegno.core.loops.saving import Saver
from dalsegno.core.loops.taking_up import held_from, take_up
from dalsegno.core.machine import Machine
from dalsegno.core.once import CURRENT
from dalsegno.core.process import Origin
from dalsegno.core.result import Result
from dalsegno.core.rules import Rule

Exchange = Callable[[bytes], bytes]
SEND_SECONDS = 0.1


def is_of_run(rule: Any) -> bool:
    """Whether a rule or policy looks at the whole run, and so is the driver's to decide."""
    if isinstance(rule, Rule):
        return any(leaf.scope == "run" for leaf in rule.condition.leaves())
    return str(getattr(rule, "scope", "run")) == "run"


class Silent:
    """Stands in a worker's list of rules for one that the driver decides, so that positions stay the same."""

    def __init__(self, rule: Any) -> None:
        self.name = str(rule)

    def decide(self, trace: Any) -> None:
        return None


class Cut(Exception):
    """The driver has ended this attempt."""


class RemoteWriter:
    """The driver's writer of the run, as one attempt sees it; every call is a message and an answer."""

    path = None
    accepted = False
    former_identity = None
    created = False
    closed = False

    def __init__(self, task: Task, exchange: Exchange) -> None:
        self.task, self.exchange = task, exchange
        self.run_id, self.uid, self.owner = task.run_id, task.uid, task.owner
        self.run: dict[str, Any] = {"state": "open"}
        self.snapshots_path = None if task.snapshots_path is None else Path(task.snapshots_path)
        self.lanes: list[Lane] = []
        self.next_send = time.perf_counter() + SEND_SECONDS
        self.sequence = 0
        self.shown_path = None
        self.seconds, self.steps = 0.0, 0

    def ask(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the driver's writer; what is buffered goes first."""
        message = {"method": method, "args": list(args), "options": options, "rows": self.take_rows()}
        answer = loads(self.exchange(dumps(message).encode()).decode())
        if answer.get("cut"):
            raise Cut
        self.sequence = answer["sequence"]
        return answer["value"]

    def take_rows(self) -> list[Any]:
        packed = []
        for lane in self.lanes:
            if lane.rows:
                rows = list(lane.rows)
                lane.rows.clear()
                columns, data = blocks.pack(rows)
                packed.append([lane.attempt, lane.branch, rows[0][0], len(rows), columns, data])
        self.next_send = time.perf_counter() + SEND_SECONDS
        return packed

    def lane(self, attempt_id: int, branch_id: int) -> Lane:
        lane = Lane(attempt_id, branch_id)
        self.lanes = [other for other in self.lanes if other.rows] + [lane]
        return lane

    def tick(self, now: float) -> None:
        if now >= self.next_send or any(len(lane.rows) >= 4096 for lane in self.lanes):
            self.flush()

    def flush(self) -> None:
        self.ask("progress")

    def __getattr__(self, name: str) -> Any:
        if name not in REMOTE:
            raise AttributeError(name)
        return lambda *args, **options: self.ask(name, *args, **options)

    def read_rows(self, attempt_id: int, branch_id: int, after_step: int) -> Iterator[Any]:
        return (tuple(row) for row in self.ask("read_rows", attempt_id, branch_id, after_step))

    def call_begin(self, attempt: int, branch: int, step: int, key: str, inputs: str, held: Any = None) -> Call:
        return Call(*self.ask("call_begin", attempt, branch, step, key, inputs, held))

    def call_end(self, call: Call, value: object, cost: Mapping[str, float]) -> None:
        self.ask("call_end", call.id, value, dict(cost))

    def call_lost(self, call: Call, cost: Mapping[str, float], why: str) -> None:
        self.ask("call_lost", call.id, dict(cost), why)

    def add_paid(self, *, seconds: float = 0.0, steps: int = 0, cost: Mapping[str, float] | None = None) -> None:
        self.ask("add_paid", seconds=seconds, steps=steps, cost=dict(cost or {}))

    def end_run(self, *, state: str, outcome: Mapping[str, Any]) -> None:
        """The driver ends runs; a worker only its attempt."""

    def close(self) -> None:
        self.closed = True


REMOTE = frozenset(
    (
        "begin_attempt",
        "begin_branch",
        "branches_of",
        "decision",
        "end_attempt",
        "ensure_ended",
        "events",
        "hung",
        "mark_snapshot",
        "paid",
        "reopen_attempt",
        "reopen_run",
        "snapshot",
        "summaries",
        "summary",
        "supersede",
    )
)


class Worker(Conductor):
    """A conductor of one attempt: where it ends, the driver is told how, and decides what comes next."""

    outcome: dict[str, Any] | None = None

    def restart(self, decision: Decision) -> Instruction:
        end_attempt_row(self)
        self.tell(decision)
        return ENDED

    def finish(self, decision: Decision) -> None:
        self.tell(decision)

    def tell(self, decision: Decision) -> None:
        summary = self.machine.trace.attempts[-1]
        self.outcome = {"decision": to_json(decision, "end", summary.state), "rule": decision.rule}
        self.outcome["verdict"], self.outcome["warnings"] = self.verdict, list(self.warned)
        self.outcome["names"] = list(self.machine.trace.names)
        self.result = Result("finished", decision.succeeded, decision.reason, decision.rule, 0, 0.0, {}, [])


def work(task: Task, exchange: Exchange) -> None:
    """Run one attempt to its end and tell the driver how it ended."""
    writer = RemoteWriter(task, exchange)
    plan = task.plan
    rules = [Silent(rule) if is_of_run(rule) else rule for rule in plan.rules]
    journaled = task.snapshots_path is not None
    snapshots = plan.wants_snapshots(journaled)
    schedule = schedule_of(plan, snapshots)
    machine = Machine(rules, schedule=schedule, objective=objective_of(plan.rules, schedule))
    machine.trace.begun = task.number - 1
    machine.defers_origins = True
    worker = Worker(
        rules=rules,
        machine=machine,
        journal=writer,
        root_seed=task.root_seed,
        name=task.name,
        stream=events.Stream(),
        budget=None,
        journaled=True,
    )
    worker.writer_number = task.owner
    if snapshots:
        from dalsegno.core.store.retention import Keep

        keep = getattr(schedule, "keep", None) or Keep()
        worker.saver = Saver(worker, store_of(writer, journaled), keep)
    worker.promised_best = promised(plan.rules, machine)
    machine.saves_best = saves_best(plan, schedule, worker.promised_best)
    held = None
    if task.started_from is not None:
        held = held_from(writer.ask("snapshot_row", task.started_from), defaultdict(int))
    worker.next_attempt = (Origin.from_dict(task.origin), held)
    token = CURRENT.set(worker)
    error = None
    try:
        take_up(worker, False)
        if worker.result is None:
            with worker.watched(plan):
                if plan.is_function:
                    run_function(plan, worker)
                else:
                    run_process(plan, worker)
    except Cut:
        return
    except Exception as raised:  # the user's own, unanswered; or the engine's: the driver raises it as text
        import traceback

        error = [type(raised).__name__, str(raised), "".join(traceback.format_exception(raised))]
    finally:
        CURRENT.reset(token)
    writer.ask("ended", worker.outcome, error)
