"""A proxy that writes down what passes: each request and its answer, as they were on the wire."""

import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.docs.examples import Headers

_SECONDS = 10
_POLL_SECONDS = 0.02
_OWN = {"transfer-encoding", "date", "server", "content-length"}
_OF_THE_FILE = {"etag", "last-modified", "accept-ranges"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; header names are lower case."""

    method: str
    target: str
    headers: Headers
    body: str
    status: int
    answer_headers: Headers
    answer_body: str


@dataclass
class Recorder:
    """Forwards to a server on this machine, as long as its block runs."""

    target: str
    exchanges: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                exchange = outer._forwarded(self.command, self.path, dict(self.headers), body)
                outer.exchanges.append(exchange)
                self.send_response(exchange.status)
                content = exchange.answer_body.encode()
                for name, value in exchange.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = forward  # noqa: N815 - the names that it looks for.

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _forwarded(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> Exchange:
        where = urlsplit(self.target)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_SECONDS)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Exchange(
                method,
                target,
                {name.lower(): value for name, value in headers.items()},
                body.decode(),
                answer.status,
                {name: value for name, value in found.items() if name not in _OWN | _OF_THE_FILE},
                answer.read().decode(),
            )
        finally:
            connection.close()
