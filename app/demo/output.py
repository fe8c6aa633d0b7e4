"""The demonstration's output: one line for each event, with the seconds since the start."""

import os
import textwrap
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

import click

_WHO_WIDTH = 9
_INDENT = " " * (10 + _WHO_WIDTH + 2)
_LEAST_TEXT_WIDTH = 30
_FIRST_WAIT_SECONDS = 0.7
_WAIT_REFRESH_SECONDS = 0.2
_USUAL_WIDTH = 80
_UNFOLDED = 1_000_000
_CLEAR = "\r\033[K"
_COLOURS = {
    "sent": "cyan",
    "answer": "cyan",
    "callback": "magenta",
    "pod": "blue",
    "url": "green",
    "page": "green",
    "trouble": "red",
}


@dataclass
class Screen:
    """Prints from any thread; colours, folds and shows what it waits for on terminals alone."""

    file: TextIO
    started: float = field(default_factory=time.monotonic)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _waits: bool = field(default=False, init=False)
    _wait_from: float = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._terminal = self.file.isatty()
        self._coloured = self._terminal and not os.environ.get("NO_COLOR")
        self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    def title(self, text: str, note: str) -> None:
        """Print the title."""
        self._write(self._styled(text, bold=True) + "\n" + self._styled(note, dim=True))

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._write("\n" + self._styled(text, bold=True))

    def line(self, who: str, text: str, note: str = "") -> None:
        """Print one event: whose it is, what happened, and what is worth less attention."""
        head = self._styled(f"{self.seconds:6.1f} s", dim=True)
        name = self._styled(f"{who:<{_WHO_WIDTH}}", fg=_COLOURS.get(who))
        self._write(f"{head}  {name}  {self._folded(text, note)}")

    def quote(self, text: str) -> None:
        """Print a line of what somebody else wrote."""
        room = self._room() - 2
        shown = text if len(text) <= room else text[: room - 1] + "…"
        self._write(_INDENT + self._styled("│ ", dim=True) + shown)

    def plain(self, text: str = "") -> None:
        """Print a line as it is."""
        self._write(text)

    def success(self, text: str) -> None:
        """Print the good end."""
        self._end(self._styled("✔", fg="green", bold=True), text)

    def failure(self, text: str) -> None:
        """Print the bad end."""
        self._end(self._styled("✘", fg="red", bold=True), text)

    def _end(self, mark: str, text: str) -> None:
        lines = _wrapped(text, self._width() - 2)
        self._write(f"\n{mark} " + "\n  ".join(lines))

    def waiting(self, what: str) -> None:
        """Show on a terminal what is waited for, once that takes longer than a moment."""
        now = time.monotonic()
        if not self._terminal or now - self._last < _FIRST_WAIT_SECONDS:
            return
        if now - self._wait_from < _WAIT_REFRESH_SECONDS:
            return
        self._wait_from = now
        line = f"{self.seconds:6.1f} s  {'':<{_WHO_WIDTH}}  … {what}"
        room = self._width() - 1
        with self._lock:
            self._waits = True
            self._put(_CLEAR + self._styled(line[:room], dim=True))

    def _folded(self, text: str, note: str) -> str:
        lines = _wrapped(text, self._room())
        if note and len(lines[-1]) + 2 + len(note) <= self._room():
            lines[-1] += "  " + self._styled(note, dim=True)
        elif note:
            lines += [self._styled(one, dim=True) for one in _wrapped(note, self._room())]
        return ("\n" + _INDENT).join(lines)

    def _room(self) -> int:
        return max(self._width() - len(_INDENT), _LEAST_TEXT_WIDTH)

    def _width(self) -> int:
        return _columns(self.file) if self._terminal else _UNFOLDED

    def _styled(
        self, text: str, *, fg: str | None = None, bold: bool = False, dim: bool = False
    ) -> str:
        if not self._coloured:
            return text
        return click.style(text, fg=fg, bold=bold or None, dim=dim or None)

    def _write(self, text: str) -> None:
        with self._lock:
            clear, self._waits = _CLEAR if self._waits else "", False
            self._last = time.monotonic()
            self._put(f"{clear}{text}\n")

    def _put(self, text: str) -> None:
        """Print; a reader who has left does not end the demonstration before it has tidied up."""
        with suppress(OSError):
            self.file.write(text)
            self.file.flush()


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _columns(file: TextIO) -> int:
    with suppress(OSError):
        return os.get_terminal_size(file.fileno()).columns or _USUAL_WIDTH
    return _USUAL_WIDTH
