"""A reading of a syntax tree: its checksum, and what the code names and changes.

Comments, layout, line numbers, docstrings and ``pass`` do not count; annotations, decorators and defaults do.
The checksum does not depend on the minor version of Python as long as the grammar gives the same nodes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dalsegno.core.identity.checksum import checksum_of_text

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BODIES = (*FUNCTIONS, ast.ClassDef)
IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
# Methods of the built-in containers that change them: a variable they are called on is a state, not an argument.
CHANGING = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft",
    "remove", "reverse", "rotate", "setdefault", "sort", "subtract", "update",
    "difference_update", "intersection_update", "symmetric_difference_update",
})  # fmt: skip


class Reading:
    """What one pass over some nodes found.

    ``checksum`` of their meaning; ``names`` read and bound nowhere inside, hence of the module or of the functions
    around; ``changed`` the names whose objects the code itself changes; ``assigned`` the attributes, as
    ``(name, attribute)``, that it assigns.
    """

    __slots__ = ("assigned", "changed", "checksum", "names")

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        writer = _Writer()
        for node in nodes:
            writer.write(node, outermost=True)
        self.checksum = checksum_of_text("\n".join(writer.lines))
        self.names = frozenset(writer.read - writer.bound)
        self.changed = frozenset(writer.changed)
        self.assigned = frozenset(writer.assigned)


class _Writer:
    """Writes nodes line by line. Strings are written by ``repr``, so no content can be taken for structure."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.read: set[str] = set()
        self.bound: set[str] = set()
        self.changed: set[str] = set()
        self.assigned: set[tuple[str, str]] = set()

    def write(self, node: ast.AST, outermost: bool = False) -> None:
        kind = type(node)
        if kind is ast.Pass:
            return
        line = self.lines.append
        if kind is ast.Constant:
            line(constant(node.value))  # type: ignore[attr-defined]
            return
        self.note(node, kind, outermost)
        line(f"({kind.__name__}")
        for field in node._fields:
            value = getattr(node, field, None)
            if value is None or field in IGNORED or value == []:
                continue
            line(field)
            if isinstance(value, ast.AST):
                self.write(value)
            elif isinstance(value, list):
                line("[")
                for item in without_docstring(value) if field == "body" and kind in BODIES else value:
                    if isinstance(item, ast.AST):
                        self.write(item)
                    else:
                        line(repr(item))
                line("]")
            else:
                line(repr(value))
        line(")")

    def note(self, node: ast.AST, kind: type, outermost: bool) -> None:
        """What this node says about names."""
        if isinstance(node, ast.Name):
            (self.read if type(node.ctx) is ast.Load else self.bound).add(node.id)
        elif isinstance(node, ast.Attribute):
            if type(node.ctx) is not ast.Load:
                self.changed_by(node)
                if isinstance(node.value, ast.Name):
                    self.assigned.add((node.value.id, node.attr))
        elif isinstance(node, ast.Subscript):
            if type(node.ctx) is not ast.Load:
                self.changed_by(node)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
                self.changed_by(node.func)
        elif kind is ast.Nonlocal:
            self.changed.update(node.names)  # type: ignore[attr-defined]
        elif isinstance(node, ast.AugAssign):
            if isinstance(node.target, ast.Name):
                self.changed.add(node.target.id)
        elif isinstance(node, ast.arg):
            self.bound.add(node.arg)
        elif isinstance(node, ast.alias):
            self.bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, BODIES) and not outermost:
            self.bound.add(node.name)

    def changed_by(self, node: ast.AST) -> None:
        """Note the variable at the root of ``a.b[c].d``, whose object the code changes."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        if isinstance(node, ast.Name):
            self.changed.add(node.id)


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body


def constant(value: object) -> str:
    """A literal with its type; whole numbers in hexadecimal, since long ones have no decimal text."""
    return f"int:{value:x}" if type(value) is int else f"{type(value).__name__}:{value!r}"


def plain_lines(text: str) -> list[str]:
    """The lines of some code as they count: no comments, no docstrings. As they are where they cannot be parsed."""
    try:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, BODIES):
                node.body = without_docstring(node.body) or [ast.Pass()]
        return ast.unparse(tree).splitlines()
    except (SyntaxError, ValueError, RecursionError):
        return text.splitlines()
