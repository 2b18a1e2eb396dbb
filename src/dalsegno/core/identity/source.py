"""Where the source of a function or class stands, found through Python's own cache of lines, read once a file.

What is found is compiled again and compared with the code object at hand: a file that was edited after it was imported,
or that an import hook rewrote, is not what runs, and counts as no source.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import os
import textwrap
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dalsegno.core.identity.bytecode import code_checksum
from dalsegno.core.identity.syntax import FUNCTIONS, Reading

# The compiler's flags of ``from __future__ import``; the flag of nested_scopes means something else in a code object.
FUTURES = sum(
    int(getattr(__future__, name).compiler_flag)
    for name in __future__.all_feature_names
    if name not in ("nested_scopes", "generators")
)
LONGEST_TEXT = 10_000  # characters of one function that are kept to show a difference
MOST_FILES = 64

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Source:
    """The source of a function or of what is left of a class: its reading and its text."""

    reading: Reading
    text: str


class File:
    """One file's syntax tree with an index of its functions and classes."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name, self.lines = name, lines
        self.functions: dict[tuple[str, int], list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.outermost: dict[ast.AST, ast.stmt] = {}
        self.imports: list[ast.stmt] = []
        self._compiled: dict[tuple[ast.stmt, int], dict[tuple[str, int], list[types.CodeType]]] = {}
        self._sources: dict[ast.AST, Source] = {}
        self._lambdas: dict[ast.stmt, list[ast.Lambda]] = {}
        try:
            self.body = ast.parse("".join(lines)).body
        except (SyntaxError, ValueError, RecursionError):
            self.body = []
        for statement in self.body:
            self.index(statement, "", statement)

    def index(self, node: ast.stmt, scope: str, outermost: ast.stmt) -> None:
        if isinstance(node, FUNCTIONS):
            self.functions.setdefault((node.name, first_line(node)), []).append(node)
            self.outermost[node] = outermost
            scope = f"{scope}{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            self.classes.setdefault(scope + node.name, []).append(node)
            self.outermost[node] = outermost
            scope = f"{scope}{node.name}."
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and not scope:
            self.imports.append(node)  # the compiler calls the functions of an imported module in another way
        for inner in statements(node):
            self.index(inner, scope, outermost)

    def function(self, code: types.CodeType) -> Function | None:
        """The node that ``code`` was compiled from, or None if there is none or it compiles to something else."""
        if code.co_name == "<lambda>":
            return self.lambda_(code)
        for node in self.functions.get((code.co_name, code.co_firstlineno), ()):
            if any(code_checksum(one) == code_checksum(code) for one in self.compiled(self.outermost[node], code)):
                return node
        return None

    def lambda_(self, code: types.CodeType) -> ast.Lambda | None:
        """The lambda whose body stands where the code says it does, to the column."""
        statement = next((one for one in self.body if one.lineno <= code.co_firstlineno <= (one.end_lineno or 0)), None)
        if statement is None or not any(
            code_checksum(one) == code_checksum(code) for one in self.compiled(statement, code)
        ):
            return None
        if statement not in self._lambdas:
            self._lambdas[statement] = [node for node in ast.walk(statement) if isinstance(node, ast.Lambda)]
        found = [node for node in self._lambdas[statement] if node.lineno == code.co_firstlineno]
        if len(found) > 1:
            places = set(code.co_positions())
            found = [node for node in found if span(node.body) in places]
        return found[0] if len(found) == 1 else None

    def compiled(self, statement: ast.stmt, like: types.CodeType) -> list[types.CodeType]:
        """The code objects of this name and line in a statement of the file, compiled as ``like`` was."""
        flags = like.co_flags & FUTURES
        known = self._compiled.get((statement, flags))
        if known is None:
            known = self._compiled[statement, flags] = {}
            module = ast.Module(body=[*self.imports, statement], type_ignores=[])
            for code in nested(compile(module, self.name, "exec", flags=flags, dont_inherit=True)):
                known.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        return known.get((like.co_name, like.co_firstlineno), [])

    def source(self, node: ast.AST) -> Source:
        """The reading and text of a function."""
        found = self._sources.get(node)
        if found is None:
            found = self._sources[node] = Source(Reading([node]), self.text(node))
        return found

    def rest_of_class(self, node: ast.ClassDef, methods: set[ast.AST]) -> Source:
        """What a class is besides these methods: bases, decorators and the other statements of its body."""
        body = [statement for statement in node.body if statement not in methods]
        shell = ast.ClassDef(
            name=node.name, bases=node.bases, keywords=node.keywords, body=body or [ast.Pass()],
            decorator_list=node.decorator_list, **{key: getattr(node, key) for key in ("type_params",) if hasattr(node, key)},
        )  # fmt: skip
        head = self.lines[first_line(node) - 1 : first_line(node.body[0]) - 1]
        texts = [textwrap.dedent("".join(head)), *(textwrap.indent(self.text(one), "    ") for one in body)]
        return Source(Reading([shell]), "".join(texts)[:LONGEST_TEXT])

    def text(self, node: Any) -> str:
        if isinstance(node, ast.Lambda):
            return (ast.get_source_segment("".join(self.lines), node) or "")[:LONGEST_TEXT]
        return textwrap.dedent("".join(self.lines[first_line(node) - 1 : node.end_lineno]))[:LONGEST_TEXT]


def first_line(node: Any) -> int:
    """The line of the first decorator or of the statement itself, which code objects give as theirs."""
    return min([int(node.lineno), *(int(one.lineno) for one in getattr(node, "decorator_list", ()))])


def span(node: ast.expr) -> tuple[int, int | None, int, int | None]:
    """Where a node stands, as code objects give the places of their instructions."""
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statements directly inside a statement."""
    for field in ("body", "orelse", "finalbody"):
        yield from getattr(node, field, ())
    for field in ("handlers", "cases"):
        for part in getattr(node, field, ()):
            yield from part.body


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from nested(constant)


_files: dict[str, File] = {}


def file(name: str, module: Mapping[str, Any] | None = None) -> File | None:
    """The file of this name as it is now; also the cell of a notebook. None where there is no text of it."""
    if os.path.exists(name):
        linecache.checkcache(name)
    lines = linecache.getlines(name, dict(module) if module is not None else None)
    if not lines:
        return None
    known = _files.get(name)
    if known is None or (known.lines is not lines and known.lines != lines):
        while len(_files) >= MOST_FILES:
            del _files[next(iter(_files))]
        known = _files[name] = File(name, lines)
    return known


def of_function(function: types.FunctionType) -> Source | None:
    """The source of a function or lambda, if what stands in its file is what runs."""
    code = function.__code__
    where = file(code.co_filename, function.__globals__)
    try:
        node = where.function(code) if where is not None else None
        return where.source(node) if where is not None and node is not None else None
    except RecursionError:  # an expression that is nested too deep to be walked
        return None
