"""Fixtures: API servers to test against, the simulated one and one that follows a script."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from k8s.api import client
from k8s.api.client import Cluster

SERVE = """
import json, pathlib, sys
from app.demo.cluster import serve
serve(kubeconfig=pathlib.Path(sys.argv[1]), **json.loads(sys.argv[2]))
"""


@dataclass
class Simulated:
    """A running simulated API server."""

    process: subprocess.Popen[bytes]
    kubeconfig: Path

    @property
    def cluster(self) -> Cluster:
        """A client of it."""
        return client.connect(str(self.kubeconfig))

    def end(self, by: int = signal.SIGTERM) -> int:
        """End the process and return its status."""
        self.process.send_signal(by)
        return self.process.wait(10)


Start = Callable[..., Simulated]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts simulated API servers, with what `serve` takes."""
    running: list[Simulated] = []

    def start_one(**options: object) -> Simulated:
        kubeconfig = tmp_path_factory.mktemp("simulated") / "kubeconfig"
        command = [sys.executable, "-c", SERVE, str(kubeconfig), json.dumps(options)]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "error"})
        running.append(Simulated(process, kubeconfig))
        deadline = time.monotonic() + 20
        while not kubeconfig.exists():
            assert process.poll() is None, "it ended at once"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return running[-1]

    yield start_one
    for one in running:
        if one.process.poll() is None:
            one.end()


@pytest.fixture(scope="session")
def simulated(start: Start) -> Simulated:
    """One for all tests that use namespaces of their own."""
    return start(startup_seconds=0.3)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Request:
    """A request as the scripted API server sees it."""

    query: dict[str, str]
    write: Callable[[bytes], object]
    answer: Callable[[int], object]

    @property
    def is_watch(self) -> bool:
        """Whether it is a watch."""
        return self.query.get("watch") == "true"


Script = Callable[[Request], None]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[[Script], Cluster]]:
    """Serves a script, which is called with each request; clients of it have no credentials."""
    servers: list[ThreadingHTTPServer] = []

    def serve(script: Script) -> Cluster:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                try:
                    script(Request(query, self.wfile.write, self._answer))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": address}}],
            "users": [{"name": "it", "user": {}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        return client.connect(str(kubeconfig))

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
