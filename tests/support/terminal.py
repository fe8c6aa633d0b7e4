"""A real terminal for tests: what a command shows there, and what is typed."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from app.processes.supervisor import end
from tests.support.documents import ROOT

_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")


@dataclass
class Terminal:
    """A command on a terminal, and everything that it has written there."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    written: str = ""

    @property
    def text(self) -> str:
        """Its output, without colours and movements."""
        return _SEQUENCE.sub("", self.written).replace("\r", "")

    def read(self, seconds: float) -> bool:
        """Take in what comes; tell whether there may be more."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return True
        try:
            content = os.read(self.descriptor, 1 << 16)
        except OSError:
            return False
        self.written += content.decode(errors="replace")
        return bool(content)

    def wait_for(self, words: str, *, seconds: float = 20) -> None:
        """Return once these words are there."""
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert self.read(0.1), f"ended without {words!r}:\n{self.text}"
            assert time.monotonic() < deadline, f"no {words!r} in:\n{self.text}"

    def type(self, text: str) -> None:
        """Type something, as keys send it."""
        os.write(self.descriptor, text.encode())

    def interrupt(self, *, seconds: float = 20) -> int:
        """Press Ctrl-C; CPython misses one that comes just before it reads a line.

        Returns:
            The exit code.
        """
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.type("\x03")
            pressed_at = time.monotonic()
            while self.process.poll() is None and time.monotonic() < pressed_at + 3:
                self.read(0.05)
        return self.end()

    def end(self, *, seconds: float = 20) -> int:
        """Return the exit code once it ended."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        while self.read(0.05) and select.select([self.descriptor], [], [], 0)[0]:
            pass
        return self.process.wait(20)


@contextmanager
def terminal(
    *arguments: str, environment: Mapping[str, str] = {}, columns: int = 120, rows: int = 40
) -> Iterator[Terminal]:
    """Run `computing-provider` with these arguments on a terminal of this size."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    foreign = ("CP_", "COLUMNS", "LINES")  # pytest-xdist sets a size.
    inherited = {name: one for name, one in os.environ.items() if not name.startswith(foreign)}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**inherited, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_control,  # noqa: PLW1509 - one system call.
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        with suppress(ProcessLookupError):
            end(process, 1)
        os.close(ours)


def _control() -> None:
    """Make the terminal the process's own, so that Ctrl-C reaches it, as a shell does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ignored, where tests run in the background.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
