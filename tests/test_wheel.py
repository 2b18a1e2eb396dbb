"""The wheel works where nothing else is: built, installed into an empty environment, and used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "dalsegno"
pytestmark = pytest.mark.xdist_group("wheel")  # one worker builds once for all of these


def checked(*command: str | Path, cwd: Path) -> str:
    # Nothing of the environment that runs the tests may reach the one that is tested.
    foreign = ("PYTHON", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    checked(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel, tmp_path_factory):
    """The programs' folder of an environment that holds the wheel and what it requires, and no more."""
    folder = tmp_path_factory.mktemp("empty")
    checked(sys.executable, "-m", "venv", folder, cwd=folder)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    checked(*pip, "--prefer-binary", "-c", ROOT / "constraints.txt", wheel, cwd=folder)
    return folder / "bin"


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there
    assert {"dalsegno/catalog.toml", "dalsegno/py.typed"} <= held


def test_wheel_says_licence_python_and_version(metadata):
    version = re.search(r'^__version__ = "(.+)"$', (PACKAGE / "__init__.py").read_text(), re.MULTILINE)
    assert version is not None
    said = (metadata["Version"], metadata["License-Expression"], metadata["Requires-Python"])
    assert said == (version[1], "Apache-2.0", ">=3.11")


def test_every_requirement_is_pinned_and_explained(metadata):
    required = {re.split(r"[^\w-]", line)[0].lower() for line in metadata.get_all("Requires-Dist", [])}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower()
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for name in required - {"dalsegno"}:
        assert re.search(rf"^{re.escape(name)}==", pins, re.MULTILINE), f"{name} is not in constraints.txt"
        assert re.search(rf"\b{re.escape(name)}\b", reasons), f"{name} is not in docs/dependencies.md"


def test_installed_package_has_its_data_and_its_command(empty, tmp_path):
    listed = checked(
        empty / "python", "-c", "from dalsegno.catalog import systems\nprint(len(systems()))", cwd=tmp_path
    )
    assert listed.strip() == "64"
    assert "FasterPAM" in checked(empty / "dalsegno", "systems", cwd=tmp_path)


def test_installed_package_is_typed(empty, tmp_path):
    asked = "from importlib.resources import files\nprint(files('dalsegno').joinpath('py.typed').is_file())"
    assert checked(empty / "python", "-c", asked, cwd=tmp_path).strip() == "True"


def test_first_example_of_the_readme_runs_there(empty, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert example is not None, "the README has no Python example"
    (tmp_path / "example.py").write_text(example[1], encoding="utf-8")
    checked(empty / "python", "example.py", cwd=tmp_path)
