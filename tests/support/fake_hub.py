"""A stand-in for Hugging Face: descriptions of models over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Hub:
    """A server on the loopback interface.

    Attributes:
        url: Where it is.
        models: What it says of each model, by its id.
        answers: What it answers instead, by path.
        asked: Path and Authorization of every request.
    """

    url: str = ""
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, path: str) -> Answer:
        """Return what a path answers."""
        if path in self.answers:
            return self.answers[path]
        found = self.models.get(path.removeprefix("/api/models/"))
        return (404, {}, b"{}") if found is None else (200, {}, json.dumps(found).encode())


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve a hub."""
    found = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Authorization", "")))
            status, headers, body = found.answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
