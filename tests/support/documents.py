"""The project's documents as tests look at them: blocks, tables, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PROTOCOL = ROOT / "docs" / "protocol.md"
FAULTS = ROOT / "docs" / "faults.md"
ALL = (README, ARCHITECTURE, PROTOCOL, FAULTS, ROOT / "CHANGELOG.md")

_BLOCK = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)


def text(document: Path) -> str:
    """Return a document."""
    return document.read_text("utf-8")


def prose(document: Path) -> str:
    """Return a document without its blocks."""
    return _BLOCK.sub("", text(document))


def blocks(document: Path, kind: str, *, below: str = "") -> list[str]:
    """Return the fenced blocks of a kind, of the whole document or of one section."""
    where = section(document, below) if below else text(document)
    return [found["text"] for found in _BLOCK.finditer(where) if found["kind"] == kind]


def section(document: Path, title: str) -> str:
    """Return what stands below a heading, up to the next one of any level."""
    whole = text(document)
    outside = _BLOCK.sub(lambda block: re.sub(r"[^\n]", "x", block[0]), whole)
    headings = [*_SECTION.finditer(outside)]
    for number, heading in enumerate(headings):
        if heading[1] == title:
            end = headings[number + 1].start() if number + 1 < len(headings) else len(whole)
            return whole[heading.end() : end]
    raise AssertionError(f"{document.name} has no section {title!r}")


def cells(document: Path, title: str, *, column: int = 0) -> list[str]:
    """Return one column of the tables of a section, without their heads."""
    found = []
    for line in section(document, title).splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(row) > column:
            found.append(row[column])
    return [one for one in found if not re.fullmatch(r"-*", one)]


def words(lines: list[str]) -> list[str]:
    """Return what stands in backticks."""
    return [word for line in lines for word in re.findall(r"`([^`]+)`", line)]


def commands(document: Path) -> Iterator[str]:
    """Yield every command line of the document's `sh` blocks."""
    for block in blocks(document, "sh"):
        yield from (line for line in block.splitlines() if line.strip())


def mentioned(document: Path) -> Iterator[list[str]]:
    """Yield the words of each `computing-provider …` that the prose mentions in backticks."""
    for found in re.findall(r"`computing-provider ([^`]+)`", prose(document)):
        yield shlex.split(found)
