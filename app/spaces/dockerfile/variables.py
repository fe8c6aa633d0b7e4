"""Words of a Dockerfile: quotes, escapes and `$variables`, as Docker's own shell reads them."""

import re
from collections.abc import Mapping

MAX_CHARACTERS = 4096
_MAX_DEPTH = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]")


class Malformed(ValueError):
    """A word that cannot be evaluated: a quote or a brace is open, or it grows too long."""


def words(text: str, escape: str) -> list[str]:
    """Split at blanks that are neither quoted nor escaped; quotes and escapes stay as they are."""
    found: list[str] = []
    word: list[str] = []
    quote = ""
    escaped = False
    for letter in text:
        if letter.isspace() and not quote and not escaped:
            if word:
                found.append("".join(word))
            word = []
            continue
        word.append(letter)
        if escaped:
            escaped = False
        elif letter == escape and quote != "'":
            escaped = True
        elif letter in "'\"" and quote in {"", letter}:
            quote = "" if quote else letter
    return [*found, "".join(word)] if word else found


def expand(word: str, variables: Mapping[str, str], escape: str) -> str:
    """Return a word with its variables replaced and its quotes removed; unknown ones are empty.

    Raises:
        Malformed: It cannot be evaluated.
    """
    return _Expansion(word, variables, escape).whole()


class _Expansion:
    """A word being read from left to right."""

    def __init__(
        self, word: str, variables: Mapping[str, str], escape: str, depth: int = 0
    ) -> None:
        if depth > _MAX_DEPTH or len(word) > MAX_CHARACTERS:
            raise Malformed("it is too long")
        self._word = word
        self._variables = variables
        self._escape = escape
        self._depth = depth
        self._position = 0

    def whole(self) -> str:
        parts: list[str] = []
        length = 0
        while self._position < len(self._word):
            part = self._next()
            length += len(part)
            if length > MAX_CHARACTERS:
                raise Malformed("it is too long")
            parts.append(part)
        return "".join(parts)

    def _take(self) -> str:
        letter = self._word[self._position : self._position + 1]
        self._position += 1
        return letter

    def _next(self) -> str:
        letter = self._take()
        if letter == "'":
            return self._until("'")
        if letter == '"':
            return self._double_quoted()
        if letter == "$":
            return self._variable()
        return self._take() if letter == self._escape else letter

    def _until(self, end: str) -> str:
        position = self._word.find(end, self._position)
        if position < 0:
            raise Malformed(f"a {end} is open")
        text = self._word[self._position : position]
        self._position = position + 1
        return text

    def _double_quoted(self) -> str:
        parts: list[str] = []
        while (letter := self._take()) != '"':
            if not letter:
                raise Malformed('a " is open')
            if letter == "$":
                parts.append(self._variable())
            elif letter == self._escape:
                following = self._take()
                kept = "" if following in {'"', "$", self._escape} else letter
                parts.append(kept + following)
            else:
                parts.append(letter)
        return "".join(parts)

    def _variable(self) -> str:
        if self._word[self._position : self._position + 1] == "{":
            self._position += 1
            return self._braced(self._inside_braces())
        name = _NAME.match(self._word, self._position)
        if name is None:
            return "$"
        self._position = name.end()
        return self._variables.get(name[0], "")

    def _inside_braces(self) -> str:
        start, depth = self._position, 1
        while depth:
            letter = self._take()
            if not letter:
                raise Malformed("a ${ is open")
            if letter == self._escape:
                self._position += 1
            depth += (letter == "{") - (letter == "}")
        return self._word[start : self._position - 1]

    def _braced(self, inside: str) -> str:
        name = _NAME.match(inside)
        if name is None:
            raise Malformed("${} names no variable")
        value = self._variables.get(name[0])
        operator = inside[name.end() :]
        if not operator:
            return value or ""
        found = re.match(r"(:?)([-+?])", operator)
        if found is None:
            raise Malformed(f"${{…{operator[0]}…}} is not evaluated here")
        is_set = bool(value) if found[1] else value is not None
        other = operator[found.end() :]
        if found[2] == "+":
            return self._inner(other) if is_set else ""
        if is_set:
            return value or ""
        if found[2] == "?":
            raise Malformed(f"{name[0]} has no value")
        return self._inner(other)

    def _inner(self, word: str) -> str:
        return _Expansion(word, self._variables, self._escape, self._depth + 1).whole()
