"""Typed JSON: any state as valid JSON that reads back as the same types, with arrays and tensors set apart.

Plain JSON values stand for themselves; everything else is ``{"$": type, ...}``.  An object that changes and occurs
twice is written once, and is one object again when it is read; arrays that overlap in memory overlap again (within one
library).  Nothing is ever pickled, and what has no form here is refused by its path in the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dalsegno.core.store.typed.decoder import Decoder
from dalsegno.core.store.typed.encoder import Encoder

if TYPE_CHECKING:
    import torch


def encode(state: object) -> tuple[str, dict[str, np.ndarray[Any, Any] | torch.Tensor]]:
    """A state as JSON text, and its arrays and tensors by key: their path in the state.

    The arrays are the state's own, not copies.  Raises UnsavableError with the path of what cannot be saved.

    >>> text, arrays = encode({"step": 3, "seen": {1, 2}, "layer": {"weights": np.zeros(2)}})
    >>> text
    '{"step":3,"seen":{"$":"set","v":[1,2]},"layer":{"weights":{"$":"array","k":"layer.weights"}}}'
    >>> list(arrays)
    ['layer.weights']
    """
    encoder = Encoder(inline=False)
    return encoder.text(state), encoder.arrays


def decode(text: str, arrays: Mapping[str, Any], *, device: str | None = None) -> Any:
    """The state that :func:`encode` was given; it takes over the arrays it is handed.

    A tensor goes to the device that it was on where this machine has one of that name, else to the host; ``device``
    names another for all of them.  Raises SnapshotError for text that :func:`encode` cannot have written.

    >>> decode(*encode((1, 2.5, b"ab")))
    (1, 2.5, b'ab')
    """
    return Decoder(arrays, device).state(text)


def dumps(value: object) -> str:
    """The same typed JSON in one piece, with arrays as base64 inside it: for small values.

    >>> dumps([1, float("inf")])
    '[1,{"$":"float","v":"inf"}]'
    """
    return Encoder(inline=True).text(value)


def loads(text: str) -> Any:
    """The value that :func:`dumps` was given.

    >>> loads(dumps({2: (1, float("inf")), "a": None}))
    {2: (1, inf), 'a': None}
    """
    return Decoder({}).state(text)
