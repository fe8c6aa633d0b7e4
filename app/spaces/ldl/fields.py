"""Typed reads of a field of the file; a value of another type becomes a problem at its path."""

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

from app.spaces.ldl.diagnostics import Findings, child_path, quote
from app.spaces.ldl.yaml_parser import Value

_T = TypeVar("_T")
_INTEGER = re.compile(r"[+]?(0|[1-9][0-9]{0,17})(\.0*)?")
_BASED = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file, with its path."""

    value: Value
    path: str
    findings: Findings

    def get(self, key: str) -> "Node":
        """The entry `key` of a mapping; a node of null if there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, child_path(self.path, key), self.findings)

    def has(self, key: str) -> bool:
        """True for a mapping that has a value other than null for `key`."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def refuse(self, message: str) -> None:
        """Add a problem here that keeps the file from running."""
        self.findings.refuse(self.path, message)

    def warn(self, message: str) -> None:
        """Add a problem here that the author should know of."""
        self.findings.warn(self.path, message)


def entries(node: Node) -> list[tuple[str, Node]]:
    """The entries of a mapping in the file's order; none if it is null or not a mapping."""
    if node.value is None:
        return []
    if not isinstance(node.value, dict):
        node.refuse(f"must be a mapping (`name: …`), not {_describe(node.value)}")
        return []
    return [(key, node.get(key)) for key in node.value]


def items(node: Node) -> list[Node]:
    """The items of a list; a single value counts as a list of one, with a warning."""
    if node.value is None:
        return []
    if isinstance(node.value, list):
        return [
            Node(value, f"{node.path}[{index}]", node.findings)
            for index, value in enumerate(node.value)
        ]
    node.warn("should be a list; its single value is used")
    return [node]


def text(node: Node) -> str | None:
    """A scalar's text as written; None if it is null or not a scalar."""
    if node.value is None or isinstance(node.value, str):
        return node.value
    node.refuse(f"must be a string, not {_describe(node.value)}")
    return None


def integer(node: Node, low: int, high: int) -> int | None:
    """A whole number from `low` to `high`; None if it is null or anything else."""
    written = (text(node) or "").strip()
    if not written:
        return None
    if _LEADING_ZERO.fullmatch(written):
        node.refuse(f"{quote(written)} has a leading zero, which some read as octal; remove it")
        return None
    if not (_INTEGER.fullmatch(written) or _BASED.fullmatch(written)):
        node.refuse(f"must be a whole number from {low} to {high}, not {quote(written)}")
        return None
    number = int(written, 0) if _BASED.fullmatch(written) else int(written.partition(".")[0])
    if not low <= number <= high:
        node.refuse(f"must be from {low} to {high}, not {quote(written)}")
        return None
    return number


def boolean(node: Node) -> bool:
    """A boolean: true/false, yes/no or on/off in any case; null is false."""
    written = (text(node) or "").strip().lower()
    if written in _TRUE:
        return True
    if written and written not in _FALSE:
        node.refuse(f"must be true or false, not {quote(written)}")
    return False


def warn_unknown(
    node: Node, keys: AbstractSet[str], *, ignored: AbstractSet[str] = frozenset()
) -> None:
    """Warn of each key of a mapping that is not among `keys`, suggesting the nearest one."""
    if not isinstance(node.value, dict):
        return
    for key in node.value:
        if key not in keys:
            node.get(key).warn(_unknown_key(key, keys, ignored))


def refuse_missing(node: Node, key: str) -> None:
    """Refuse a mapping that lacks `key`, naming a misspelling of it if there is one."""
    keys: Iterable[str] = node.value if isinstance(node.value, dict) else ()
    near = nearest(key, keys)
    hint = f"; {quote(near)} is one letter off" if near else ""
    node.get(key).refuse(f"is missing{hint}")


def has_all(node: Node, *keys: str) -> bool:
    """True for a mapping with a value for each of `keys`; anything else is refused."""
    if not isinstance(node.value, dict):
        node.refuse(f"must be a mapping with {', '.join(f'`{key}`' for key in keys)}")
        return False
    absent = [key for key in keys if not node.has(key)]
    for key in absent:
        refuse_missing(node, key)
    return not absent


def convert(node: Node, convert_text: Callable[[str], _T]) -> _T | None:
    """A scalar converted by `convert_text`; None if it is null, or refused with a ValueError."""
    written = text(node)
    if written is None:
        return None
    try:
        return convert_text(written)
    except ValueError as error:
        node.refuse(str(error))
        return None


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The first of `words` that is one edit away from `word`, ignoring case."""
    return next((other for other in words if _is_one_edit_apart(word.lower(), other.lower())), None)


def _unknown_key(key: str, keys: AbstractSet[str], ignored: AbstractSet[str]) -> str:
    near = nearest(key, sorted(keys))
    if key in ignored:
        hint = f"; use `{near}`, which puts both in one pod" if near == "depends-on" else ""
        return f"is a Docker Compose key and has no effect here{hint}"
    hint = f"; did you mean `{near}`?" if near else " and has no effect"
    return f"is not a known key{hint}"


def _is_one_edit_apart(left: str, right: str) -> bool:
    if left == right:
        return True
    if abs(len(left) - len(right)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if start is None:
        return True
    left, right = left[start:], right[start:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def _describe(value: Value) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return quote(value or "")
