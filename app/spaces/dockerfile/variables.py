"""Word splitting and variable expansion of a Dockerfile, by the rules of Docker's shell parser."""

import re
from collections.abc import Mapping

MAX_CHARACTERS = 4096
_MAX_DEPTH = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]")


class Malformed(ValueError):
    """A word that cannot be evaluated: an unclosed quote or brace, or an overlong expansion."""


def words(text: str, escape: str) -> list[str]:
    """Split at blanks that are neither quoted nor escaped; quotes and escapes are kept."""
    complete: list[str] = []
    word: list[str] = []
    quote = ""
    escaped = False
    for letter in text:
        if letter.isspace() and not quote and not escaped:
            if word:
                complete.append("".join(word))
            word = []
            continue
        word.append(letter)
        if escaped:
            escaped = False
        elif letter == escape and quote != "'":
            escaped = True
        elif letter in "'\"" and quote in {"", letter}:
            quote = "" if quote else letter
    return [*complete, "".join(word)] if word else complete


def expand(word: str, variables: Mapping[str, str], escape: str) -> str:
    """Return a word with variables expanded, unknown ones to nothing, and quotes removed.

    Raises:
        Malformed: It cannot be evaluated.
    """
    return _Expansion(word, variables, escape).result()


class _Expansion:
    """The expansion of a word, from left to right."""

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

    def result(self) -> str:
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
            raise Malformed(f"a {end} is not closed")
        text = self._word[self._position : position]
        self._position = position + 1
        return text

    def _double_quoted(self) -> str:
        parts: list[str] = []
        while (letter := self._take()) != '"':
            if not letter:
                raise Malformed('a " is not closed')
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
                raise Malformed("a ${ is not closed")
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
        match = re.match(r"(:?)([-+?])", operator)
        if match is None:
            raise Malformed(f"${{…{operator[0]}…}} is not supported")
        is_set = bool(value) if match[1] else value is not None
        alternative = operator[match.end() :]
        if match[2] == "+":
            return self._expand(alternative) if is_set else ""
        if is_set:
            return value or ""
        if match[2] == "?":
            raise Malformed(f"{name[0]} has no value")
        return self._expand(alternative)

    def _expand(self, word: str) -> str:
        return _Expansion(word, self._variables, self._escape, self._depth + 1).result()
