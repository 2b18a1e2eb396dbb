"""The launcher of programs under faults, and the shim that makes calls of the C library fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.faults.programs_run import Launcher

collect_ignore_glob = ["programs/*"]  # programs, not modules: each is started by its path

LIGHT = ("numpy", "apsw", "xxhash", "shown", "dalsegno.core.loops.api", "dalsegno.core.loops.portfolio")


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The path of the shim, built with gcc from ``shim.c``."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc to build the shim with")
    built = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).parent / "shim.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder in memory where there is one, for what a real disk would only make slower."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else tmp_path_factory.mktemp("room")) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def launcher():
    """Forks programs that need NumPy only."""
    one = Launcher(*LIGHT)
    yield one
    one.close()


@pytest.fixture(scope="module")
def torch_launcher():
    """Forks programs that need torch."""
    pytest.importorskip("torch")
    one = Launcher(*LIGHT, "torch", "torch.utils.data", "torch._dynamo")
    yield one
    one.close()


@pytest.fixture(scope="module")
def shim_launcher(shim):
    """Forks programs under the shim; it counts nothing until an order names a folder."""
    one = Launcher(*LIGHT, LD_PRELOAD=str(shim))
    yield one
    one.close()
