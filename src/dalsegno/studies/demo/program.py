"""The demonstration from its first line to its last."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.studies.demo import search, training
from dalsegno.studies.demo.show import Show

MARK = ".dalsegno-demo"  # in a folder that a demonstration made, and may therefore empty


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    as_json: bool = False,
    train: training.Setting | None = None,
    solve: search.Setting | None = None,
) -> int:
    """Both parts and the closing lines; 0 if every check held. ``train`` and ``solve`` set other sizes."""
    began = time.monotonic()
    show = Show(quiet=as_json)
    out = out.resolve()
    clear(out)
    show.say(f"Everything below is done now, on this machine, and written to {out}.")
    figures: dict[str, Any] = {
        "training": training.run_part(show, out / "training", train or training.Setting(seed=seed)),
        "search": search.run_part(show, out / "search", solve or search.Setting(seed=seed)),
    }
    checks = {**figures["training"]["checks"], **figures["search"]["checks"]}
    figures["pages"] = write_pages(out, figures)
    figures["seconds"] = time.monotonic() - began
    figures["held"] = all(checks.values())
    (out / "figures.json").write_text(json.dumps(figures, indent=1))
    close(show, out, figures, checks)
    if as_json:
        print(json.dumps(figures))
    return 0 if figures["held"] else 1


def clear(out: Path) -> None:
    """Make the folder, or empty what an earlier demonstration left in it (the cached images stay)."""
    mark = out / MARK
    if out.exists() and not mark.exists() and any(out.iterdir()):
        raise UsageError(f"{out} holds files that are not of a demonstration: give an empty folder, or a new name")
    out.mkdir(parents=True, exist_ok=True)
    mark.touch()
    for part in ("training", "search"):
        shutil.rmtree(out / part, ignore_errors=True)
        (out / part).mkdir()


def write_pages(out: Path, figures: dict[str, Any]) -> dict[str, str]:
    """A page of the killed training run, and one that compares the journaled searches of the three policies."""
    from dalsegno.report import page

    return {
        part: str(page.write(figures[part]["journal"], None, out / f"{part}.html")) for part in ("training", "search")
    }


def close(show: Show, out: Path, figures: dict[str, Any], checks: dict[str, bool]) -> None:
    show.heading("3  What to look at, and what to type next")
    for part, path in figures["pages"].items():
        show.say(f"The page of the {part} part:  {path}")
    journal = figures["training"]["journal"]
    search_journal = figures["search"]["journal"]
    show.say("")
    for command, use in (
        (f"dalsegno show {journal}:1", "the killed run: attempts, decisions with what they saw, snapshots"),
        (f"dalsegno compare {search_journal}", "the policies side by side"),
        ("dalsegno check -- python your_script.py", "whether a script of yours survives a kill"),
    ):
        show.say(f"  {command}\n      {use}")
    failed = [check for check, held in checks.items() if not held]
    show.say("")
    if failed:
        show.say(f"[bold red]{len(failed)} of {len(checks)} checks did not hold:[/] " + "; ".join(failed))
    else:
        show.say(
            f"All {len(checks)} checks held. {figures['seconds']:.0f} s in all. "
            f"Every figure is in {out / 'figures.json'}."
        )
