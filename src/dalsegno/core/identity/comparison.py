"""What differs between two identities, by readable names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dalsegno.core.identity.checksum import Node, Tree, canonical
from dalsegno.core.identity.rendering import ABSENT, changed_lines, last_name, render
from dalsegno.core.identity.values import NOT_COMPARED

FORMAT = 1
# What says how a piece of code reads, or is said for people, and is no value to compare.
UNCOMPARED = frozenset({"parts", "text", "source", "code", "python", "defaults", "limits", "why", "partly"})


@dataclass(frozen=True)
class Difference:
    """One thing in which two identities differ, with both values as text.

    ``kind`` is ``limit`` for the argument of a condition that declares its numbers to be limits, else ``change``.
    """

    name: str
    old: str
    new: str
    kind: Literal["limit", "change"] = "change"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Everything in which ``new`` differs from ``old``, in the order process, rules, the rest, code that they name."""
    if old.get("format") != new.get("format"):
        return [Difference("format", str(old.get("format", "none")), str(new.get("format", "none")))]
    return list(dict.fromkeys(compared(old, new).found))


def uncompared(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of everything of which ``differences`` could say nothing."""
    if old.get("format") != new.get("format"):
        return []
    return sorted({*old["not compared"], *new["not compared"], *compared(old, new).unknown})


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    comparison = Comparison()
    before, after = old["process"], new["process"]
    comparison.compare("process", before, after, code_name=function_name(after))
    comparison.rules(old["rules"], new["rules"])
    for section in ("checkpoint", "budget", "arguments"):
        comparison.compare(section, old[section], new[section])
    comparison.definitions(old["definitions"], new["definitions"])
    return comparison


def function_name(tree: Tree) -> str | None:
    """The name of a function or bound method, by which a change of its own code is told."""
    if isinstance(tree, dict) and tree["is"] == "method":
        tree = tree["parts"][""]
    return last_name(str(tree["name"])) if isinstance(tree, dict) and tree["is"] == "function" else None


class Comparison:
    """Walks two trees together and notes where they part."""

    def __init__(self) -> None:
        self.found: list[Difference] = []
        self.unknown: list[str] = []  # code of which nothing can be said: no common form, or of another Python
        self.code_differs = False
        self.forms_differ = False  # some code has source in one of the two only, which then names more

    def compare(self, name: str, old: Tree, new: Tree, limits: bool = False, code_name: str | None = None) -> None:
        """Note the differences of two trees under ``name``; a change of code itself under ``code_name`` if given."""
        if canonical(old) == canonical(new):
            return
        if not isinstance(old, dict) or not isinstance(new, dict) or header(old) != header(new):
            self.note(name, old, new, limits)
            return
        same = same_code(old, new)
        self.forms_differ = self.forms_differ or ("source" in old) != ("source" in new)
        if same is None:
            self.unknown.append(code_name or name)
        elif not same:
            self.code_differs = True
            self.found.append(Difference(code_name or name, *changed_lines(old, new)))
        limits = limits or bool(old.get("limits") and new.get("limits"))
        before, after = old.get("parts", {}), new.get("parts", {})
        for label in dict.fromkeys([*before, *after]):
            if label in before and label in after:
                self.compare(name + label, before[label], after[label], limits, None if label else code_name)
            elif same is not None and label not in (old if label in before else new).get("defaults", ()):
                self.note(name + label, before.get(label, ABSENT), after.get(label, ABSENT), limits)

    def note(self, name: str, old: Tree, new: Tree, limits: bool) -> None:
        self.code_differs = self.code_differs or is_code(old) or is_code(new)
        is_limit = limits and all(tree is ABSENT or is_number(tree) for tree in (old, new))
        self.found.append(Difference(name, render(old), render(new), "limit" if is_limit else "change"))

    def rules(self, old: Sequence[Tree], new: Sequence[Tree]) -> None:
        """Rules by their places; where some came or went, those that stayed are found again."""
        before, after = [essence(rule) for rule in old], [essence(rule) for rule in new]
        if before != after and sorted(before) == sorted(after):
            self.found.append(Difference("rules", in_order(old), in_order(new)))
            return
        for kind, i, i_end, j, j_end in matching(before, after):
            if kind == "equal" or len(old) == len(new):
                for a, b in zip(range(i, i_end), range(j, j_end), strict=True):
                    self.compare(f"rules[{b}]", old[a], new[b])
                continue
            both = min(i_end - i, j_end - j)
            for place in range(both):
                self.compare(f"rules[{j + place}]", old[i + place], new[j + place])
            for place in range(i + both, i_end):
                self.note(f"rules[{place}]", old[place], ABSENT, False)
            for place in range(j + both, j_end):
                self.note(f"rules[{place}]", ABSENT, new[place], False)

    def definitions(self, old: Mapping[str, Node], new: Mapping[str, Node]) -> None:
        """Code that is named by other code. What is named on one side only follows from a change there, if there is one."""
        for name in dict.fromkeys([*old, *new]):
            if name in old and name in new:
                self.compare(last_name(name), old[name], new[name])
        if self.code_differs or self.forms_differ:
            return
        for name in dict.fromkeys([*old, *new]):
            if name not in old or name not in new:
                self.found.append(
                    Difference(last_name(name), render(old.get(name, ABSENT)), render(new.get(name, ABSENT)))
                )


def matching(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    if len(old) == len(new):
        return [("replace", 0, len(old), 0, len(new))]
    return [tuple(code) for code in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()]  # type: ignore[misc]


def header(node: Node) -> str:
    return canonical({key: value for key, value in node.items() if key not in UNCOMPARED})


def same_code(old: Node, new: Node) -> bool | None:
    """By syntax where both have it, else by code object of one Python; None where neither is possible."""
    if "source" in old and "source" in new:
        return bool(old["source"] == new["source"])
    if "code" in old and "code" in new and old["python"] == new["python"]:
        return bool(old["code"] == new["code"])
    return None if is_code(old) or is_code(new) else True


def is_code(tree: Tree) -> bool:
    return isinstance(tree, dict) and ("source" in tree or "code" in tree)


def is_number(tree: Tree) -> bool:
    if isinstance(tree, dict):
        return tree["is"] in ("float", "int")
    return isinstance(tree, (int, float)) and not isinstance(tree, bool)


def essence(tree: Tree, *, movable: bool = True) -> str:
    """A description without texts, without code objects where there is source, and without the numbers of limits.

    With ``movable=False`` the numbers of limits count.
    """

    def reduced(tree: Any, limits: bool) -> Any:
        if not isinstance(tree, dict):
            return "limit" if limits and is_number(tree) else tree
        limits = limits or (movable and bool(tree.get("limits")))
        left_out = {"text", "why", "code", "python"} if "source" in tree else {"text", "why"}
        kept = {key: value for key, value in tree.items() if key not in left_out}
        for key in ("parts", "uses"):
            if key in tree:
                kept[key] = {label: reduced(part, limits) for label, part in tree[key].items()}
        return kept

    return canonical(reduced(tree, False))


def in_order(rules: Sequence[Tree]) -> str:
    return "; ".join(render(rule, 60) for rule in rules)


def names_not_compared(identity: Mapping[str, Any]) -> list[str]:
    """The names of everything in an identity that cannot be compared."""
    found: list[str] = []

    def walk(name: str, tree: Tree) -> None:
        if isinstance(tree, dict):
            if tree["is"] == NOT_COMPARED or tree.get("partly"):
                found.append(name)
            for label, part in tree.get("parts", {}).items():
                walk(name + label, part)
            for item in tree.get("items", ()):
                walk(name, item)

    walk("process", identity["process"])
    for place, rule in enumerate(identity["rules"]):
        walk(f"rules[{place}]", rule)
    for section in ("checkpoint", "budget", "arguments"):
        walk(section, identity[section])
    for name, node in identity["definitions"].items():
        walk(last_name(name), node)
    return sorted(set(found))
