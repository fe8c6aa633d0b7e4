"""The project's documents, parsed for tests: blocks, tables, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
ARCHITECTURE = DOCS / "architecture.md"
CONFIGURATION = DOCS / "configuration.md"
FAULTS = DOCS / "faults.md"
INSTALL = DOCS / "install.md"
OPERATIONS = DOCS / "operations.md"
PROTOCOL = DOCS / "protocol.md"
TENANTS = DOCS / "tenants.md"
TROUBLESHOOTING = DOCS / "troubleshooting.md"
# docs/changelog.md is a link to CHANGELOG.md, for the site.
ALL = (
    *(README, ROOT / "CONTRIBUTING.md", CHANGELOG),
    *sorted(path for path in DOCS.glob("*.md") if not path.is_symlink()),
)

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
    return [block["text"] for block in _BLOCK.finditer(where) if block["kind"] == kind]


def section(document: Path, title: str) -> str:
    """Return the text below a heading, up to the next one of any level."""
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
    column_cells = []
    for line in section(document, title).splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(row) > column:
            column_cells.append(row[column])
    return [cell for cell in column_cells if not re.fullmatch(r"-*", cell)]


def words(lines: list[str]) -> list[str]:
    """Return the words in backticks."""
    return [word for line in lines for word in re.findall(r"`([^`]+)`", line)]


def commands(document: Path) -> Iterator[str]:
    """Yield every command line of the document's `sh` blocks."""
    for block in blocks(document, "sh"):
        yield from (line for line in block.splitlines() if line.strip())


def mentioned(document: Path) -> Iterator[list[str]]:
    """Yield the words of each `computing-provider …` that the prose mentions in backticks."""
    for command in re.findall(r"`computing-provider ([^`]+)`", prose(document)):
        yield shlex.split(command)
