"""Costly calls: sent is committed before a call is made, its value before it is used, so that none is made twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dalsegno.core.journal.values import dumps, loads


@dataclass(slots=True)
class Call:
    """A costly call as the journal knows it: ``new``, ``in flight`` if a program died in it, or ``done``."""

    id: int
    state: str
    idempotency_key: str
    inputs_hash: str
    value: Any = None
    cost: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)  # what a budget set aside for it, while its cost is unknown


Place = tuple[int, int, int, str]  # attempt, branch, step, key


def begin(writer: Any, place: Place, inputs_hash: str, held: Mapping[str, float]) -> Call:
    """Commit that a call is about to be sent, or say what is known of it from before.

    A call that was in flight when a program died keeps its idempotency key, so that a service that honours it does the
    work once.
    """
    sql = (
        "SELECT id, state, idempotency_key, inputs, value, cost, held FROM calls"
        " WHERE run = ? AND attempt = ? AND branch = ? AND step = ? AND key = ?"
    )
    known = writer.connection.rows(sql, (writer.run_id, *place))
    if known:
        ((identifier, state, idempotency_key, inputs, value, cost, holding),) = known
        if state == "done":
            return Call(identifier, state, idempotency_key, inputs, loads(value), loads(cost))
        if state == "unsavable":
            return Call(identifier, state, idempotency_key, inputs, loads(value), loads(cost))
        writer.event("UPDATE calls SET sent = sent + 1 WHERE id = ?", (identifier,))
        return Call(identifier, "in flight", idempotency_key, inputs, held=loads(holding))
    idempotency_key = idempotency_key_of(writer.uid, place)
    identifier = writer.event(
        "INSERT INTO calls (run, attempt, branch, step, key, inputs, idempotency_key, state, sent, held, began)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'sent', 1, ?, ?)",
        (writer.run_id, *place, inputs_hash, idempotency_key, dumps(dict(held)), time.time()),
    )
    return Call(identifier, "new", idempotency_key, inputs_hash)


def state_of(writer: Any, place: Place) -> str:
    """``new`` for a call that was never sent, else ``sent`` or ``done``."""
    sql = "SELECT state FROM calls WHERE run = ? AND attempt = ? AND branch = ? AND step = ? AND key = ?"
    found = writer.connection.rows(sql, (writer.run_id, *place))
    return str(found[0][0]) if found else "new"


def idempotency_key_of(uid: str, place: Place) -> str:
    """The same for the same call of the same run, in every program that makes it; no other call has it."""
    return hashlib.blake2b("\0".join((uid, *map(str, place))).encode(), digest_size=16).hexdigest()


def end(writer: Any, identifier: int, value: object, cost: Mapping[str, float]) -> None:
    """Make a call's value durable; it may be used after this."""
    writer.event(
        "UPDATE calls SET state = 'done', value = ?, cost = ?, ended = ? WHERE id = ?",
        (dumps(value), dumps(dict(cost)), time.time(), identifier),
    )


def lose(writer: Any, identifier: int, cost: Mapping[str, float], why: str) -> None:
    """Note that a call was answered by something that cannot be kept, and what it cost."""
    writer.event(
        "UPDATE calls SET state = 'unsavable', value = ?, cost = ?, ended = ? WHERE id = ?",
        (dumps(why), dumps(dict(cost)), time.time(), identifier),
    )


def spent(writer: Any) -> tuple[dict[str, float], dict[str, float]]:
    """What all calls of the run have cost, and what calls of which no end is known still hold, by unit."""
    used: dict[str, float] = {}
    holding: dict[str, float] = {}
    for state, held, cost in writer.connection.rows(
        "SELECT state, held, cost FROM calls WHERE run = ?", (writer.run_id,)
    ):
        into, amounts = (used, loads(cost)) if state in ("done", "unsavable") else (holding, loads(held))
        for unit, amount in amounts.items():
            into[unit] = into.get(unit, 0.0) + amount
    return used, holding


class CallRows:
    """The costly calls of a run, as its writer keeps them."""

    def call_begin(
        self, attempt: int, branch: int, step: int, key: str, inputs_hash: str, held: Mapping[str, float] | None = None
    ) -> Call:
        """Commit that a call is about to be sent; says what is known of it from before."""
        return begin(self, (attempt, branch, step, key), inputs_hash, held or {})

    def call_state(self, attempt: int, branch: int, step: int, key: str) -> str:
        """``new`` for a call that was never sent, else ``sent`` or ``done``."""
        return state_of(self, (attempt, branch, step, key))

    def call_end(self, call: Call, value: object, cost: Mapping[str, float]) -> None:
        """Make the value of a call durable; it may be used after this."""
        end(self, call.id, value, cost)

    def call_lost(self, call: Call, cost: Mapping[str, float], why: str) -> None:
        """A call was answered by something that cannot be kept."""
        lose(self, call.id, cost, why)

    def calls_spent(self) -> tuple[dict[str, float], dict[str, float]]:
        """What all calls of the run have cost, and what calls of unknown cost still hold."""
        return spent(self)
