"""Fields of a stranger's JSON, read one by one so that every wrong one can be named."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_MAX_INTEGER = 1 << 53
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Fields:
    """The fields of one JSON object; what is wrong with them goes to `problems`.

    Args:
        value: What stands where an object is expected.
        path: Its place in the document; empty at the top.
        problems: One sentence per wrong field, shared with the objects inside.
    """

    def __init__(self, value: Any, path: str = "", problems: list[str] | None = None) -> None:
        self.problems: list[str] = [] if problems is None else problems
        self._path = path
        self._readable = isinstance(value, dict)
        self._values: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not self._readable:
            self.problems.append(f"{path or 'the document'}: an object is needed")

    def inner(self, name: str) -> "Fields":
        """Return the object in a field; without a second problem when this one is none."""
        if not self._readable:
            return Fields({}, self._at(name), [])
        return Fields(self._values.get(name), self._at(name), self.problems)

    def inners(self, name: str, *, most: int) -> Iterator["Fields"]:
        """Yield the objects of a list of at most `most`."""
        value = self._values.get(name)
        if not isinstance(value, list):
            self.wrong(name, "a list is needed")
        elif len(value) > most:
            self.wrong(name, f"{len(value)} entries, at most {most} are allowed")
        else:
            for index, one in enumerate(value):
                yield Fields(one, f"{self._at(name)}[{index}]", self.problems)

    def text(self, name: str, *, most: int) -> str:
        """Return a text of 1 to `most` characters without control characters, else ''."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value.strip():
            self.wrong(name, "a text is needed")
        elif len(value) > most:
            self.wrong(name, f"{len(value)} characters, at most {most} are allowed")
        elif any(unicodedata.category(letter) in _UNPRINTABLE for letter in value):
            self.wrong(name, "control characters are not allowed")
        else:
            return value
        return ""

    def matching(self, name: str, pattern: str, *, needed: str) -> str:
        """Return a text in lower case that fits the pattern then, else ''."""
        value = self._values.get(name)
        if isinstance(value, str) and re.fullmatch(pattern, value.lower(), re.ASCII):
            return value.lower()
        self.wrong(name, f"{needed} is needed")
        return ""

    def count(self, name: str) -> int | None:
        """Return a whole number from 0 that may be written as text; None when it is not given."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value, re.ASCII):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value <= _MAX_INTEGER:
            return value
        self.wrong(name, "a whole number from 0 is needed")
        return None

    def wrong(self, name: str, problem: str) -> None:
        """Remember what is wrong with a field."""
        if self._readable:
            self.problems.append(f"{self._at(name)}: {problem}")

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
