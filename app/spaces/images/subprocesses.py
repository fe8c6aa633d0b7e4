"""Running a builder's command: its lines as they come, and its end when it has to end."""

import os
import re
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from k8s.logs import Filter

_POLL_SECONDS = 0.3
_CHUNK_BYTES = 1 << 16
_MAX_LINE_BYTES = 4096
_MAX_LOG_BYTES = 16 << 20
_TAIL_LINES = 20
_SHOWN_LINES = 10
_SHOWN_CHARACTERS = 1500
# A terminal's control sequences (ECMA-48): colours, cursor movements.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")

Check = Callable[[], None]


class TooSlow(Exception):
    """The command was ended at its deadline."""


@dataclass(slots=True)
class OutputLines:
    """A builder's output as lines: cut where they are too long, bounded in all, the last ones kept.

    Attributes:
        tell: Called with each line, in the order in which they come.
        filter: What is done to the bytes first: what is cut in two would not be found.
        tail: The last lines.
    """

    tell: Callable[[str], None]
    filter: Filter = field(default_factory=Filter)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    _begun: bytes = b""
    _left_bytes: int = _MAX_LOG_BYTES

    def take(self, chunk: bytes) -> None:
        """Take what was written; whole lines are told."""
        *whole, self._begun = (self._begun + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            self._line(self.filter.apply(line))
        while len(self._begun) > _MAX_LINE_BYTES + self.filter.reach:
            seen = self.filter.apply(self._begun)
            cut = max(0, min(_MAX_LINE_BYTES, len(seen) - self.filter.reach))
            self._line(seen[:cut])
            self._begun = seen[cut:]

    def end(self) -> None:
        """Tell the line that was begun."""
        self.take(b"\n")

    def ending(self) -> str:
        """Return the last lines as the end of a sentence."""
        text = " | ".join(list(self.tail)[-_SHOWN_LINES:])
        if len(text) > _SHOWN_CHARACTERS:
            text = "…" + text[-_SHOWN_CHARACTERS:]
        return f"; the log ends with: {text}" if text else ""

    def _line(self, line: bytes) -> None:
        for start in range(0, len(line), _MAX_LINE_BYTES):
            text = _plain(line[start : start + _MAX_LINE_BYTES])
            if not text:
                continue
            self.tail.append(text)
            told = self._left_bytes > 0
            self._left_bytes -= len(text)
            if told:
                self.tell(text if self._left_bytes > 0 else "(the rest of this log is left out)")


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    lines: OutputLines,
    deadline: float,
    check: Check,
) -> int:
    """Run a command to its end, and return its exit status.

    When this is left by an error, the command's processes are gone.

    Args:
        command: Its first word is looked up on the environment's PATH.
        environment: All its variables.
        folder: Where it starts.
        lines: Where its output goes, both streams.
        deadline: Monotonic seconds.
        check: Called a few times a second; whatever it raises ends the command.

    Raises:
        TooSlow: The deadline has passed.
        OSError: It cannot be started.
    """
    process = _started(command, environment, folder)
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for.
    with process.stdout as output:
        try:
            for chunk in _read(process, output.fileno(), deadline, check):
                lines.take(chunk)
        finally:
            _end(process)
    lines.end()
    return process.returncode


def _started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - the words are ours, none goes through a shell.
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _read(
    process: "subprocess.Popen[bytes]", output: int, deadline: float, check: Check
) -> Iterator[bytes]:
    """Yield what comes until the process has ended and everything was read."""
    os.set_blocking(output, False)
    checked = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _POLL_SECONDS)
            chunk = os.read(output, _CHUNK_BYTES) if ready else b""
            if chunk:
                yield chunk
            elif ended:
                return
            elif ready:
                time.sleep(_POLL_SECONDS)
            now = time.monotonic()
            if now > deadline:
                raise TooSlow
            if now - checked > _POLL_SECONDS:
                check()
                checked = now


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the whole process group at once; builders leave nothing that they would have to tidy."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _plain(line: bytes) -> str:
    """Return a line without what a terminal would obey."""
    text = _SEQUENCE.sub("", line.decode("utf-8", "replace")).replace("\t", " ")
    return "".join(letter for letter in text if letter.isprintable()).rstrip()
