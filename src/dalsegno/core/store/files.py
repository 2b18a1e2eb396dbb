"""The files of a snapshot: their names, and the stamp by which each says what it belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from dalsegno.core.errors import UsageError
from dalsegno.core.store.layouts import Library
from dalsegno.core.store.snapshot import FORMAT

MANIFEST = "manifest.json"
REMOVED = "manifest.removed"  # what the manifest is called from the moment on at which its snapshot is being removed
UNFINISHED = ".unfinished"
LIBRARIES: tuple[Library, ...] = ("numpy", "torch")

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}")
RUN = re.compile(r"[A-Za-z0-9_-]{1,60}")  # no dot: in a folder's name the first one ends the run
STAMP = re.compile(r'\{"format":\d+,"run":"([^"]*)","snapshot":"([^"]*)","part":"([^"]*)","state":')


def check_name(what: str, name: str, pattern: re.Pattern[str] = NAME) -> str:
    """A name that may stand in the name of a file; UsageError otherwise."""
    if not isinstance(name, str) or not pattern.fullmatch(name) or name.endswith(UNFINISHED):
        raise UsageError(f"{what} {name!r} cannot stand in a file's name: expected letters, digits and _-.")
    return name


def json_file(part: str) -> str:
    return f"{part}.json"


def tensor_file(part: str, library: Library) -> str:
    return f"{part}.{library}.safetensors"


def stamp(run: str, snapshot: str, part: str) -> dict[str, str]:
    """What a tensor file says of itself in its metadata."""
    return {"format": str(FORMAT), "run": run, "snapshot": snapshot, "part": part}


def json_head(run: str, snapshot: str, part: str) -> str:
    """How the JSON file of a part begins; its state and a closing brace follow."""
    return f'{{"format":{FORMAT},"run":"{run}","snapshot":"{snapshot}","part":"{part}","state":'


def stamp_in(path: Path) -> Mapping[str, str]:
    """What a file says it belongs to; nothing where it says nothing that can be read."""
    try:
        with open(path, "rb") as file:
            if path.suffix == ".json":
                found = STAMP.match(file.read(1024).decode(errors="replace"))
                return dict(zip(("run", "snapshot", "part"), found.groups(), strict=True)) if found else {}
            length = int.from_bytes(file.read(8), "little")
            said = json.loads(file.read(min(length, 100_000_000))).get("__metadata__", {})
            return said if isinstance(said, dict) else {}
    except (OSError, ValueError, AttributeError):
        return {}
