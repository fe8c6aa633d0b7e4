# ruff: noqa: INP001 - a file of a Space, not of a package.
"""Counts visitors in Redis and answers a page that says how many there were."""

import html
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<title>Visitors</title>
<h1>{greeting}</h1>
<p>nginx asked a small API, which asked Redis: you are visitor number {count}.</p>
"""


def count_visitor() -> int:
    """Return the number of this visitor."""
    host, _, port = os.environ["MEMORY"].partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"INCR visitors\r\n")
        return int(connection.makefile().readline().removeprefix(":"))


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with the page."""

    def do_GET(self) -> None:
        """Count, and tell."""
        page = PAGE.format(greeting=html.escape(os.environ["GREETING"]), count=count_visitor())
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
