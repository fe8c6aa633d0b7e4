"""`computing-provider run`: one supervisor that restarts what dies and leaves nothing behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.demo import local_redis
from app.processes.supervisor import own
from tests.support.ports import free_port
from tests.support.provider import descendants
from tests.support.simulated_cluster import SimulatedCluster
from tests.support.waiting import eventually

SECRET = "whsec_" + "QUJD" * 12
SERVES = ("web", "worker", "worker", "watcher", "clock")


@pytest.fixture
def supervisor(tmp_path: Path, cluster: SimulatedCluster) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, running on the simulated cluster."""
    with local_redis.server() as redis_url:
        (tmp_path / "config.toml").write_text(
            f'[API]\nPort = {free_port()}\nDomain = "example.com"\nRedisUrl = "{redis_url}"\n'
            f'[WEBHOOK]\nSecrets = ["{SECRET}"]\n[CLUSTER]\nKubeconfig = "{cluster.kubeconfig}"\n'
        )
        environment = {**os.environ, "CP_PATH": str(tmp_path)}
        process = subprocess.Popen(own("run"), env=environment, stderr=subprocess.DEVNULL)
        eventually("all are started", lambda: len(serving(process.pid)) == len(SERVES))
        yield process
        process.kill()
        process.wait()


def serving(pid: int) -> dict[int, str]:
    """Return the supervisor's own children: pid and command."""
    found = {}
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if len(words) > 1 and words[-2] in SERVES:
                found[int(child)] = words[-2]
    return found


def alive(pids: list[int]) -> list[int]:
    """Return those of the processes that still are."""
    found = []
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


def test_what_dies_is_started_again(supervisor: "subprocess.Popen[bytes]") -> None:
    """A killed process is replaced within seconds; the others are left alone."""
    before = serving(supervisor.pid)
    assert sorted(before.values()) == sorted(SERVES)
    web = next(pid for pid, name in before.items() if name == "web")
    os.kill(web, signal.SIGKILL)
    eventually("another web", lambda: serving(supervisor.pid).keys() - before.keys())
    after = serving(supervisor.pid)
    assert before.keys() - after.keys() == {web}


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_it_shuts_down_in_order(
    supervisor: "subprocess.Popen[bytes]", name: signal.Signals
) -> None:
    """Asked to end, it ends its processes and then itself, with success."""
    below = list(descendants(supervisor.pid))
    time.sleep(1)
    supervisor.send_signal(name)
    assert supervisor.wait(30) == 0
    assert alive(below) == []


def test_its_own_death_ends_its_processes(supervisor: "subprocess.Popen[bytes]") -> None:
    """A kill -9 of the supervisor leaves no process that nobody looks after."""
    below = list(descendants(supervisor.pid))
    supervisor.kill()
    supervisor.wait()
    eventually("all are gone", lambda: not alive(below))
