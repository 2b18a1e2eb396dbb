"""Values in the journal are the typed JSON of snapshots; its codec is imported only when there is a value."""

from __future__ import annotations

from typing import Any


def dumps(value: object) -> str:
    from dalsegno.core.store.codec import dumps as encode

    return encode(value)


def loads(text: str | None) -> Any:
    """The value, or None where the column is empty."""
    if text is None:
        return None
    from dalsegno.core.store.codec import loads as decode

    return decode(text)
