"""The global random generators of a program: seeded, captured and put back together.

They are ``random``'s, NumPy's legacy one and, once torch has been imported, torch's on the host and on CUDA devices.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def seed(seed: int) -> None:
    """Seed all of them from one number, each with a stream of its own.

    >>> seed(7); first = random.random(), float(np.random.random())
    >>> seed(7); first == (random.random(), float(np.random.random()))
    True
    """
    for_python, for_numpy, for_torch = np.random.SeedSequence(seed).spawn(3)
    random.seed(int.from_bytes(for_python.generate_state(8).tobytes(), "little"))
    np.random.seed(for_numpy.generate_state(8))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(int(for_torch.generate_state(1, np.uint64)[0] >> np.uint64(1)))  # CUDA's too


def capture() -> dict[str, Any]:
    """Their states, in types that a snapshot can hold."""
    state: dict[str, Any] = {"random": random.getstate(), "numpy": np.random.get_state(legacy=False)}
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            state["cuda"] = torch.cuda.get_rng_state_all()
        else:
            state["cuda seed"] = torch.initial_seed()  # what a device's generator will begin with once there is one
    return state


def restore(state: Mapping[str, Any]) -> list[str]:
    """Put them back as they were captured; returns, in words, what could not be.

    >>> state = capture(); first = random.random(); restore(state)
    []
    >>> random.random() == first
    True
    """
    lost: list[str] = []

    def attempt(what: str, put_back: Callable[[], None]) -> None:
        try:
            put_back()
        except (KeyError, ValueError, TypeError, RuntimeError, AssertionError) as error:
            lost.append(f"{what} ({error})")

    attempt("random's generator", lambda: random.setstate(state["random"]))
    attempt("numpy's global generator", lambda: restore_numpy(state["numpy"]))
    if "torch" in state:
        restore_torch(state, lost, attempt)
    elif "torch" in sys.modules:
        lost.append(
            "torch's generator (torch was imported after that snapshot was taken: import it before the run begins)"
        )
    return lost


def restore_numpy(state: Mapping[str, Any]) -> None:
    """NumPy's global generator, also where the program has put another bit generator under it."""
    kind = state["bit_generator"]
    if np.random.get_state(legacy=False)["bit_generator"] != kind:
        vars(np.random)["set_bit_generator"](getattr(np.random, kind)())
    np.random.set_state(dict(state))


def restore_torch(
    state: Mapping[str, Any], lost: list[str], attempt: Callable[[str, Callable[[], None]], None]
) -> None:
    try:
        import torch
    except ImportError:
        lost.append("torch's generator (torch is not installed here)")
        return
    attempt("torch's generator", lambda: torch.set_rng_state(state["torch"].cpu()))
    if "cuda seed" in state:
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(state["cuda seed"])
        return
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device, saved in enumerate(state["cuda"]):
        if device < here:
            attempt(
                f"torch's generator on CUDA device {device}",
                lambda device=device, saved=saved: torch.cuda.set_rng_state(saved.cpu(), device),  # type: ignore[misc]
            )
        else:
            lost.append(f"torch's generator on CUDA device {device} (there are {here} such devices here)")
