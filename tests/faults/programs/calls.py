"""A script in the inline form that makes costly calls; the outside world keeps its own list of those that reached it."""

from __future__ import annotations

import os
import random
import sys
import time

from shown import quietly, show

import dalsegno as ds

RULES = {
    "steps": lambda: [
        ds.stop(ds.when.spent(steps=120)),
        ds.roll_back(ds.when.above("answer", 0.92), then=ds.changes.scale("settings.heat", 0.9), limit=50),
        ds.adapt(ds.when.every(steps=10), ds.changes.scale("settings.heat", 0.95)),
        ds.restart(ds.when.elapsed(steps=45)),
    ],
    "clock": lambda: [
        ds.stop(ds.when.spent(seconds=0.9)),
        ds.roll_back(ds.when.above("answer", 0.97), then=ds.changes.scale("settings.heat", 0.9), limit=50),
        ds.adapt(ds.when.every(seconds=0.06), ds.changes.scale("settings.heat", 0.95)),
        ds.restart(ds.when.elapsed(seconds=0.3)),
    ],
}


def note(outside, word, key):
    """One line to the outside world, there for good before anything else happens."""
    os.write(outside, f"{word} {key}\n".encode())


def main(journal, rules="steps", world=None):
    quietly()
    outside = os.open(world or f"{journal}.world", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    settings, heard = {"heat": 1.0}, []
    for attempt in (
        run := ds.attempts(
            rules=RULES[rules](),
            checkpoint=ds.checkpoint.Every(steps=6, keep=ds.checkpoint.Keep(last=1)),
            journal=journal,
            seed=5,
            name="calls",
        )
    ):
        with attempt:
            settings, heard = {"heat": 1.0}, []
            attempt.keep(settings=settings, heard=heard)
            for step, question in attempt.over(range(1000)):
                key = []

                def ask(idempotency_key, question=question, key=key, heat=settings["heat"], number=attempt.number):
                    key.append(idempotency_key)
                    note(outside, "sent", idempotency_key)
                    time.sleep(0.002)
                    drawn = random.Random(f"{question} {heat} {number}")
                    return {"answer": heat * drawn.random(), "question": question}

                said = attempt.once("ask", ask, inputs=question, cost={"tokens": 7})
                if key:
                    note(outside, "used", key[0])
                heard.append(said["answer"] + random.random())
                if len(heard) % 15 == 7:
                    attempt.snapshot(f"heard {len(heard)}")
                step.report(answer=said["answer"])
    show(run.result, settings, heard)


if __name__ == "__main__":
    main(*sys.argv[1:])
