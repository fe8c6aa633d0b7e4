"""A provider that only listens, for tests of the stand-in for Lagrange."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from app.demo.fake_lagrange import (
    Lagrange,
)

WALLET = "0x" + "ab" * 20
HARDWARE = "CPU only · 2 vCPU · 16 GiB"
API = "/api/v1/computing/lagrange"


class Provider:
    """Takes any request and remembers it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((self.command, self.path, headers, body))
                self.send_response(202)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that it looks for.

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def call(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Call the stand-in with urllib; return the status and the JSON."""
    given = {"Authorization": "Bearer token"} | (headers or {})
    request = Request(url, data=body, headers=given)  # noqa: S310 - the stand-in's own URL.
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - likewise.
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def report(lagrange: Lagrange, headers: dict[str, str] | None = None, **body: Any) -> int:
    """Send a callback and return the status of the answer."""
    raw = json.dumps(body).encode()
    return call(f"{lagrange.url}/job/status", raw, headers)[0]
