"""Chains of kills: a program is killed at random instants, started again each time, and at last left to finish.

While it runs, another program (this one) reads the journal: what it has seen acknowledged once must be there at the end.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field

import dalsegno as ds
from dalsegno.core.store.codec import encode
from dalsegno.core.store.directory import DirectoryStore

LOOK = 0.03  # seconds between two looks at the journal


@dataclass
class Seen:
    """Every decision and every named snapshot that was ever in the journal."""

    decisions: dict[int, tuple] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)

    def look(self, journal):
        if not journal.exists():
            return
        try:
            decisions, snapshots = (ds.Journal(journal).rows(table) for table in ("decisions", "snapshots"))
        except ds.JournalError:
            return  # it is being made
        for row in decisions:
            self.decisions[row["id"]] = plain(row)
        for row in snapshots:
            if row["label"] is not None:
                self.named[row["id"]] = row["label"]


def plain(row):
    return (
        row["sequence"],
        row["attempt"],
        row["branch"],
        row["step"],
        row["verb"],
        row["rule"],
        repr(row["action"]),
    )


@dataclass
class Chain:
    """What a chain of kills left behind."""

    kills: int
    told: dict
    seen: Seen
    journal: object


def killed_chain(start, folder, kills, random, longest):
    """Kill ``kills`` programs in a row, each at a random instant of at most ``longest`` seconds, then let one finish.

    ``start(journal, out)`` starts the program.  A program that ended before its kill is not counted as killed, and the
    chain ends with it.
    """
    journal, seen, done = folder / "runs.db", Seen(), 0
    for number in range(kills):
        program = start(journal, folder / f"out {number}")
        instant = time.monotonic() + random.uniform(0.0, longest)
        while program.alive and (left := instant - time.monotonic()) > 0:
            time.sleep(min(LOOK, left))
            if left > LOOK:
                seen.look(journal)
        program.kill()
        ended = program.ended()
        if ended.status != -9:
            assert ended.status == 0, ended.printed
            break
        done += 1
        seen.look(journal)
    told = start(journal, folder / "out at the end").ended().told
    return Chain(done, told, seen, journal)


# -- what a journal comes to ------------------------------------------------------------------------------------


def steps_that_count(journal):
    """The line that counts, without what no two runs share: ids, branches, seconds."""
    rows = ds.Journal(journal).rows("steps")
    return [
        {name: value for name, value in row.items() if name not in ("id", "branch", "seconds", "run")} for row in rows
    ]


def decisions_taken(journal):
    """Every decision in order: what, where, by which rule, what all rules saw, what it led to."""
    found = []
    for row in ds.Journal(journal).rows("decisions"):
        if row["superseded"]:
            continue
        action = row["action"]
        led = {
            name: action[name] for name in ("verb", "reason", "target_step", "changes", "own", "attempt", "succeeded")
        }
        found.append((row["attempt"], row["step"], row["verb"], row["rule"], row["saw"], led))
    return found


def final_state(journal):
    """The newest sound snapshot's step and a digest of every value of the process's and the generators' states in it."""
    (run,) = ds.Journal(journal).rows("runs")
    rows = [row for row in ds.Journal(journal).rows("snapshots") if row["state"] == "ok"]
    newest = max(rows, key=lambda row: row["sequence"])
    store = DirectoryStore(f"{journal}.snapshots", run["uid"])
    reader = store.open(newest["name"], newest["checksum"])
    reader.verify()
    digest = hashlib.sha256()
    for part in ("process", "generators"):
        text, arrays = encode(reader.get(part))
        digest.update(text.encode())
        for name in sorted(arrays):
            array = arrays[name]
            digest.update(
                name.encode() + bytes(memoryview(array.numpy() if hasattr(array, "numpy") else array).cast("B"))
            )
    return newest["step"], digest.hexdigest()


def outcome(journal, told):
    """All that a run with kills has to share with the same run left alone."""
    return {
        "result": told["result"],
        "digest": told["digest"],
        "steps": steps_that_count(journal),
        "decisions": decisions_taken(journal),
        "state": final_state(journal),
    }


def check_nothing_was_lost(chain):
    """Acknowledged decisions and named snapshots are still there as they were; no id was given twice; exact."""
    rows = ds.Journal(chain.journal).rows("decisions")
    now = {row["id"]: plain(row) for row in rows}
    assert {number: now.get(number) for number in chain.seen.decisions} == chain.seen.decisions
    assert [row["id"] for row in rows if row["superseded"]] == []
    named = {row["id"]: row for row in ds.Journal(chain.journal).rows("snapshots") if row["label"] is not None}
    assert {number: named[number]["state"] for number in chain.seen.named} == dict.fromkeys(chain.seen.named, "ok")
    ids = [row["id"] for row in ds.Journal(chain.journal).rows("steps", all=True)]
    assert len(ids) == len(set(ids))
    (run,) = ds.Journal(chain.journal).rows("runs")
    assert run["state"] == "finished" and chain.told["verdict"] == "exact", chain.told["warnings"]
