"""`import dalsegno` is cheap: it costs little more than NumPy and brings in nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
HEAVY = ("torch", "pandas", "numba", "ray", "scipy.stats", "pydantic", "rich", "typer", "apsw")
TIMED = """
import sys, time
start = time.process_time()
{statement}
print(time.process_time() - start)
"""


def python(program: str) -> str:
    paths = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(program: str) -> set[str]:
    return set(python(f"{program}\nimport sys\nprint(*sys.modules)").split())


# Names are imported at first use, so what they bring in is asked too.
@pytest.mark.parametrize("program", ["import dalsegno", "import dalsegno as ds; ds.Process; ds.Report; ds.Plan"])
@pytest.mark.parametrize("module", HEAVY)
def test_import_brings_in_no(module, program):
    assert module not in loaded_by(program)


# The second asks for what a run needs, so that nothing is only put off to the first use.
@pytest.mark.parametrize("statement", ["import dalsegno", "import dalsegno as ds; ds.run; ds.when; ds.Process"])
def test_import_takes_at_most_twice_as_long_as_numpy(statement):
    # CPU seconds of a fresh interpreter; the minimum of interleaved tries is least blurred by a busy machine.
    ours, numpys = [], []
    for _ in range(7):
        ours.append(float(python(TIMED.format(statement=statement))))
        numpys.append(float(python(TIMED.format(statement="import numpy"))))
    print(f"{statement}: {min(ours) * 1e3:.0f} ms; import numpy: {min(numpys) * 1e3:.0f} ms")
    assert min(ours) <= 2 * min(numpys)
