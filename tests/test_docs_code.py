"""Every code block of README and docs does what it says: Python blocks run, and commands exist.

All Python blocks of a page are one program. A comment just above a block, ``<!-- not run: reason -->``, takes a Python
block out; ``<!-- run -->`` has the ``dalsegno`` commands of a shell block run as well, after the page's Python and in
its folder. The site is built too.
"""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from dalsegno.catalog import systems

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
RUN = "<!-- run -->"
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w+-]*)[^`]*$")
MOST_NOT_RUN = 3
SHELLS = {"bash", "console", "sh", "shell"}
# What a reader has, besides the package's own command.
TOOLS = {"cd", "git", "make", "pip", "python", "source", "kill", "ls", "torchrun"}


class Block(NamedTuple):
    language: str
    line: int
    text: str
    above: str

    @property
    def not_run(self) -> bool:
        return bool(NOT_RUN.search(self.above))


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, those indented under a list or an admonition too."""
    found: list[Block] = []
    lines = page.splitlines()
    position = 0
    while position < len(lines):
        opening = FENCE.match(lines[position])
        if opening is None:
            position += 1
            continue
        start = position + 1
        end = start
        while end < len(lines) and lines[end].strip() != opening["fence"]:
            end += 1
        if end == len(lines):
            raise ValueError(f"the block that begins in line {start} is never closed")
        above = next((line for line in reversed(lines[:position]) if line.strip()), "")
        indent = len(opening["indent"])
        text = "\n".join(line[indent:] for line in lines[start:end])
        found.append(Block(opening["language"], start + 1, text, above))
        position = end + 1
    return found


def program(page: str) -> str:
    """The Python blocks of a page as one program whose line numbers are the page's."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language in {"python", "py"} and not block.not_run:
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n"


def commands(page: str, marked_only: bool = False) -> list[str]:
    """The command lines of a page's shell blocks, without comments and prompts, and without output."""
    found = []
    for block in blocks(page):
        if block.language not in SHELLS or (marked_only and block.above.strip() != RUN):
            continue
        joined = block.text.replace("\\\n", " ")
        prompted = any(line.startswith("$ ") for line in joined.splitlines())
        for line in joined.splitlines():
            if prompted and not line.startswith("$ "):
                continue
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words:
                found.append(shlex.join(words))
    return found


def environment() -> dict[str, str]:
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "COLUMNS": "200"}


@cache
def help_of(*subcommand: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dalsegno", *subcommand, "--help"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


def targets() -> set[str]:
    """The targets of the Makefile that a reader may ask for."""
    declared = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared is not None
    return set(declared[1].split())


def fault(command: str) -> str | None:
    """What is wrong with a command of the docs, or None: an unknown program, subcommand, option or target."""
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    tool = Path(words[0]).name if words else ""
    if tool == "make":
        unknown = {word for word in words[1:] if "=" not in word and word[0] != "-"} - targets()
        return f"no target {sorted(unknown)}" if unknown else None
    if words[:3] == ["python", "-m", "dalsegno"]:
        words = words[2:]
        tool = "dalsegno"
    if tool != "dalsegno":
        return None if tool in TOOLS else f"unknown program {tool!r}"
    if len(words) == 1 or words[1].startswith("-"):
        return None if help_of() else "dalsegno --help fails"
    shown = help_of(words[1])
    if not shown:
        return f"no subcommand {words[1]!r}"
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    asked = [word.split("=")[0] for word in own if word.startswith("--") and word != "--help"]
    missing = [option for option in asked if not re.search(rf"{re.escape(option)}\b", shown)]
    return f"no option {missing}" if missing else None


def named(has: Callable[[str], object]) -> list[pytest.ParameterSet]:
    """The pages of whose text this is true, each as a parameter that shows its path."""
    return [
        pytest.param(page, id=page.relative_to(ROOT).as_posix())
        for page in PAGES
        if has(page.read_text(encoding="utf-8"))
    ]


def checked(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def run_python(page: Path, folder: Path) -> None:
    script = folder / f"{page.stem.replace('-', '_')}.py"
    script.write_text(program(page.read_text(encoding="utf-8")), encoding="utf-8")
    checked([sys.executable, script.name], folder)


@pytest.mark.parametrize("page", named(lambda text: program(text).strip()))
def test_python_blocks_of_a_page_run(page, tmp_path):
    run_python(page, tmp_path)


@pytest.mark.parametrize("page", named(lambda text: commands(text, marked_only=True)))
def test_marked_commands_of_a_page_run_after_its_python(page, tmp_path):
    run_python(page, tmp_path)
    for command in commands(page.read_text(encoding="utf-8"), marked_only=True):
        own, *words = shlex.split(command)
        assert own == "dalsegno", f"{command}: only dalsegno's own commands are run"
        checked([sys.executable, "-m", "dalsegno", *words], tmp_path)


@pytest.mark.parametrize("page", named(commands))
def test_commands_of_a_page_exist(page):
    wrong = {command: fault(command) for command in commands(page.read_text(encoding="utf-8"))}
    assert {command: why for command, why in wrong.items() if why} == {}


# What a browser would fetch by itself when it opens a page; a link that a reader may follow is none.
FETCHED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']?(https?:[^"'\s>]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    checked([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)], ROOT)
    return folder


@pytest.mark.xdist_group("site")
def test_site_builds_strictly_and_fetches_nothing_from_elsewhere(site):
    fetched = {
        f"{page.relative_to(site)}: {address}"
        for page in site.rglob("*.html")
        for address in FETCHED.findall(page.read_text(encoding="utf-8"))
    }
    assert fetched == set()


@pytest.mark.xdist_group("site")
def test_site_has_every_system_of_the_catalog(site):
    page = (site / "systems" / "index.html").read_text(encoding="utf-8")
    assert [system.name for system in systems() if html.escape(system.name) not in page] == []


def test_at_most_three_blocks_are_not_run():
    skipped = [
        f"{page.relative_to(ROOT)}:{block.line}"
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.not_run
    ]
    assert len(skipped) <= MOST_NOT_RUN, skipped


PAGE = """
Text.

```python
a = 1
```

<!-- not run: needs a cluster -->

```python
raise RuntimeError
```

- In a list:

    ```python title="b.py"
    b = a + 1
    ```

```console
$ make test  # all of them
12 passed
$ dalsegno show \\
    --journal runs.db
```

<!-- run -->

```bash
dalsegno systems
```
"""


def test_a_page_becomes_one_program_with_the_lines_of_the_page():
    assert program(PAGE).splitlines() == [""] * 4 + ["a = 1"] + [""] * 11 + ["b = a + 1"]


def test_commands_are_read_without_prompt_output_and_comment():
    assert commands(PAGE) == ["make test", "dalsegno show --journal runs.db", "dalsegno systems"]


def test_only_marked_commands_are_run():
    assert commands(PAGE, marked_only=True) == ["dalsegno systems"]


def test_a_block_that_is_never_closed_is_an_error():
    with pytest.raises(ValueError, match="line 1 is never closed"):
        blocks("```python\na = 1\n")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("make nothing", "no target"),
        ("frobnicate --now", "unknown program"),
        ("dalsegno nothing", "no subcommand"),
        ("dalsegno systems --nothing", "no option"),
    ],
)
def test_a_command_that_does_not_exist_is_found(command, why):
    assert (fault(command) or "").startswith(why)


@pytest.mark.parametrize("command", ["make test", "CI=1 make demo", "pip install dalsegno", "dalsegno systems --help"])
def test_a_command_that_exists_passes(command):
    assert fault(command) is None
