"""The end of the provider's processes: all at once, with everything that they started."""

import subprocess
import time
from contextlib import suppress

from app.processes.supervisor import Supervisor, kill_session


def stop(supervisor: Supervisor, *, seconds: float) -> int:
    """End the processes, by force where they take too long, and return how many there were."""
    running = [child.process for child in supervisor.children if child.process is not None]
    for process in running:
        with suppress(ProcessLookupError):
            process.terminate()
    deadline = time.monotonic() + seconds
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        kill_session(process.pid)
        process.wait()
    for child in supervisor.children:
        child.process = None
    return len(running)
