"""The watch loop against a real API server, over a line that freezes and is cut."""

import os
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from k8s.api import client, watch
from k8s.api.client import Cluster
from k8s.api.objects import Object
from k8s.api.watch import (
    Changed,
    Deleted,
    Listed,
    Timing,
)

TIMING = Timing(
    watch_seconds=2, silence_seconds=3, first_delay_seconds=0.05, longest_delay_seconds=0.2
)


class Line:
    """Carries bytes to the API server and back, unless it is frozen."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.frozen = threading.Event()
        self.ended = threading.Event()
        self._cutting = threading.Event()
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def port(self) -> int:
        """The path of its entry."""
        port: int = self._listener.getsockname()[1]
        return port

    def _run(self) -> None:
        while not self.ended.is_set():
            if self.frozen.is_set():
                time.sleep(0.02)
                continue
            if self._cutting.is_set():
                self._close()
                self._cutting.clear()
            ways = {a: b for near, far in self._pairs for a, b in ((near, far), (far, near))}
            for ready in select.select([self._listener, *ways], [], [], 0.02)[0]:
                if ready is self._listener:
                    near, _ = self._listener.accept()
                    self._pairs.append((near, socket.create_connection(self._address)))
                elif ready.fileno() >= 0:
                    self._carry(ready, ways[ready])
        self._close()
        self._listener.close()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        try:
            data = here.recv(65536)
            there.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._pairs = [pair for pair in self._pairs if here not in pair]
            here.close()
            there.close()

    def cut(self) -> None:
        """Break every connection."""
        self._cutting.set()
        wait(lambda: not self._cutting.is_set())

    def _close(self) -> None:
        pairs, self._pairs = self._pairs, []
        for one in (one for pair in pairs for one in pair):
            one.close()

    def end(self) -> None:
        """Carry no more."""
        self.ended.set()
        self._thread.join()


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The cluster that `KUBECONFIG` names."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("needs a cluster: set KUBECONFIG")
    return client.connect()


@pytest.fixture
def line(cluster: Cluster) -> Iterator[Line]:
    """A line to it."""
    host = urlsplit(cluster._configuration.host)
    found = Line((host.hostname or "", host.port or 443))
    yield found
    found.end()


@pytest.fixture
def path(cluster: Cluster) -> Iterator[str]:
    """The ConfigMaps of a namespace that is deleted afterwards."""
    name = f"watch-{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(f"/api/v1/namespaces/{name}", manifest)
    yield f"/api/v1/namespaces/{name}/configmaps"
    cluster.delete(f"/api/v1/namespaces/{name}")


def through(line: Line) -> Cluster:
    """A client of the cluster that goes through the line."""
    configuration = client.connect()._configuration
    configuration.tls_server_name = urlsplit(configuration.host).hostname
    configuration.host = f"https://127.0.0.1:{line.port}"
    return Cluster(configuration)


def put(cluster: Cluster, path: str, name: str) -> None:
    """Make a ConfigMap."""
    metadata = {"name": name, "labels": {"told": "yes"}}
    cluster.apply(f"{path}/{name}", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


class Follower(threading.Thread):
    """The state that a follower of ConfigMaps has."""

    def __init__(self, cluster: Cluster, path: str) -> None:
        super().__init__()
        self.known: set[str] = set()
        self.listings = 0
        self.troubles: list[str] = []
        self.stopped = threading.Event()
        self._events = watch.follow(
            cluster,
            path,
            Object,
            selector="told=yes",
            stopped=self.stopped,
            on_error=lambda message, _: self.troubles.append(message),
            timing=TIMING,
        )

    def run(self) -> None:
        """Follow."""
        for event in self._events:
            if isinstance(event, Listed):
                self.listings += 1
                self.known = {one.metadata.name for one in event.objects}
            elif isinstance(event, Changed):
                self.known |= {event.object.metadata.name}
            elif isinstance(event, Deleted):
                self.known -= {event.object.metadata.name}


def wait(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def follower(line: Line, path: str) -> Iterator[Follower]:
    """One who follows over the line, and has seen a first listing."""
    found = Follower(through(line), path)
    found.start()
    wait(lambda: found.listings)
    yield found
    found.stopped.set()
    found.join(20)
    assert not found.is_alive()


def test_told(cluster: Cluster, path: str, follower: Follower) -> None:
    """Changes are told over watches that end and begin again, without another listing."""
    for round_ in range(3):
        put(cluster, path, f"one-{round_}")
        wait(lambda: follower.known == {f"one-{round_}"})  # noqa: B023 - waits in this round.
        cluster.delete(f"{path}/one-{round_}")
        wait(lambda: not follower.known)
        time.sleep(0.8)
    assert (follower.listings, follower.troubles) == (1, [])


def test_frozen(cluster: Cluster, path: str, line: Line, follower: Follower) -> None:
    """A line that freezes is noticed, and what happened meanwhile is known afterwards."""
    put(cluster, path, "before")
    wait(lambda: follower.known == {"before"})
    line.frozen.set()
    put(cluster, path, "meanwhile")
    cluster.delete(f"{path}/before")
    wait(lambda: follower.troubles)
    assert "timed out" in follower.troubles[0]
    line.frozen.clear()
    wait(lambda: follower.known == {"meanwhile"})


def test_cut(cluster: Cluster, path: str, line: Line, follower: Follower) -> None:
    """A line that is cut again and again loses nothing."""
    for name in "abc":
        line.cut()
        put(cluster, path, name)
        wait(lambda: name in follower.known)  # noqa: B023 - waits in this round.
    assert follower.known == set("abc")
