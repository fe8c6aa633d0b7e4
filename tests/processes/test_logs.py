"""Logs through all processes, on the simulated cluster."""

import asyncio
import base64
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.fake_lagrange import Job
from app.store.build_log import BuildLog
from tests.support.log_watcher import path, watching
from tests.support.provider import Provider, running
from tests.support.simulated_cluster import SimulatedCluster, serving
from tests.support.spaces import SPACE
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)

_RATE = "SIMULATED_LINES_PER_SECOND"
_WATCHERS, _STUCK = 200, 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    """One simulated cluster for all tests."""
    with serving(tmp_path_factory.mktemp("simulated") / "kubeconfig") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def provider(
    cluster: SimulatedCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """One provider for all tests."""
    folder = tmp_path_factory.mktemp("logs") / "provider"
    with running(folder, Kubeconfig=str(cluster.kubeconfig)) as provider:
        yield provider


def chatty(provider: Provider, folder: Path, rate: int) -> Job:
    """Run a task that writes so many lines a second."""
    folder.mkdir()
    text = SPACE.replace("image: nginx:1.27", f"image: nginx:1.27\n    env: [{_RATE}={rate}]")
    (folder / "deploy.yaml").write_text(text)
    return provider.assign(folder)


def address(provider: Provider, job: Job, kind: str = "container") -> str:
    """The address of a log."""
    return f"ws://127.0.0.1:{provider.port}{path(provider.context, job.uuid, kind)}"


def regular(lines: list[str]) -> list[int]:
    """The numbers of the chatty container's lines."""
    return [int(match[1]) for line in lines if (match := re.search(r"\] line (\d+)$", line))]


def resident_mib(pid: int) -> int:
    """MiB that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1]) >> 10


def threads(provider: Provider, name: str) -> int:
    """The number of a process's threads."""
    return len(list(Path(f"/proc/{provider.pids(name)[-1]}/task").iterdir()))


def test_all_containers_and_the_end(provider: Provider, tmp_path: Path) -> None:
    """Every container's lines come, beginning before the task runs, until it is over."""
    job = chatty(provider, tmp_path / "space", 50)
    with watching(address(provider, job)) as watcher:
        watcher.until("] line 100", "nginx:1.27 runs", "redis:7 runs", "node:22 runs")
        assert sum("node:22 runs" in line for line in watcher.lines) == 2
        assert len({line.split()[1] for line in watcher.lines if " runs" in line}) == 4
        provider.terminate(job)
        assert watcher.end() == (1000, "the task is terminated (ended by the tenant)")
    found = regular(watcher.lines)
    assert found == list(range(len(found)))


def test_nothing_is_left_when_the_client_leaves(provider: Provider, tmp_path: Path) -> None:
    """With the last watcher every thread and every connection to the API server end."""
    job = chatty(provider, tmp_path / "space", 50)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    before = threads(provider, "watcher")
    with watching(address(provider, job)) as watcher:
        watcher.until("] line 10", "redis:7 runs", "node:22 runs")
        assert threads(provider, "watcher") >= before + 4
    eventually("no more threads", lambda: threads(provider, "watcher") <= before, seconds=5)
    with watching(address(provider, job)) as watcher:
        watcher.until("] line 100")
        watcher.connection.socket.shutdown(socket.SHUT_RDWR)
        eventually("no more threads", lambda: threads(provider, "watcher") <= before, seconds=5)


def test_the_reader_dies(provider: Provider, tmp_path: Path) -> None:
    """When the process that reads is killed, the next one goes on exactly where it was."""
    job = chatty(provider, tmp_path / "space", 50)
    with watching(address(provider, job)) as watcher:
        watcher.until("] line 100")
        provider.kill("watcher")
        watcher.until("] line 700", seconds=40)
    found = regular(watcher.lines)
    assert found == list(range(len(found)))
    assert sum("redis:7 runs" in line for line in watcher.lines) == 1


def test_the_command_shows_the_same(provider: Provider, tmp_path: Path) -> None:
    """`task logs` shows what there is and ends; with -f it goes on until the task is over."""
    job = chatty(provider, tmp_path / "space", 50)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    log = BuildLog(provider.context.redis, job.uuid)
    log.tell("step 1")
    log.end()
    assert _command(provider, job, "--build") == (0, "step 1\n")
    status, shown = _command(provider, job, "--tail", "3")
    assert status == 0
    assert len(regular(shown.splitlines())) == 3
    assert "redis:7 runs" in shown
    following = subprocess.Popen(
        [*_program(provider), job.uuid, "-f"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(3)
    provider.terminate(job)
    shown, _ = following.communicate(timeout=30)
    found = regular(shown.splitlines())
    assert found == list(range(len(found)))
    assert following.returncode == 0
    assert _command(provider, job)[0] == 1


def _program(provider: Provider) -> list[str]:
    return [sys.executable, "-m", "app.cli", "--cp-repo", str(provider.folder), "task", "logs"]


def _command(provider: Provider, job: Job, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [*_program(provider), job.uuid, *options],
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


class _Client(asyncio.Protocol):
    """Watches as cheaply as can be: counts lines."""

    def __init__(self, target: str) -> None:
        self.lines = 0
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the log."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Count."""
        self.lines += data.count(b"] line ")


def test_200_watchers_of_thousands_of_lines(
    provider: Provider, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    """200 watchers, some of whom take nothing, see thousands of lines a second; nothing grows."""
    job = chatty(provider, tmp_path / "space", 4000)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    target = path(provider.context, job.uuid)
    pids = {name: provider.pids(name)[-1] for name in ("web", "watcher")}
    pids["cluster"] = cluster.process.pid

    async def watch() -> tuple[dict[str, int], dict[str, int], list[int]]:
        loop = asyncio.get_running_loop()
        clients = []
        for number in range(_WATCHERS):
            _, client = await loop.create_connection(
                lambda: _Client(target), "127.0.0.1", provider.port
            )
            if number < _STUCK:
                client.transport.pause_reading()
            clients.append(client)
        await asyncio.sleep(4)
        first, began = [client.lines for client in clients], time.monotonic()
        before = {name: resident_mib(pid) for name, pid in pids.items()}
        await asyncio.sleep(6)
        seconds = time.monotonic() - began
        after = {name: resident_mib(pid) for name, pid in pids.items()}
        rates = [int((one.lines - was) / seconds) for one, was in zip(clients, first, strict=True)]
        for client in clients:
            client.transport.abort()
        return before, after, rates[_STUCK:]

    before, after, rates = asyncio.run(watch())
    assert min(rates) > 3000
    for name in pids:
        assert after[name] - before[name] < 16, (before, after)
    assert after["web"] < 200
    assert provider.read("/healthz")
