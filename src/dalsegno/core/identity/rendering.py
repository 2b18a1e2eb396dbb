"""Described values as people read them, and the text of a refusal."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dalsegno.core.identity.checksum import Node, Tree
from dalsegno.core.identity.syntax import plain_lines
from dalsegno.core.identity.values import NOT_COMPARED

if TYPE_CHECKING:
    from dalsegno.core.identity.comparison import Difference

WIDTH = 100
ABSENT: Node = {"is": "absent"}
BRACKETS = {"list": "[]", "tuple": "()", "set": "{}", "frozenset": "{}", "dict": "{}", "deque": "[]"}


def last_name(qualname: str) -> str:
    """The name of something without the function that it was made in."""
    return qualname.rpartition("<locals>.")[2]


def shorten(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def render(tree: Any, width: int = WIDTH) -> str:
    """One line: a value as it is written, an object as its constructor call, code by its name."""
    if not isinstance(tree, dict):
        return shorten(repr(tree), width)
    return shorten(node_text(tree), width)


def node_text(node: Node) -> str:
    kind, parts = node["is"], node.get("parts", {})
    if kind == NOT_COMPARED:
        return f"a {node['type']}, which cannot be compared"
    if kind in BRACKETS and "checksum" not in node:
        inner = node.get("items") or [part for _, part in in_places(parts)]
        texts = [render(part) for part in inner]
        if kind == "dict":
            texts = [f"{label[1:-1]}: {text}" for label, text in zip(parts, texts, strict=True)]
        return BRACKETS[kind][0] + ", ".join(texts) + BRACKETS[kind][1]
    if kind in ("object", "function", "class"):
        return code_text(node)
    if kind == "method":
        return render(parts[""])
    if kind == "enum":
        return f"{node['class']}.{node['value']}"
    if "value" in node:
        return str(node["value"])
    details = [str(node[key]) for key in ("dtype", "shape", "class", "length") if key in node]
    checksum = [f"checksum {node['checksum'][:12]}"] if "checksum" in node else []
    return " ".join([kind, *details, *checksum])


def in_places(parts: dict[str, Tree]) -> list[tuple[str, Tree]]:
    """The parts of a list in the order of their places, whatever order they were stored in."""
    return sorted(parts.items(), key=lambda part: (len(part[0]), part[0])) if "[0]" in parts else list(parts.items())


def code_text(node: Node) -> str:
    name = last_name(str(node.get("class", node.get("name", ""))))
    if node["is"] == "object":
        left_out = node.get("defaults", ())
        shown = {
            label: part
            for label, part in node.get("parts", {}).items()
            if label not in left_out and not (isinstance(part, dict) and "code" in part and part["is"] == "function")
        }
        return f"{name}({', '.join(f'{label[1:]}={render(part)}' for label, part in shown.items())})"
    return name if name != "<lambda>" or not node.get("text") else " ".join(node["text"].split())


def changed_lines(old: Node, new: Node) -> tuple[str, str]:
    """The lines in which two pieces of code differ; their checksums where the texts are not to be had."""
    before, after = plain_lines(old.get("text", "")), plain_lines(new.get("text", ""))
    gone, come = [], []
    for kind, i, i_end, j, j_end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += before[i:i_end]
            come += after[j:j_end]
    if not gone and not come:
        return code_label(old), code_label(new)
    return lines_text(gone), lines_text(come)


def lines_text(lines: Sequence[str]) -> str:
    text = " | ".join(line.strip() for line in lines if line.strip())
    return f"`{shorten(text, 2 * WIDTH)}`" if text else "without it"


def code_label(node: Node) -> str:
    if "source" in node:
        return f"source {node['source'][:12]}"
    return f"code {node['code'][:12]}" if "code" in node else "without source"


def explain(differences: Sequence[Difference]) -> str:
    """The text of a refusal: each name with both values, and what can be done about it."""
    lines = []
    for one in differences:
        limit = " (a limit)" if one.kind == "limit" else ""
        lines.append(f"\n  {one.name}{limit}: it was {one.old}, now it is {one.new}")
    changes = list(dict.fromkeys(one.name for one in differences if one.kind == "change"))
    advice = []
    if changes:
        advice.append(f"accept={changes!r} goes on in spite of the change (resuming is then approximate)")
    if len(changes) < len({one.name for one in differences}):
        advice.append("extend=True goes on under the new limits")
    advice.append('fresh=True begins anew under the same name (fresh="if changed": whenever something changed)')
    return "".join(lines) + "\nWhat to do: " + "; ".join(advice) + "."
