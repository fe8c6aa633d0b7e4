"""Limits of requests, on real connections."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.context import open_context
from app.web import request_limits
from tests.support import market
from tests.support.problem_documents import problem
from tests.support.redis_contents import unchanged
from tests.support.web_server import Web, serving

HEAD = b"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits that a test can wait for."""
    monkeypatch.setattr(request_limits, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(request_limits, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(request_limits, "LINGER_SECONDS", 0.3)


@pytest.fixture
def connection(web: Web) -> Iterator[socket.socket]:
    """A bare connection."""
    with web.connect() as connection:
        yield connection


def rest(connection: socket.socket, *, seconds: float = 20) -> bytes:
    """Return all bytes until the server closes; fail when it does not in time."""
    connection.settimeout(seconds)
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            received += chunk
    return received


def trickle(connection: socket.socket, data: bytes, *, seconds: float = 20) -> bytes:
    """Send one byte after the other until the server answers; return the answer."""
    connection.settimeout(0.03)
    deadline = time.monotonic() + seconds
    for byte in data:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(bytes([byte]))
        with suppress(TimeoutError):
            return connection.recv(1 << 16)
        assert time.monotonic() < deadline, "the server waits for ever"
    raise AssertionError("all was sent")


def test_longest_body(provider_folder: Path, redis_url: str) -> None:
    """A body of the limit's length is read, one byte more is refused, announced or not."""
    text = market.configuration(redis_url).replace("[WEBHOOK]", "[WEBHOOK]\nMaxBodyBytes = 5000")
    (provider_folder / "config.toml").write_text(text)
    body = market.event("job.assigned", market.job(note="x" * 10))
    for more, status in ((0, 202), (1, 413)):
        padded = body + b" " * (5000 - len(body) + more)
        with serving(open_context(str(provider_folder))) as web:
            answer = web.post("/webhooks", padded, market.v1(padded))
            assert answer.status == status
            headers = market.v1(padded) | {"transfer-encoding": "chunked"}
            chunked = b"".join(b"1f4\r\n%s\r\n" % padded[i : i + 500] for i in range(0, 5000, 500))
            chunked += b"1\r\n \r\n" * more + b"0\r\n\r\n"
            assert web.post("/webhooks", chunked, headers).status == status


@pytest.mark.parametrize("path", ["/webhooks", "/api/v1/computing/lagrange/jobs"])
def test_announced_bodies_are_not_awaited(web: Web, redis_url: str, path: str) -> None:
    """A length beyond the limit is refused at once, before the body comes."""
    with unchanged(redis_url), web.connect() as connection:
        connection.settimeout(20)
        head = HEAD.replace(b"/webhooks", path.encode())
        connection.sendall(head + b"content-length: 99999999999\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")


def test_endless_chunks(web: Web, redis_url: str) -> None:
    """A body without an end is refused when it is too long, and the answer arrives."""
    body = b"x" * (4 << 20)
    headers = {"transfer-encoding": "chunked"}
    chunked = b"100000\r\n%s\r\n" % body[: 1 << 20]
    with unchanged(redis_url):
        answer = web.post("/webhooks", chunked * 4 + b"0\r\n\r\n", headers)
        assert problem(answer) == (413, "too_large")
        answer = web.post("/webhooks", body)
        assert problem(answer) == (413, "too_large")


@pytest.mark.usefixtures("hurried")
def test_after_a_refusal_the_rest_is_cut_off(connection: socket.socket) -> None:
    """A client that goes on sending after the response is disconnected soon."""
    connection.sendall(HEAD + b"content-length: 99999999\r\n\r\n")
    answer = trickle(connection, b"x" * 900)
    assert answer.startswith(b"HTTP/1.1 413 ")
    started = time.monotonic()
    with suppress(BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(b"x")
            assert time.monotonic() < started + 20, "the server reads for ever"
            time.sleep(0.02)


@pytest.mark.usefixtures("hurried")
def test_a_refused_body_that_ends_in_time(connection: socket.socket) -> None:
    """A connection whose refused body ends goes on to be used."""
    connection.settimeout(20)
    length = (1 << 20) + 1
    connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % length + b"x" * length)
    assert b" 413 " in connection.recv(1 << 16)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert rest(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("hurried")
def test_slow_body(connection: socket.socket, redis_url: str) -> None:
    """A body that drips is refused, however steadily it does."""
    connection.sendall(HEAD + b"content-length: 1000\r\n\r\n")
    with unchanged(redis_url):
        assert trickle(connection, b"x" * 1000).startswith(b"HTTP/1.1 408 ")
        rest(connection)


@pytest.mark.usefixtures("hurried")
def test_slow_chunks(connection: socket.socket) -> None:
    """A chunked body that drips is refused as well."""
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    assert trickle(connection, b"1\r\nx\r\n" * 500).startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("sent", [b"", b"POST", HEAD])
def test_no_head(connection: socket.socket, sent: bytes) -> None:
    """A head that does not end in time is not waited for, even if it never began."""
    connection.sendall(sent)
    answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


@pytest.mark.usefixtures("hurried")
def test_slow_head(connection: socket.socket) -> None:
    """A head that drips is refused."""
    assert trickle(connection, HEAD * 9).startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("hurried")
def test_slow_second_head(connection: socket.socket) -> None:
    """A further request on the same connection has to be as quick."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    time.sleep(0.5)
    assert trickle(connection, HEAD * 9).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"x: " + b"y" * (33 << 10) + b"\r\n\r\n",
        HEAD + b"x: y\r\n" * (6 << 10) + b"\r\n",
        b"GET /" + b"y" * (33 << 10) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        HEAD + b"x: " + b"y" * (1 << 20),
        b"y" * (1 << 20),
    ],
    ids=["long value", "many fields", "long path", "endless value", "endless method"],
)
def test_large_heads(connection: socket.socket, head: bytes, redis_url: str) -> None:
    """A head is bounded, whether it comes at once or never ends."""
    with unchanged(redis_url):
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head)
        assert rest(connection).split(b" ")[1:2] in ([b"431"], [b"400"], [])


def test_a_large_head_is_told(connection: socket.socket) -> None:
    """The response to a head that is too large is 431."""
    connection.sendall(HEAD + b"x: " + b"y" * (33 << 10) + b"\r\n\r\n")
    assert rest(connection).startswith(b"HTTP/1.1 431 ")


def test_endless_trailers(connection: socket.socket) -> None:
    """Trailers are bounded as a head is."""
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
    with suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(200):
            connection.sendall(b"x: y\r\n" * 1000)
            time.sleep(0.001)
        raise AssertionError("the server reads for ever")
    rest(connection)


def test_cut_off(web: Web, redis_url: str) -> None:
    """A body that ends early is no request."""
    with unchanged(redis_url):
        with web.connect() as connection:
            connection.sendall(HEAD + b"content-length: 1000\r\n\r\n{")
        assert web.call("GET", "/healthz").status == 200


def test_a_slow_one_holds_up_nobody(web: Web) -> None:
    """While many requests hang, others are answered."""
    connections = [web.connect() for _ in range(200)]
    try:
        for connection in connections:
            connection.sendall(HEAD + b"content-length: 1000\r\n\r\n{")
        assert web.webhook("job.assigned", market.job()).status == 202
    finally:
        for connection in connections:
            connection.close()


def test_pipelined_requests(connection: socket.socket) -> None:
    """Requests that come at once are answered in turn."""
    message = market.signed("job.assigned", market.job())
    head = "".join(f"{name}: {value}\r\n" for name, value in message.headers.items())
    request = b"POST /webhooks HTTP/1.1\r\nhost: x\r\n" + head.encode()
    request += b"content-length: %d\r\n\r\n" % len(message.body) + message.body
    last = request.replace(b"host: x", b"host: x\r\nconnection: close")
    connection.sendall(request * 2 + last)
    assert rest(connection).count(b"HTTP/1.1 202 ") == 3
