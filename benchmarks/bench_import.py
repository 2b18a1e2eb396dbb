"""python benchmarks/bench_import.py

What `import dalsegno` costs, beside `import numpy` in the same run; the best of ten programs each.
"""

from __future__ import annotations

import subprocess
import sys
import time


def seconds(statement: str) -> float:
    """The best of ten programs, less that of an empty program."""
    best = float("inf")
    for _ in range(10):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        best = min(best, time.perf_counter() - begun)
    return best


def main() -> int:
    print(__doc__.splitlines()[0], "\n")
    empty = seconds("pass")
    numpy = seconds("import numpy") - empty
    print("what                                    ms   / import numpy   target")
    for what in ("import dalsegno", "import dalsegno; dalsegno.run; dalsegno.when; dalsegno.checkpoint"):
        own = seconds(what) - empty
        print(f"{what[:36]:36} {own * 1000:6.1f}   {own / numpy:14.2f}   2")
    print(f"{'import numpy':36} {numpy * 1000:6.1f}   {1:14.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
