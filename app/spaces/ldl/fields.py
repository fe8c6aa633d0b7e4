"""Reads one place of the file as what is expected there, and notes what is found instead."""

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

from app.spaces.ldl.diagnostics import Findings, shown, step
from app.spaces.ldl.yaml_parser import Value

_T = TypeVar("_T")
_WHOLE = re.compile(r"[+]?(0|[1-9][0-9]{0,17})(\.0*)?")
_BASED = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file and where it stands."""

    value: Value
    path: str
    findings: Findings

    def get(self, key: str) -> "Node":
        """The entry `key` of a mapping; None's node when there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, step(self.path, key), self.findings)

    def has(self, key: str) -> bool:
        """Whether this is a mapping with a value, not null, for `key`."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def refuse(self, message: str) -> None:
        """Note that the file cannot run because of this place."""
        self.findings.refuse(self.path, message)

    def warn(self, message: str) -> None:
        """Note that this place is odd."""
        self.findings.warn(self.path, message)


def entries(node: Node) -> list[tuple[str, Node]]:
    """The entries of a mapping in the file's order; none when it is null or no mapping."""
    if node.value is None:
        return []
    if not isinstance(node.value, dict):
        node.refuse(f"must be a mapping (`name: …`), not {_kind(node.value)}")
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
    node.warn("should be a list; its one value is taken")
    return [node]


def text(node: Node) -> str | None:
    """A scalar's text as written; None when it is null or no scalar."""
    if node.value is None or isinstance(node.value, str):
        return node.value
    node.refuse(f"must be a text, not {_kind(node.value)}")
    return None


def whole(node: Node, low: int, high: int) -> int | None:
    """A whole number from `low` to `high`; None when it is null or anything else."""
    written = (text(node) or "").strip()
    if not written:
        return None
    if _LEADING_ZERO.fullmatch(written):
        node.refuse(f"{shown(written)} starts with 0, which some read as octal; write it without")
        return None
    if not (_WHOLE.fullmatch(written) or _BASED.fullmatch(written)):
        node.refuse(f"must be a whole number from {low} to {high}, not {shown(written)}")
        return None
    number = int(written, 0) if _BASED.fullmatch(written) else int(written.partition(".")[0])
    if not low <= number <= high:
        node.refuse(f"must be from {low} to {high}, not {shown(written)}")
        return None
    return number


def flag(node: Node) -> bool:
    """A boolean: true/false, yes/no or on/off in any case; null is false."""
    written = (text(node) or "").strip().lower()
    if written in _TRUE:
        return True
    if written and written not in _FALSE:
        node.refuse(f"must be true or false, not {shown(written)}")
    return False


def know(node: Node, keys: AbstractSet[str], *, ignored: AbstractSet[str] = frozenset()) -> None:
    """Warn of the keys of a mapping that are not among `keys`, with the nearest one's name."""
    if not isinstance(node.value, dict):
        return
    for key in node.value:
        if key not in keys:
            node.get(key).warn(_meaningless(key, keys, ignored))


def missing(node: Node, key: str) -> None:
    """Refuse a mapping because it lacks `key`, naming the key that was perhaps meant to be it."""
    keys: Iterable[str] = node.value if isinstance(node.value, dict) else ()
    near = nearest(key, keys)
    hint = f"; {shown(near)} is one letter off" if near else ""
    node.get(key).refuse(f"is missing{hint}")


def has_all(node: Node, *keys: str) -> bool:
    """Whether this is a mapping with a value for every one of `keys`; refuses it otherwise."""
    if not isinstance(node.value, dict):
        node.refuse(f"must be a mapping with {', '.join(f'`{key}`' for key in keys)}")
        return False
    absent = [key for key in keys if not node.has(key)]
    for key in absent:
        missing(node, key)
    return not absent


def attempt(node: Node, read_text: Callable[[str], _T]) -> _T | None:
    """What `read_text` makes of a scalar; None when it is null or `read_text` raised ValueError."""
    written = text(node)
    if written is None:
        return None
    try:
        return read_text(written)
    except ValueError as error:
        node.refuse(str(error))
        return None


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The first of `words` that is one edit away from `word`, letter case aside."""
    return next((other for other in words if _one_edit(word.lower(), other.lower())), None)


def _meaningless(key: str, keys: AbstractSet[str], ignored: AbstractSet[str]) -> str:
    near = nearest(key, sorted(keys))
    if key in ignored:
        hint = f"; here it is `{near}`, which means the same pod" if near == "depends-on" else ""
        return f"is a key of Docker Compose and means nothing here{hint}"
    return f"is no key that is known here; did you mean `{near}`?" if near else "means nothing here"


def _one_edit(one: str, other: str) -> bool:
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    one, other = one[start:], other[start:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def _kind(value: Value) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return shown(value or "")
