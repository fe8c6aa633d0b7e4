"""The instructions of a Dockerfile: comments, continuations and heredocs dealt with."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(\S.*?)\s*")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_WITH_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})
_HEREDOC = re.compile(r"(?:^|(?<=\s))[0-9]*<<(-?)(['\"]?)([^\s<'\"]+)\2(?=\s|$)")
_BLANKS = " \t\r\f\v"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its word in upper case, and what follows it, continuations included."""

    word: str
    arguments: str


def escape(text: str) -> str:
    """Return the escape character that a directive at the top chooses, else the backslash."""
    seen: set[str] = set()
    for line in text.split("\n"):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None or (name := directive[1].lower()) not in _DIRECTIVES - seen:
            break
        seen.add(name)
        if name == "escape":
            return directive[2] if directive[2] in {"\\", "`"} else "\\"
    return "\\"


def split(text: str, escape_character: str) -> Iterator[Instruction]:
    """Yield the instructions in order; the bodies of heredocs are left out."""
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        joined, position = _joined(lines, position, escape_character)
        word, _, arguments = joined.strip().partition(" ")
        if not word:
            continue
        instruction = Instruction(word.upper(), arguments.strip())
        yield instruction
        position = _after_heredocs(instruction, lines, position)


def _joined(lines: Sequence[str], position: int, escape_character: str) -> tuple[str, int]:
    """Return one instruction's line with its continuations, and the position after them."""
    parts: list[str] = []
    while position < len(lines):
        line = lines[position].strip(_BLANKS) if not parts else lines[position].rstrip(_BLANKS)
        position += 1
        if line.lstrip(_BLANKS).startswith("#") or (parts and not line):
            continue
        continues = line.endswith(escape_character)
        parts.append(line[:-1] if continues else line)
        if not continues:
            break
    return re.sub(r"[\t\r\f\v]", " ", "".join(parts)), position


def _after_heredocs(instruction: Instruction, lines: Sequence[str], position: int) -> int:
    """Return the position after the bodies that the instruction's heredocs announce."""
    word, arguments = instruction.word, instruction.arguments
    if word == "ONBUILD":
        word, _, arguments = arguments.partition(" ")
    if word.upper() not in _WITH_HEREDOCS:
        return position
    for heredoc in _HEREDOC.finditer(arguments):
        position = _after(heredoc[3], lines, position, tabs_count=not heredoc[1])
    return position


def _after(end: str, lines: Sequence[str], position: int, *, tabs_count: bool) -> int:
    while position < len(lines):
        line = lines[position].rstrip("\r")
        position += 1
        if (line if tabs_count else line.lstrip("\t")) == end:
            break
    return position
