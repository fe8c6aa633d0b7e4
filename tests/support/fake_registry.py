"""A registry for tests that answers whatever they want."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class FakeRegistry:
    """A server on the loopback interface; `answer` decides by path and Authorization.

    Attributes:
        asked: Path and Authorization of every request.
        deleted: Paths of those with the method DELETE.
    """

    url: str = ""
    answer: Callable[[str, str], Answer] = lambda _path, _authorization: (404, {}, b"")
    asked: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its address as image names have it."""
        return self.url.removeprefix("http://")

    def json(self, **document: str) -> Answer:
        """Return an answer with this document."""
        return 200, {}, json.dumps(document).encode()


@contextmanager
def serving() -> Iterator[FakeRegistry]:
    """Serve a registry."""
    found = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            found.asked.append((self.path, authorization))
            status, headers, body = found.answer(self.path, authorization)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_DELETE(self) -> None:
            found.deleted.append(self.path)
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()
