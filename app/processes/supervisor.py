"""The supervisor of `run`: starts all processes, restarts what dies, shuts down in order."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import structlog

log = structlog.get_logger()

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
_STEADY_SECONDS = 20.0
_POLL_SECONDS = 0.1
_STOP_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One supervised process: its name, its command and its restarts."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    failures: int = 0
    start_at: float = 0


@dataclass
class Supervisor:
    """Keeps children running, and stops them in the order in which they are listed.

    Attributes:
        children: The processes.
        environment: Their environment variables.
    """

    children: Sequence[Child]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Keep the children running until SIGTERM or SIGINT, then stop them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            while not self._stopped.wait(_POLL_SECONDS):
                self.tick()
        finally:
            self.stop()

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._stopped.set()

    def tick(self) -> None:
        """Start each child that does not run and whose back-off is over."""
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._schedule_restart(child, now)
            if child.process is None and now >= child.start_at:
                child.process = start(child.command, self.environment)
                child.started_at = now
                log.info("process started", name=child.name, pid=child.process.pid)

    def _schedule_restart(self, child: Child, now: float) -> None:
        assert child.process is not None  # noqa: S101 - the caller's condition.
        steady = now - child.started_at > _STEADY_SECONDS
        child.failures = 1 if steady else child.failures + 1
        delay = min(_FIRST_DELAY_SECONDS * 2 ** (child.failures - 1), _LONGEST_DELAY_SECONDS)
        log.error(
            "process died", name=child.name, code=child.process.returncode, again_in_seconds=delay
        )
        child.process, child.start_at = None, now + delay

    def stop(self) -> None:
        """Stop the children one after the other; kill one that does not exit in time."""
        for child in self.children:
            if child.process is not None:
                end(child.process, _STOP_SECONDS)
                log.info("process stopped", name=child.name, code=child.process.returncode)
                child.process = None


def start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a process that the kernel terminates when ours dies, however it dies."""
    return subprocess.Popen(  # noqa: S603 - only our own commands come here.
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, nothing that could lock.
    )


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Terminate a process, wait, and kill what is left of its session."""
    if process.poll() is None:
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    kill_session(process.pid)
    process.wait()


def kill_session(leader: int) -> None:
    """Kill what is left of a session; RQ's work horse has a process group of its own in it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for pid in _members(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _members(session: int) -> Iterator[int]:
    """Yield the processes of a session, as far as /proc lists them."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                yield int(entry.parent.name)


def own(*arguments: str) -> list[str]:
    """Return the command line that starts one of our own commands."""
    return [sys.executable, "-m", "app.cli", *arguments]
