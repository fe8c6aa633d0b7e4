"""A watcher of logs, on a WebSocket client made by others."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from app.context import Context
from app.web import signed_urls

_OPEN_SECONDS = 10


@dataclass
class Watcher:
    """A connection, and the frames that came on it."""

    connection: ClientConnection
    lines: list[str] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)

    def read(self, seconds: float) -> bool:
        """Take one frame; tell whether one came."""
        try:
            frame = self.connection.recv(timeout=seconds)
        except TimeoutError:
            return False
        assert isinstance(frame, str)
        if frame == "ping":
            self.pings.append(time.monotonic())
        else:
            self.lines.append(frame)
        return True

    def until(self, *words: str, seconds: float = 60) -> list[str]:
        """Read until each of these words was told; return all lines."""
        deadline = time.monotonic() + seconds
        left, seen = set(words), 0
        while True:
            left -= {word for word in left if any(word in line for line in self.lines[seen:])}
            seen = len(self.lines)
            if not left:
                return self.lines
            if not self.read(max(0.01, deadline - time.monotonic())):
                raise AssertionError(f"not within {seconds} s: {left}; last: {self.lines[-5:]}")

    def pass_time(self, seconds: float) -> None:
        """Read whatever comes for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    def end(self, seconds: float = 20) -> tuple[int, str]:
        """Read until the provider closes the connection; return its code and reason."""
        deadline = time.monotonic() + seconds
        try:
            while self.read(max(0.01, deadline - time.monotonic())):
                pass
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (0, "")
        raise AssertionError("the connection stays open")

    def texts(self, start: str) -> list[str]:
        """The texts of containers whose label begins so."""
        found = [line.split(" ", 2) for line in self.lines]
        return [text for _, label, text in found if label.startswith(f"[{start}")]


@contextmanager
def watching(address: str, *, tls: ssl.SSLContext | None = None) -> Iterator[Watcher]:
    """Watch a log while the block runs."""
    with connect(
        address, ssl=tls, compression=None, open_timeout=_OPEN_SECONDS, close_timeout=1
    ) as connection:
        yield Watcher(connection)


def path(context: Context, task_id: str, kind: str = "container") -> str:
    """Return the path and query at which a log of a task can be seen."""
    task = context.store.get(task_id)
    assert task is not None
    parts = urlsplit(signed_urls.LogUrlSigner(context.config, context.identity).url(task, kind))
    return f"{parts.path}?{parts.query}"


def refused(address: str, *, tls: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Return the status and the code with which a connection is refused."""
    with pytest.raises(InvalidStatus) as error, watching(address, tls=tls):
        pass
    response = error.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, json.loads(response.body or b"")["code"]
