"""The global random generators of a program: seeded, captured and put back together."""

from __future__ import annotations

import random
import sys
from typing import Any


def seed(number: int) -> None:
    """Seed ``random``, numpy's global generator and torch's (CPU and CUDA), as far as they are loaded."""
    random.seed(number)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(number % 2**32)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(number)


def capture() -> dict[str, Any]:
    """The states of all global generators that are loaded, in types a snapshot can hold."""
    import numpy as np

    version, internal, gauss = random.getstate()
    words: dict[str, Any] = {"random": [version, np.array(internal, dtype=np.uint64), gauss]}
    words["numpy"] = np.random.get_state(legacy=False)
    if "torch" in sys.modules:
        import torch

        words["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            words["cuda"] = torch.cuda.get_rng_state_all()
    return words


def restore(state: dict[str, Any]) -> list[str]:
    """Put the generators back; returns what could not be."""
    import numpy as np

    version, internal, gauss = state["random"]
    random.setstate((version, tuple(int(word) for word in internal), gauss))
    np.random.set_state(state["numpy"])
    lost = []
    if "torch" in state:
        try:
            import torch
        except ImportError:
            return ["torch's generator"]
        torch.set_rng_state(state["torch"])
        if "cuda" in state:
            if torch.cuda.is_available() and torch.cuda.device_count() >= len(state["cuda"]):
                torch.cuda.set_rng_state_all(state["cuda"])
            else:
                lost.append("the CUDA generators")
    return lost
