"""What the four training runs show: steps lost, decisions and weights compared, and the tables of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dalsegno.studies.demo.killing import Course
from dalsegno.studies.demo.show import Show

KILLED, UNDISTURBED, EPOCHS, NO_RULE = "killed", "undisturbed", "epoch checkpoints", "no rule"


@dataclass(frozen=True)
class Loss:
    """What one kill cost, in steps taken again; ``epoch_measured`` is of the run with epoch checkpoints."""

    step: int
    went_on_at: int
    lost: int
    epoch_computed: int
    epoch_measured: int


def steps_lost(course: Course) -> list[tuple[int, int, int]]:
    """For each kill: the last step taken, the first step of the next program, and the steps taken again.

    Where the last step was gone back from, and the decision to do so had been journaled, nothing is taken
    again.
    """
    found = []
    for before, after in zip(course.lives, course.lives[1:], strict=False):
        last, first = before.lines[-1], after.lines[0]
        again = any((line.step, line.place) == (last.step, last.place) for line in after.lines)
        found.append((last.step, first.step, last.step - first.step + 1 if again else 0))
    return found


def steps_into_epoch(course: Course) -> list[int]:
    """For each kill: the steps since the epoch began, which a checkpoint at its start would have lost."""
    found, start = [], 0
    for life in course.lives:
        for line in life.lines:
            if line.place == 0:
                start = line.step - 1
        if life.killed:
            found.append(life.lines[-1].step - start)
    return found


def average_losses(course: Course, every: int) -> tuple[float, float]:
    """Steps a kill loses, averaged over all instants of a run: a snapshot every ``every`` steps, and an epoch."""
    start, since_snapshot, since_epoch = 0, 0, 0
    for line in course.lines:
        if line.place == 0:
            start = line.step - 1
        since_snapshot += line.step % every
        since_epoch += line.step - start
    return since_snapshot / len(course.lines), since_epoch / len(course.lines)


def losses_of(killed: Course, epochs: Course) -> list[Loss]:
    measured = [lost for _, _, lost in steps_lost(epochs)]
    rows = zip(steps_lost(killed), steps_into_epoch(killed), measured, strict=True)
    return [Loss(*kill, computed, real) for kill, computed, real in rows]


def line_that_counts(course: Course) -> dict[int, float]:
    """The loss at each step, as it was taken last."""
    taken = {line.step: line.loss for line in course.lines}
    last = course.lines[-1].step
    return {step: loss for step, loss in taken.items() if step <= last}


def decisions_of(journal: Path) -> list[dict[str, Any]]:
    """What was decided in the one run of a journal: where, what, by which rule, on what, back to where."""
    import dalsegno as ds

    found = []
    for row in ds.Journal(journal).rows("decisions"):
        if row["superseded"]:
            continue
        action = row["action"]
        left_out = [skip for _, role, _, skip, *_ in action["changes"] if role == "skip"]
        found.append(
            {
                "step": row["step"],
                "verb": row["verb"],
                "rule": row["rule"],
                "back_to": action["target_step"],
                "left_out": left_out,
                "saw": row["saw"],
            }
        )
    return found


def same_weights(one: Path, other: Path) -> tuple[bool, int]:
    """Whether two files hold the same tensors, bit for bit; and how many numbers that are."""
    from safetensors.numpy import load_file

    ours, theirs = load_file(one), load_file(other)
    same = ours.keys() == theirs.keys() and all(
        ours[name].dtype == theirs[name].dtype
        and ours[name].shape == theirs[name].shape
        and ours[name].tobytes() == theirs[name].tobytes()
        for name in ours
    )
    return same, sum(tensor.size for tensor in ours.values())


def outcome(course: Course) -> dict[str, Any]:
    """What the script printed last."""
    return dict(json.loads(course.output.strip().splitlines()[-1]))


def compare(folder: Path, courses: dict[str, Course], kills: int, every: int) -> dict[str, Any]:
    """Every figure of the part, from what the four runs left."""
    killed, undisturbed = courses[KILLED], courses[UNDISTURBED]
    places = {name: folder / name.replace(" ", "-") for name in courses}
    decisions = {name: decisions_of(Path(f"{places[name]}.db")) for name in courses}
    same, numbers = same_weights(Path(f"{places[KILLED]}.safetensors"), Path(f"{places[UNDISTURBED]}.safetensors"))
    going_back = [one for one in decisions[KILLED] if one["verb"] == "roll back"]
    spikes = {one["step"]: max(line.loss for line in killed.lines if line.step == one["step"]) for one in going_back}
    checks = {
        "killed as often as meant": sum(life.killed for life in killed.lives) == kills,
        "the spike was gone back from": bool(going_back),
        "final weights equal, bit for bit": same,
        "decisions equal": decisions[KILLED] == decisions[UNDISTURBED],
        "every loss on the line that counts equal": line_that_counts(killed) == line_that_counts(undisturbed),
        "resumes verified as exact": outcome(killed)["verdict"] == "exact",
    }
    return {
        "average_losses": average_losses(undisturbed, every),
        "losses": [asdict(loss) for loss in losses_of(killed, courses[EPOCHS])],
        "roll_backs": [{**one, "loss": spikes[one["step"]]} for one in going_back],
        "numbers_compared": numbers,
        "decisions_compared": len(decisions[UNDISTURBED]),
        "runs": {
            name: {
                "accuracy": outcome(course)["accuracy"],
                "steps": course.lines[-1].step,
                "steps_taken": len(course.lines),
                "programs": len(course.lives),
                "seconds": course.seconds,
                "roll_backs": sum(one["verb"] == "roll back" for one in decisions[name]),
            }
            for name, course in courses.items()
        },
        "checks": checks,
        "journal": str(Path(f"{places[KILLED]}.db")),
    }


def print_part(show: Show, figures: dict[str, Any]) -> None:
    often, seldom = figures["average_losses"]
    show.table(
        "What each SIGKILL cost, in steps that had to be taken again",
        ["killed at step", "went on at", "lost", "plain epoch checkpoints: computed", "measured"],
        [
            [row[name] for name in ("step", "went_on_at", "lost", "epoch_computed", "epoch_measured")]
            for row in figures["losses"]
        ],
        "Measured: a run with a snapshot at the end of an epoch only, killed at the same steps.\n"
        f"Averaged over all instants at which a kill could have come: {often:.0f} steps are lost, "
        f"{seldom:.0f} with epoch checkpoints.",
    )
    show.table(
        "What each spike of the loss led to",
        ["spike at step", "loss", "back to step", "batches left out"],
        [
            [
                row["step"],
                f"{row['loss']:.1f}",
                row["back_to"],
                ", ".join(f"{a} to {b - 1}" for a, b in row["left_out"][-1:]),
            ]
            for row in figures["roll_backs"]
        ],
        "Batches are counted over all epochs, from 0.",
    )
    show.table(
        "The four runs",
        ["run", "test accuracy", "steps", "steps taken", "programs", "went back", "seconds"],
        [
            [
                name,
                f"{run['accuracy']:.1%}",
                run["steps"],
                run["steps_taken"],
                run["programs"],
                run["roll_backs"],
                f"{run['seconds']:.1f}",
            ]
            for name, run in figures["runs"].items()
        ],
    )
    show.say("")
    show.say(
        f"Killed against undisturbed: {figures['numbers_compared']:,} weights and "
        f"{figures['decisions_compared']} decisions compared."
    )
    for check, held in figures["checks"].items():
        show.check(check, held)
