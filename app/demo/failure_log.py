"""The gravest lines in the log of a demonstration that failed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

_GRAVE = {"warning", "error", "critical"}
_KNOWN = {"process", "event", "level", "timestamp"}
_MOST_LINES = 8


def gravest(path: Path) -> list[str]:
    """Return the last warnings and errors, and whatever was printed that is no log line."""
    with suppress(OSError):
        return list(_grave(path.read_text("utf-8", "replace")))[-_MOST_LINES:]
    return []


def _grave(text: str) -> Iterator[str]:
    for line in text.splitlines():
        try:
            entry = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError:
            if line.strip():
                yield line.rstrip()
            continue
        if entry.get("level") in _GRAVE:
            facts = [f"{key}={value}" for key, value in entry.items() if key not in _KNOWN]
            yield " ".join([f"{entry.get('process')}: {entry.get('event')}", *facts])
