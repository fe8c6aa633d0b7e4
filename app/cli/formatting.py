"""Formatting for the terminal: untrusted text, ids, durations, times and colours of states."""

import math
import time
import unicodedata
from datetime import UTC, datetime

_ID_CHARACTERS = 8
_MAX_PERIOD_SECONDS = 10**9
_ZERO_WIDTH_JOINER = "\u200d"
_COLOURS = {
    "running": "green",
    "failed": "red",
    "unreadable": "red",
    "expired": "bright_black",
    "terminated": "bright_black",
    "terminating": "yellow",
}


def text(untrusted: str | None) -> str:
    """Return text on one line, as `visible` shows it; `-` for none."""
    return visible(" ".join(untrusted.split("\n"))) if untrusted else "-"


def visible(untrusted: str) -> str:
    r"""Return text with everything escaped (`\u202e`) that a terminal obeys, reorders or hides.

    This is the one rule for what others wrote: control, format and bidirectional characters, line
    and paragraph separators, and what is no character. Emoji keep the joiner between their parts.
    """
    return untrusted if untrusted.isprintable() else "".join(map(_escaped, untrusted))


def _escaped(character: str) -> str:
    if character.isprintable() or character == _ZERO_WIDTH_JOINER:
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode()


def short_id(identifier: str) -> str:
    """Return the beginning of an id."""
    line = text(identifier)
    return line if len(line) <= _ID_CHARACTERS + 3 else f"{line[:_ID_CHARACTERS]}…"


def period(seconds_text: str) -> str:
    """Return seconds, as Lagrange writes them, as `h:mm:ss`; anything else as it is."""
    try:
        seconds = float(seconds_text)
    except ValueError:
        return text(seconds_text)
    if not math.isfinite(seconds) or not 0 <= seconds < _MAX_PERIOD_SECONDS:
        return text(seconds_text)
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def moment(seconds: float | None) -> str:
    """Return unix seconds as date and time in UTC; `-` for none."""
    if seconds is None:
        return "-"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"


def ago(seconds: float) -> str:
    """Return the time since a moment (unix seconds), as `0:01:00 ago`."""
    return f"{period(str(max(0.0, time.time() - seconds)))} ago"


def colour(state: str) -> str:
    """Return the colour of a task's state."""
    return _COLOURS.get(state, "cyan")
