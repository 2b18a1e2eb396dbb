"""The demonstration: training that is killed and goes wrong, a search with a heavy tail, on real input.

``python -m dalsegno.studies.demo`` (or ``dalsegno demo``) takes about two minutes on two cores.
"""

from __future__ import annotations

from pathlib import Path


def main(json: bool = False, out: str | Path = "dalsegno-demo", seed: int = 0) -> int:
    """Run the demonstration into ``out``; 0 if every check held, else 1. ``json`` prints figures only."""
    from dalsegno.studies.demo.program import run_demo

    return run_demo(Path(out), seed=seed, as_json=json)
