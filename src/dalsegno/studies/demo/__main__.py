"""``python -m dalsegno.studies.demo``."""

from __future__ import annotations

import argparse

from dalsegno.studies.demo import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m dalsegno.studies.demo", description=main.__doc__)
    parser.add_argument("--out", default="dalsegno-demo", help="folder for everything that is written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object of figures and nothing else")
    options = parser.parse_args()
    raise SystemExit(main(json=options.json, out=options.out, seed=options.seed))
