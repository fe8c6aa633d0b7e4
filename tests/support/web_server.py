"""The process `web` for tests: its server in a thread, and a client that does as it is told."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from app.context import Context
from app.processes import supervisor
from app.processes import web as web_process
from tests.support import market
from tests.support.ports import free_port

_SECONDS = 10
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Web:
    """The port of a provider, and requests to it."""

    port: int

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float = _SECONDS,
    ) -> Answer:
        """Make one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """POST."""
        return self.call("POST", path, body, headers)

    def send(self, message: market.Signed, path: str = "/webhooks") -> Answer:
        """POST a signed message."""
        return self.post(path, message.body, message.headers)

    def webhook(self, kind: str, data: Any) -> Answer:
        """Sign an event and send it."""
        return self.send(market.signed(kind, data))

    def connect(self) -> socket.socket:
        """Return a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), _SECONDS)


@contextmanager
def serving(context: Context) -> Iterator[Web]:
    """Serve as the process `web` does, in a thread."""
    server = web_process.server(context, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + _SECONDS
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.005)
    try:
        yield Web(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(_SECONDS)


@contextmanager
def processes(folder: Path, count: int, **environment: str) -> Iterator[list[int]]:
    """Run several processes `web` on one folder; yield their ports."""
    ports = [free_port() for _ in range(count)]
    with ExitStack() as stack:
        for port in ports:
            given = {**os.environ, **environment, "CP_PATH": str(folder), "CP_API_PORT": str(port)}
            process = supervisor.start(supervisor.own("web"), given)
            stack.callback(supervisor.end, process, _SECONDS)
        for port in ports:
            wait_ready(Web(port))
        yield ports


def wait_ready(web: Web) -> None:
    """Return once it says that it is ready."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with suppress(OSError):
            if web.call("GET", "/readyz").status == HTTPStatus.OK:
                return
        assert time.monotonic() < deadline, "web does not become ready"
        time.sleep(0.02)
