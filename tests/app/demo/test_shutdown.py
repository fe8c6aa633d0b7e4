"""The end of the provider's processes."""

import subprocess
import sys
import time
from pathlib import Path

from app.demo import shutdown
from app.processes.supervisor import Child, Supervisor

GRANDCHILD = r"""
import os, time
if os.fork() == 0:
    os.setpgrp()
os.write(1, b"%d\n" % os.getpid())
time.sleep(60)
"""


def test_processes_end_with_all_that_they_started() -> None:
    """Even what has a process group of its own is ended with the process that started it."""
    command = [sys.executable, "-c", GRANDCHILD]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(2)]
    child = Child("one", command, process=process)  # type: ignore[arg-type] # Its output is text.
    assert shutdown.stop(Supervisor([child]), seconds=5) == 1
    process.stdout.close()
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
