"""A server of files for tests: parts of them, broken connections, digests, in any mix."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class File:
    """A file, and how it is served.

    Attributes:
        content: Its bytes.
        headers: Sent with it.
        breaks: The connection ends after so many bytes of an answer, so many times.
        statuses: Answered first, one a request.
        whole: Parts are not served.
        location: Where it redirects to.
    """

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    whole: bool = False
    location: str = ""


@dataclass
class Server:
    """Files by path; `asked` has path, Range and If-Range of every request."""

    url: str = ""
    files: dict[str, File] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Server]:
    """Serve files on an address of this machine."""
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked, condition = self.headers.get("Range", ""), self.headers.get("If-Range", "")
            found.asked.append((self.path, asked, condition))
            file = found.files.get(self.path)
            if file is None or file.statuses:
                self.send_error(file.statuses.pop(0) if file else 404)
            else:
                _answer(self, file, asked, condition)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        found.url = f"http://{host}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, file: File, asked: str, condition: str) -> None:
    if file.location:
        handler.send_response(302)
        for name, value in {"Location": file.location, "Content-Length": "0"}.items():
            handler.send_header(name, value)
        for name, value in file.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        return
    part = re.fullmatch(r"bytes=(\d+)-", asked)
    same = condition in {"", file.headers.get("ETag", ""), file.headers.get("Last-Modified", "")}
    start = int(part[1]) if part and same and not file.whole else 0
    if start and start >= len(file.content):
        handler.send_error(416)
        return
    body = file.content[start:]
    handler.send_response(206 if start else 200)
    if start:
        whole = len(file.content)
        handler.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
    for name, value in {"Content-Length": str(len(body)), **file.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if file.breaks:
        handler.wfile.write(body[: file.breaks.pop(0)])
        handler.close_connection = True
        return
    handler.wfile.write(body)
