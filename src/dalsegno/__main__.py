"""``python -m dalsegno``: the command line."""

from __future__ import annotations

from dalsegno.cli import main

if __name__ == "__main__":
    main()
