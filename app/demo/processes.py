"""The end of the provider's processes: all at once, with everything that they started."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.supervisor import Supervisor

_PROC = Path("/proc")


def stop(supervisor: Supervisor, *, seconds: float) -> int:
    """End the processes and return how many there were; by force what does not go in time."""
    running = [child.process for child in supervisor.children if child.process is not None]
    for process in running:
        with suppress(ProcessLookupError):
            process.terminate()
    deadline = time.monotonic() + seconds
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        _kill_session(process.pid)
        process.wait()
    for child in supervisor.children:
        child.process = None
    return len(running)


def _kill_session(leader: int) -> None:
    """Kill what is left of a session; a piece of work has a group of its own in its worker's."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for pid in _members(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _members(session: int) -> Iterator[int]:
    """Yield the processes of a session, as far as this system tells."""
    for entry in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                yield int(entry.parent.name)
