"""Check: does somebody's own program really resume? It is run undisturbed, then with kills, and the two are compared."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from dalsegno.core.journal import Journal
from dalsegno.core.store.comparison import compare
from dalsegno.core.trial import Trial

SUSPECTS_OF_STATE = (
    "a random generator of its own (numpy.random.default_rng, random.Random, torch.Generator) that is not kept",
    "a data loader whose place or shuffling is not part of the state",
    "an attribute or variable that changes from step to step and is not in state_dict or attempt.keep",
    "an optimizer, scheduler or scaler that is not kept",
    "code between two loops, or after the last one, that changes what is not kept (it runs again after a resume)",
    "the order in which a set gives its members, which no snapshot has",
)
SAID = 20  # of what a program says before it fails, as many lines are shown
SUSPECTS_OF_CHANCE = (
    "a generator seeded from the clock or the operating system instead of the attempt's seed",
    "threads or worker processes that finish in another order each time",
    "a metric that is a time or a memory reading",
    "kernels that are not deterministic (torch.use_deterministic_algorithms(True) finds them)",
)


@dataclass
class Finding:
    """What a check found: ``exact``, ``approximate`` (and where it first differs) or ``failed``.

    ``unresumed`` names runs that no kill struck (one that takes a single step, say): of them nothing is known.
    """

    verdict: str
    reason: str
    steps: int = 0
    kills: int = 0
    snapshots: int = 0
    first_step: int | None = None
    metric: str | None = None
    undisturbed: float | None = None
    resumed: float | None = None
    unresumed: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    usage: bool = False
    suspects: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return 0 if self.verdict == "exact" else 2 if self.usage else 3

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.reason}"]
        if self.first_step is not None:
            lines.append(
                f"  first difference: step {self.first_step}, {self.metric}: {self.undisturbed!r} undisturbed, "
                f"{self.resumed!r} after the kills"
            )
        lines += [f"  the end differs at {path}" for path in self.state[:5]]
        lines += [f"  not killed, and so not known: {run}" for run in self.unresumed]
        if self.suspects:
            lines.append("  the usual suspects:")
            lines += [f"  - {suspect}" for suspect in self.suspects]
        return "\n".join(lines)


Place = tuple[int, int, int]  # the run, counted from 0 as the program opens them; the attempt's number; the step


class Subject:
    """The program under check, started as often as needed with journals of the check's own."""

    def __init__(self, command: Sequence[str], folder: Path, steps: int, every: int, timeout: float) -> None:
        self.command, self.folder, self.steps, self.every, self.timeout = list(command), folder, steps, every, timeout

    def start(self, journal: str, kill_at: Place | None = None) -> subprocess.CompletedProcess[str]:
        trial = Trial(str(self.folder / journal), self.steps, self.every, kill_at)
        environment = {**os.environ, **trial.to_environment()}
        try:
            return subprocess.run(
                self.command, env=environment, capture_output=True, text=True, timeout=self.timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(self.command, 8, "", f"it did not end within {self.timeout:g} s")
        except OSError as error:
            return subprocess.CompletedProcess(self.command, 2, "", f"it cannot be started: {error}")

    def tables(self, journal: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The steps that count and the decisions of all runs in a journal."""
        file = Journal(self.folder / journal)
        decisions = [row for row in file.rows("decisions") if not row["superseded"]]
        return file.rows("steps"), decisions


def check(command: Sequence[str], *, steps: int = 50, kills: int = 3, seed: int = 0, timeout: float = 600.0) -> Finding:
    """Run ``command`` for ``steps`` steps undisturbed, twice, then with ``kills``, and compare journals and final states."""
    with tempfile.TemporaryDirectory(prefix="dalsegno-check-") as folder:
        subject = Subject(command, Path(folder), steps, max(steps // 6, 1), timeout)
        for journal in ("one.db", "two.db"):
            ended = subject.start(journal)
            if not (subject.folder / journal).exists():
                return trouble("the program began no run of dalsegno", ended, usage=ended.returncode == 2)
            if ended.returncode not in (0, 3):
                return trouble("the program failed without any kill", ended, usage=ended.returncode == 2)
        one, two = subject.tables("one.db"), subject.tables("two.db")
        chance = unlike(one, two)
        if chance is not None:
            chance.reason = "two undisturbed runs with the same seed differ: the program is not deterministic"
            chance.suspects = list(SUSPECTS_OF_CHANCE)
            return chance
        done = kill(subject, kills, one, seed)
        if isinstance(done, Finding):
            return done
        return verdict(subject, one, done)


def trouble(what: str, ended: subprocess.CompletedProcess[str], *, usage: bool = False, **more: Any) -> Finding:
    """A check that failed, with what the program said last."""
    said = ended.stderr.strip().splitlines()[-SAID:]
    if not said and ended.stdout.strip():
        said = [f"it printed {len(ended.stdout.splitlines())} lines and no error"]
    text = "\n    ".join(said) or "it said nothing"
    return Finding("failed", f"{what} (exit {ended.returncode}): {text}", usage=usage, **more)


def places_of(subject: Subject, steps: Sequence[Mapping[str, Any]], kills: int, seed: int) -> list[Place]:
    """Where the program is to be killed, in its order: at least once in every run, the rest where chance will have it."""
    attempts = {row["id"]: row["number"] for row in Journal(subject.folder / "one.db").rows("attempts")}
    runs = sorted({row["run"] for row in steps})
    everywhere = [(runs.index(row["run"]), attempts[row["attempt"]], row["step"]) for row in steps]
    draw = random.Random(seed)
    by_run = [[place for place in everywhere if place[0] == run] for run in range(len(runs))]
    # The last step of a run is its end, which may be saved already: only a run of one step is killed there.
    chosen = {draw.choice(places[:-1] or places) for places in by_run}
    others = [place for places in by_run for place in places[:-1] if place not in chosen]
    chosen.update(draw.sample(others, min(max(kills - len(chosen), 0), len(others))))
    return [place for place in everywhere if place in chosen]


def kill(subject: Subject, kills: int, one: Any, seed: int) -> list[Place] | Finding:
    """Start and kill the program at steps drawn by ``seed``, then let it end; the kills that struck."""
    struck: list[Place] = []
    for place in places_of(subject, one[0], kills, seed):
        ended = subject.start("killed.db", place)
        if ended.returncode == -signal.SIGKILL:
            struck.append(place)
        elif ended.returncode not in (0, 3):
            return trouble(f"after {kills_of(struck)} it does not resume", ended, steps=len(one[0]), kills=len(struck))
    ended = subject.start("killed.db")
    if ended.returncode not in (0, 3):
        return trouble(f"after {kills_of(struck)} it does not resume", ended, steps=len(one[0]), kills=len(struck))
    return struck


def kills_of(struck: Sequence[Place]) -> str:
    return f"{len(struck)} kill{'' if len(struck) == 1 else 's'}"


def verdict(subject: Subject, one: Any, struck: Sequence[Place]) -> Finding:
    taken, kills = len(one[0]), kills_of(struck)
    killed = subject.tables("killed.db")
    file = Journal(subject.folder / "killed.db")
    snapshots = len(file.rows("snapshots"))
    runs = file.rows("runs")
    unresumed = [
        f"{row['name']} (seed {row['seed']})" for place, row in enumerate(runs) if place not in {p[0] for p in struck}
    ]
    found = unlike(one, killed)
    states = state_differences(subject.folder / "one.db", subject.folder / "killed.db")
    states += endings_differ(subject.folder / "one.db", subject.folder / "killed.db")
    if found is None and not states and not struck:
        return Finding(
            "failed", "no kill struck, so that nothing is known; are there too few steps?", taken, 0, snapshots
        )
    if found is None and not states:
        what = "the same steps, decisions, results and final state, bit for bit"
        reason = f"{taken} step{'' if taken == 1 else 's'} with {kills} end as undisturbed: {what}"
        return Finding("exact", reason, taken, len(struck), snapshots, unresumed=unresumed)
    found = found or Finding("approximate", "")
    found.reason = f"{kills} change the result, so a resume does not restore everything"
    found.steps, found.kills, found.snapshots, found.state = taken, len(struck), snapshots, states
    found.suspects, found.unresumed = list(SUSPECTS_OF_STATE), unresumed
    return found


def endings_differ(one: Path, other: Path) -> list[str]:
    """Where the ends of runs and attempts differ: what they returned, their best, what they cost, how they ended."""
    found: list[str] = []
    for table, names in (
        ("runs", ("state", "succeeded", "reason", "steps", "cost", "value", "best", "returned")),
        ("attempts", ("number", "state", "steps", "cost", "returned")),
    ):
        rows = [Journal(path).rows(table) for path in (one, other)]
        if len(rows[0]) != len(rows[1]):
            found.append(f"the number of {table}: {len(rows[0])} undisturbed, {len(rows[1])} after the kills")
            continue
        for before, after in zip(*rows, strict=True):
            for name in names:
                compare(before.get(name), after.get(name), f"{table.removesuffix('s')}.{name}", found)
    return found


def unlike(one: Any, other: Any) -> Finding | None:
    """Where two tables of steps and decisions first differ."""
    for mine, theirs in zip(one[0], other[0], strict=False):
        for name in sorted({*mine, *theirs} - {"id", "run", "attempt", "branch", "seconds", "abandoned"}):
            before, after = mine.get(name), theirs.get(name)
            if before != after and not (before != before and after != after):
                return Finding(
                    "approximate", "", first_step=mine["step"], metric=name, undisturbed=before, resumed=after
                )
    if len(one[0]) != len(other[0]):
        step = min(len(one[0]), len(other[0])) + 1
        return Finding(
            "approximate", "", first_step=step, metric="number of steps", undisturbed=len(one[0]), resumed=len(other[0])
        )
    decided = [[(row["step"], row["verb"], row["rule"]) for row in table[1]] for table in (one, other)]
    for before, after in zip(*decided, strict=False):
        if before != after:
            return Finding("approximate", "", first_step=before[0], metric=f"decision {before[1]} / {after[1]}")
    return None


def state_differences(one: Path, other: Path) -> list[str]:
    """The paths at which the final snapshots of two journals differ."""
    states = [final_states(path) for path in (one, other)]
    if len(states[0]) != len(states[1]):
        return ["the number of runs with a final state"]
    found: list[str] = []
    for before, after in zip(*states, strict=True):
        compare(before, after, "state", found)
    return found


def final_states(path: Path) -> list[Any]:
    from dalsegno.core.store.directory import DirectoryStore

    file = Journal(path)
    states = []
    for run in file.rows("runs"):
        rows = [row for row in file.rows("snapshots", run["id"]) if row["state"] == "ok"]
        if rows:
            store = DirectoryStore(f"{path}.snapshots", run["uid"])
            states.append(store.open(rows[-1]["name"], rows[-1]["checksum"]).get("process"))
    return states


def main(argv: Sequence[str], *, steps: int = 50, kills: int = 3, seed: int = 0, as_json: bool = False) -> int:
    """The command ``dalsegno check``: prints the finding, returns its exit code (0 exact, 3 not, 2 where it cannot begin)."""
    command = list(argv)
    if len(command) == 1 and ":" in command[0]:
        command = [sys.executable, "-m", "dalsegno", "run", "--quiet", command[0]]
    found = check(command, steps=steps, kills=kills, seed=seed)
    print(json.dumps(without_infinities(asdict(found)), allow_nan=False) if as_json else found)
    return found.exit_code


def without_infinities(value: Any) -> Any:
    """Plain values that JSON can say: what is not finite as text."""
    if isinstance(value, float) and not isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, dict):
        return {key: without_infinities(item) for key, item in value.items()}
    return [without_infinities(item) for item in value] if isinstance(value, list) else value
