"""What the programs under faults print when they have ended: the result and the state, in one line of JSON."""

from __future__ import annotations

import hashlib
import json
import warnings

import dalsegno as ds


def show(result, *pieces, **more):
    """Print how a run ended and a digest of its final state; clock figures stand apart, as no two runs share them."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece if isinstance(piece, bytes) else repr(piece).encode())
    told = {
        "result": {
            "state": result.state,
            "succeeded": result.succeeded,
            "reason": result.reason,
            "rule": result.rule,
            "step": result.step,
            "steps": result.steps,
            "cost": result.cost,
            "value": result.value,
            "best": None if result.best is None else result.best.to_dict(),
            "attempts": [[one.number, one.state, one.steps, one.seed, one.cost] for one in result.attempts],
        },
        "verdict": result.verdict,
        "warnings": result.warnings,
        "seconds": result.seconds,
        "digest": digest.hexdigest(),
        **more,
    }
    print("\n" + json.dumps(told), flush=True)


def quietly():
    """Warnings of the engine are read from the result, not from the screen."""
    warnings.simplefilter("ignore", ds.EngineWarning)
