"""Instructions of a Dockerfile, with comments, continuations and heredocs resolved."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_MAX_DIRECTIVE_CHARACTERS = 4096
WITH_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})
_HEREDOC = re.compile(r"(?:^|(?<=\s))[0-9]*<<(-?)(['\"]?)([^\s<'\"]+)\2(?=\s|$)")
_BLANKS = " \t\r\f\v"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: keyword in upper case, arguments with continuations joined, first line."""

    keyword: str
    arguments: str
    line: int


def escape(text: str) -> str:
    """Return the escape character that a parser directive sets, else the backslash."""
    names: set[str] = set()
    for line in text.split("\n"):
        name, value = _directive(line)
        if name not in _DIRECTIVES - names or not value:
            break
        names.add(name)
        if name == "escape":
            return value if value in {"\\", "`"} else "\\"
    return "\\"


def _directive(line: str) -> tuple[str, str]:
    """Return name and value of a parser directive, `# name = value`; empty of any other line."""
    line = line.strip()
    if len(line) > _MAX_DIRECTIVE_CHARACTERS or not line.startswith("#"):
        return "", ""
    name, _, value = line[1:].partition("=")
    return name.strip().lower(), value.strip()


def split(text: str, escape_character: str) -> Iterator[Instruction]:
    """Yield the instructions in order, without the bodies of heredocs."""
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        joined, line, position = _join(lines, position, escape_character)
        keyword, _, arguments = joined.strip().partition(" ")
        if not keyword:
            continue
        instruction = Instruction(keyword.upper(), arguments.strip(), line)
        yield instruction
        position = _after_heredocs(instruction, lines, position)


def _join(lines: Sequence[str], position: int, escape_character: str) -> tuple[str, int, int]:
    """Join a line with its continuations; return it, its number and the position after it."""
    parts: list[str] = []
    number = position + 1
    while position < len(lines):
        line = lines[position].strip(_BLANKS) if not parts else lines[position].rstrip(_BLANKS)
        position += 1
        if line.lstrip(_BLANKS).startswith("#") or (parts and not line):
            continue
        number = number if parts else position
        continues = line.endswith(escape_character)
        parts.append(line[:-1] if continues else line)
        if not continues:
            break
    return re.sub(r"[\t\r\f\v]", " ", "".join(parts)), number, position


def _after_heredocs(instruction: Instruction, lines: Sequence[str], position: int) -> int:
    """Return the position after the bodies of the instruction's heredocs."""
    keyword, arguments = instruction.keyword, instruction.arguments
    if keyword == "ONBUILD":
        keyword, _, arguments = arguments.partition(" ")
    if keyword.upper() not in WITH_HEREDOCS:
        return position
    for heredoc in _HEREDOC.finditer(arguments):
        position = _after_body(heredoc[3], lines, position, keeps_tabs=not heredoc[1])
    return position


def _after_body(end: str, lines: Sequence[str], position: int, *, keeps_tabs: bool) -> int:
    while position < len(lines):
        line = lines[position].rstrip("\r")
        position += 1
        if (line if keeps_tabs else line.lstrip("\t")) == end:
            break
    return position
