"""The checksum of a code object, for code whose source is not to be had; good within one Python minor version."""

from __future__ import annotations

import functools
import inspect
import sys
import types

from dalsegno.core.identity.checksum import checksum_of_text

PYTHON = sys.implementation.cache_tag or f"{sys.implementation.name}-{sys.version_info[0]}{sys.version_info[1]}"


@functools.lru_cache(maxsize=4096)
def code_checksum(code: types.CodeType) -> str:
    """Instructions, names and constants, of the functions inside too; neither lines, files nor docstrings."""
    constants = list(code.co_consts)
    if has_docstring(code):
        constants[0] = None  # editing it changes nothing
    parts = (
        code.co_code.hex(),
        code.co_exceptiontable.hex(),
        code.co_flags,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        tuple(constant(one) for one in constants),
    )
    return checksum_of_text(repr(parts))


def has_docstring(code: types.CodeType) -> bool:
    if not code.co_consts or not isinstance(code.co_consts[0], str) or code.co_name.startswith("<"):
        return False
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & inspect.CO_HAS_DOCSTRING)
    return bool(code.co_flags & inspect.CO_NEWLOCALS)


def constant(value: object) -> str:
    if isinstance(value, types.CodeType):
        return f"{value.co_name} {code_checksum(value)}"
    if isinstance(value, frozenset):
        return f"frozenset {sorted(constant(item) for item in value)}"
    if isinstance(value, tuple):
        return f"tuple {[constant(item) for item in value]}"
    return f"int {value:x}" if type(value) is int else f"{type(value).__name__} {value!r}"


def global_names(code: types.CodeType) -> frozenset[str]:
    """Every name that the code, or a function inside it, may look up in its module (attributes among them)."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return frozenset(code.co_names).union(*(global_names(one) for one in inner))
