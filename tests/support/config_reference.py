"""The reference of configuration keys in docs/configuration.md, made from config.toml.sample."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->\n"
_TABLE = re.compile(r"\[(?P<name>\w+)\]")
_KEY = re.compile(r"(?P<name>\w+) = (?P<default>.+)")
# `[BUILD] Network`, or the table alone.
_MENTION = re.compile(r"\[[A-Z]\w+\](?: [A-Z]\w+)?(?!\()")


@dataclass(frozen=True, slots=True)
class Entry:
    """A table (no key), or one of its keys with its default as TOML; and its explanation."""

    table: str
    key: str
    default: str
    explanation: str


def entries(sample: str) -> Iterator[Entry]:
    """Yield what a sample explains: each table and each key, in its order."""
    table, comment = "", [""]
    for line in sample.splitlines():
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
            continue
        if found := _TABLE.fullmatch(line):
            table = found["name"]
            yield Entry(table, "", "", " ".join(comment))
        elif found := _KEY.fullmatch(line):
            yield Entry(table, found["name"], found["default"], " ".join(comment))
        comment = []


def reference(sample: str) -> str:
    """Return the reference as Markdown: a section for each table, a row for each key."""
    lines: list[str] = []
    for entry in entries(sample):
        explanation = _markdown(entry.explanation)
        if entry.key:
            lines.append(f"| `{entry.key}` | `{entry.default}` | {explanation} |")
        else:
            head = ("| key | default | |", "|---|---|---|")
            lines += ["", f"### `[{entry.table}]`", "", explanation, "", *head]
    return "\n".join(lines[1:]) + "\n"


def _markdown(text: str) -> str:
    """Return plain text as Markdown, but for its backticks; mentions of keys are code."""
    parts = re.split(r"(`[^`]+`)", text)
    parts[::2] = (
        _MENTION.sub(lambda mention: f"`{mention[0]}`", re.sub(r"([*|])", r"\\\1", part))
        for part in (html.escape(part, quote=False) for part in parts[::2])
    )
    return "".join(parts)
