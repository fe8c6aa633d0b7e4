"""Words from tenants, from Lagrange and from other versions, as they are shown to people."""

import math
import time
from datetime import UTC, datetime

_SHORT = 8
_MOST_SECONDS = 10**9
_COLOURS = {
    "running": "green",
    "failed": "red",
    "unreadable": "red",
    "expired": "bright_black",
    "terminated": "bright_black",
    "terminating": "yellow",
}


def text(words: str | None) -> str:
    """Return words on one line, with nothing in them that a terminal would obey; `-` for none."""
    if not words:
        return "-"
    return words if words.isprintable() else "".join(map(_visible, words))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def shortened(name: str) -> str:
    """Return the beginning of an id."""
    shown = text(name)
    return shown if len(shown) <= _SHORT + 3 else f"{shown[:_SHORT]}…"


def period(told: str) -> str:
    """Return seconds, as Lagrange writes them, as `h:mm:ss`; what is no number as it is."""
    try:
        seconds = float(told)
    except ValueError:
        return text(told)
    if not math.isfinite(seconds) or not 0 <= seconds < _MOST_SECONDS:
        return text(told)
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def moment(seconds: float | None) -> str:
    """Return unix seconds as a time of day in UTC."""
    if seconds is None:
        return "-"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"


def ago(seconds: float) -> str:
    """Return how long ago a moment (unix seconds) was."""
    return f"{period(str(max(0.0, time.time() - seconds)))} ago"


def colour(state: str) -> str:
    """Return the colour of a task's state."""
    return _COLOURS.get(state, "cyan")
