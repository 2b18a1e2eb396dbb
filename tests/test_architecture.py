"""Who may import whom, how files are named and how long they may be: the lines of the house, held."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "dalsegno"
SPINE = {"core", "policies", "checkpoint"}
WINGS = {"training", "continual", "adapters", "reason", "control", "search", "serving"}
OUTSIDE = {"studies", "report", "cli"}
# What a part may take from the rest of the library; itself is always allowed.
ALLOWED = {
    "core": set(),
    "policies": {"core"},
    "checkpoint": {"core", "policies"},
    **{wing: SPINE | {"adapters"} for wing in WINGS},
    "report": SPINE | WINGS | {"catalog"},
}
# The one place where the spine looks outward: the default schedule of snapshots.
EXCEPTIONS = {("core/loops/opening.py", "dalsegno.policies")}
# Imported inside the functions that use them, so that a part without its extra can still be imported.
HEAVY = {
    *("torch", "scipy", "pandas", "numba", "ray", "sklearn", "matplotlib", "mlxtend", "optuna", "transformers"),
    *("pydantic", "tensorboardX", "safetensors", "cma"),
}
LIGHT_PARTS = SPINE | {"report", "cli", "catalog.py", "__init__.py", "__main__.py"}
BANNED_NAMES = {"util", "utils", "helper", "helpers", "misc", "manager", "common", "base_v2"}
LONGEST = 400
# Files that may be longer, each with the reason.
LONGER: dict[str, str] = {}
TEXTS = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".yml",
    ".yaml",
    ".c",
    ".html",
    ".css",
    ".js",
    ".json",
    ".cfg",
    ".sh",
    "",
}


class Import(NamedTuple):
    module: str
    at_module_level: bool
    line: int


def imports(file: Path, package: Path = PACKAGE) -> Iterator[Import]:
    """Every import of a file with its absolute name; what only a type checker reads is left out."""
    home = ("dalsegno", *file.relative_to(package).with_suffix("").parts)

    def walk(node: ast.AST, inside: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for other in child.orelse:
                    yield from walk(other, inside)
            elif isinstance(child, ast.Import):
                yield from (Import(alias.name, not inside, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                above = home[: -child.level] if child.level else ()
                module = ".".join([*above, *([child.module] if child.module else [])])
                if module == "dalsegno":  # `from dalsegno import policies` takes the part, not the root
                    yield from (Import(f"dalsegno.{a.name}", not inside, child.lineno) for a in child.names)
                else:
                    yield Import(module, not inside, child.lineno)
            else:
                deeper = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, inside or deeper)

    yield from walk(ast.parse(file.read_text(encoding="utf-8")), inside=False)


def sources(part: str = "") -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py"))


def part_of(module: str) -> str | None:
    """The part of the library that a module belongs to: ``core`` for ``dalsegno.core.trace``."""
    names = module.split(".")
    return names[1] if names[0] == "dalsegno" and len(names) > 1 else None


def crossings(file: Path, package: Path = PACKAGE) -> list[str]:
    name = file.relative_to(package).as_posix()
    home = name.split("/")[0]
    if home not in ALLOWED:
        return []
    known = SPINE | WINGS | OUTSIDE | {"catalog"}
    wrong = []
    for item in imports(file, package):
        part = part_of(item.module)
        excepted = any(
            name == where and item.module.startswith(what) and not item.at_module_level for where, what in EXCEPTIONS
        )
        if part in known and part != home and part not in ALLOWED[home] and not excepted:
            wrong.append(f"{name}:{item.line} imports {item.module}")
    return wrong


def written(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_core_imports_only_the_standard_library_and_numpy_at_module_level():
    wrong = [
        f"{file.relative_to(PACKAGE)}:{item.line} imports {item.module}"
        for file in sources("core")
        for item in imports(file)
        if item.at_module_level
        and item.module.split(".")[0] not in {"numpy", "dalsegno"}
        and item.module.split(".")[0] not in sys.stdlib_module_names
    ]
    assert wrong == []


def test_no_part_imports_one_that_it_may_not():
    assert [crossing for file in sources() for crossing in crossings(file)] == []


def test_every_exception_is_still_needed():
    needless = [
        (where, what)
        for where, what in EXCEPTIONS
        if not any(item.module.startswith(what) for item in imports(PACKAGE / where))
    ]
    assert needless == []


def heavy(file: Path, package: Path = PACKAGE) -> list[str]:
    name = file.relative_to(package)
    if name.parts[0] not in LIGHT_PARTS:
        return []
    return [
        f"{name}:{item.line} imports {item.module}"
        for item in imports(file, package)
        if item.at_module_level and item.module.split(".")[0] in HEAVY
    ]


def test_heavy_libraries_are_imported_inside_functions():
    assert [found for file in sources() for found in heavy(file)] == []


def test_the_check_itself_finds_a_heavy_import(tmp_path):
    text = "def f():\n    import torch\n\ntry:\n    import pandas as pd\nexcept ImportError:\n    pd = None"
    assert heavy(written(tmp_path, "report/page.py", text), tmp_path) == ["report/page.py:5 imports pandas"]


def test_nothing_imports_the_command_line_or_the_studies():
    wrong = [
        f"{file.relative_to(PACKAGE)}:{item.line} imports {item.module}"
        for file in sources()
        for item in imports(file)
        if part_of(item.module) in {"cli", "studies"}
        and file.relative_to(PACKAGE).parts[0] not in {"cli", "studies", "__main__.py"}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/trace.py", "from dalsegno.policies import luby"),
        ("core/trace.py", "def f():\n    import dalsegno.report.page"),
        ("core/trace.py", "from dalsegno import checkpoint"),
        ("core/loops/api.py", "from ...policies import luby"),
        ("core/loops/opening.py", "from dalsegno.policies import YoungDaly"),
        ("policies/luby.py", "import dalsegno.checkpoint"),
        ("search/pam.py", "from dalsegno.control import agent"),
        ("report/page.py", "class A:\n    from dalsegno.cli import main"),
    ],
)
def test_the_check_itself_finds_a_forbidden_import(tmp_path, name, text):
    assert crossings(written(tmp_path, name, text), tmp_path) != []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "core/trace.py",
            "from typing import *\nif TYPE_CHECKING:\n    import dalsegno.policies",
        ),
        ("core/loops/opening.py", "def f():\n    from dalsegno.policies import YoungDaly"),
        ("core/loops/api.py", "from ..plan import Plan"),
        ("search/pam.py", "from dalsegno.adapters import lora\nfrom dalsegno import checkpoint"),
    ],
)
def test_the_check_itself_lets_an_allowed_import_pass(tmp_path, name, text):
    assert crossings(written(tmp_path, name, text), tmp_path) == []


def tree() -> list[Path]:
    """Every text file of the tree that is ours: what runs, caches and builds leave behind is not."""
    folders = ("src", "tests", "docs", "benchmarks", ".ci")
    below = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    top = [path for path in ROOT.iterdir() if path.suffix in TEXTS - {""} or path.name in {"LICENSE", "Makefile"}]
    return sorted(path for path in [*below, *top] if path.suffix in TEXTS and path.is_file())


def test_no_file_is_named_after_nothing():
    wrong = [
        path.relative_to(ROOT).as_posix()
        for path in tree()
        if {part.removesuffix(path.suffix) for part in path.relative_to(ROOT).parts} & BANNED_NAMES
    ]
    assert wrong == []


def test_no_file_is_too_long():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in tree()
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST and name not in LONGER} == {}
    needless = [name for name in LONGER if lengths.get(name, 0) <= LONGEST]
    assert needless == [], "no longer too long: take it off the list"


# Written in pieces, so that this file does not hold what it looks for.
FOREIGN = re.compile(
    "|".join(
        [
            "/" + "work/|/tmp" + "/brief|/root" + "/|/opt" + "/(pypi|wheels)",
            r"\b(shared|cases|methods)" + r"/[\w*-]+\.md",
            r"\b(DESIGN|STYLE|ENVIRONMENT|BRIEF)" + r"\.md",
            r"\bcards?" + r" \d\d\b",
            r"\bissues" + " show",
            r"\bsub-?" + r"agents?\b|\bhelper" + " session",
            "python" + r"hosted\.org|\bpypi" + r"\.org|download\.py" + r"torch\.org",
        ]
    )
)


def test_no_file_speaks_of_where_it_was_written():
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:90]}"
        for path in tree()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert wrong == []


@pytest.mark.parametrize("text", ["see /" + "work/main/src", "DESIGN" + ".md", "card" + " 14", "issues" + " show 8"])
def test_the_check_itself_finds_such_words(text):
    assert FOREIGN.search(text)
