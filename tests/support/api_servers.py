"""Fixtures: API servers to test against, the simulated one and one that follows a script."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from k8s.api import client
from k8s.api.client import Cluster
from tests.support import ports
from tests.support.simulated_cluster import SimulatedCluster, serving

Start = Callable[..., SimulatedCluster]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts simulated API servers, with what `serve` takes."""
    with ExitStack() as stack:

        def start(**options: object) -> SimulatedCluster:
            kubeconfig = tmp_path_factory.mktemp("simulated") / "kubeconfig"
            return stack.enter_context(serving(kubeconfig, **options))

        yield start


@pytest.fixture(scope="session")
def simulated(start: Start) -> SimulatedCluster:
    """One for all tests that use namespaces of their own."""
    return start(startup_seconds=0.3)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    return ports.free_port()


@dataclass(frozen=True)
class Request:
    """A request as the scripted API server sees it."""

    query: dict[str, str]
    write: Callable[[bytes], object]
    answer: Callable[[int], object]

    @property
    def is_watch(self) -> bool:
        """Tell whether it is a watch."""
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
