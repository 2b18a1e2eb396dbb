"""Check: does somebody's own program really resume? It is run undisturbed, then with kills, and the two are compared."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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
)
SUSPECTS_OF_CHANCE = (
    "a generator seeded from the clock or the operating system instead of the attempt's seed",
    "threads or worker processes that finish in another order each time",
    "a metric that is a time or a memory reading",
    "kernels that are not deterministic (torch.use_deterministic_algorithms(True) finds them)",
)


@dataclass
class Finding:
    """What a check found: ``exact``, ``approximate`` (and where it first differs) or ``failed``."""

    verdict: str
    reason: str
    steps: int = 0
    kills: int = 0
    snapshots: int = 0
    first_step: int | None = None
    metric: str | None = None
    undisturbed: float | None = None
    resumed: float | None = None
    state: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return 0 if self.verdict == "exact" else 3

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.reason}"]
        if self.first_step is not None:
            lines.append(
                f"  first difference: step {self.first_step}, {self.metric}: {self.undisturbed!r} undisturbed, "
                f"{self.resumed!r} after the kills"
            )
        lines += [f"  final state differs at {path}" for path in self.state[:5]]
        if self.suspects:
            lines.append("  the usual suspects:")
            lines += [f"  - {suspect}" for suspect in self.suspects]
        return "\n".join(lines)


class Subject:
    """The program under check, started as often as needed with journals of the check's own."""

    def __init__(self, command: Sequence[str], folder: Path, steps: int, every: int, timeout: float) -> None:
        self.command, self.folder, self.steps, self.every, self.timeout = list(command), folder, steps, every, timeout

    def start(self, journal: str, kill_after: int = 0) -> subprocess.CompletedProcess[str]:
        trial = Trial(str(self.folder / journal), self.steps, self.every, kill_after)
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
                said = ended.stderr.strip().splitlines()
                return Finding(
                    "failed",
                    f"the program began no run of dalsegno (exit {ended.returncode}): "
                    + (said[-1] if said else "it said nothing"),
                )
            if ended.returncode not in (0, 3):
                said = ended.stderr.strip().splitlines()
                return Finding(
                    "failed",
                    f"the program failed without any kill (exit {ended.returncode}): " + (said[-1] if said else ""),
                )
        one, two = subject.tables("one.db"), subject.tables("two.db")
        chance = unlike(one, two)
        if chance is not None:
            chance.reason = "two undisturbed runs with the same seed differ: the program is not deterministic"
            chance.suspects = list(SUSPECTS_OF_CHANCE)
            return chance
        taken = len(one[0])
        done = kill(subject, kills, taken, seed)
        if isinstance(done, Finding):
            return done
        return verdict(subject, one, taken, done)


def kill(subject: Subject, kills: int, taken: int, seed: int) -> int | Finding:
    """Start and kill the program at steps drawn by ``seed``, then let it end; the number of kills that struck."""
    places = sorted(random.Random(seed).sample(range(1, max(taken, 2)), min(kills, max(taken - 1, 1))))
    struck = resumed_at = 0
    for place in places:
        ended = subject.start("killed.db", kill_after=max(place - resumed_at, 1))
        if ended.returncode != -signal.SIGKILL:
            break
        struck += 1
        resumed_at = place - place % subject.every  # the newest snapshot before it, where the next program goes on
    ended = subject.start("killed.db")
    if ended.returncode not in (0, 3):
        said = ended.stderr.strip().splitlines()
        return Finding(
            "failed",
            f"after {struck} kills it does not resume (exit {ended.returncode}): " + (said[-1] if said else ""),
            taken,
            struck,
        )
    return struck


def verdict(subject: Subject, one: Any, taken: int, struck: int) -> Finding:
    killed = subject.tables("killed.db")
    snapshots = len(Journal(subject.folder / "killed.db").rows("snapshots"))
    found = unlike(one, killed)
    states = state_differences(subject.folder / "one.db", subject.folder / "killed.db")
    if found is None and not states:
        reason = f"{taken} steps with {struck} kills end as undisturbed: the same steps, decisions and final state, bit for bit"
        return Finding("exact", reason, taken, struck, snapshots)
    found = found or Finding("approximate", "")
    found.reason = f"{struck} kills change the result, so a resume does not restore everything"
    found.steps, found.kills, found.snapshots, found.state = taken, struck, snapshots, states
    found.suspects = list(SUSPECTS_OF_STATE)
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
    """The command ``dalsegno check``: prints the finding, returns its exit code (0 exact, 3 not)."""
    command = list(argv)
    if len(command) == 1 and ":" in command[0]:
        command = [sys.executable, "-m", "dalsegno", "run", "--quiet", command[0]]
    found = check(command, steps=steps, kills=kills, seed=seed)
    print(json.dumps(asdict(found)) if as_json else found)
    return found.exit_code
