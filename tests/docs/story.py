"""A provider that lives through the examples of a document, in their order, on one clock.

The document has its configuration, its key and its orchestrator's; what of a provider is random or
of this machine is fixed here. Requests go over real connections to a real `web`, what the provider
sends goes to the stand-ins for Lagrange and Multichain Storage, and all is compared as it was on
the wire.
"""

import hashlib
import itertools
import os
import platform
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import multipart
from websockets.frames import Opcode

from app.context import Context, open_context
from app.demo import local_redis
from app.demo.fake_lagrange import Lagrange
from app.intake import accept
from app.net import signatures
from app.web import provider_info
from tests.docs.examples import (
    Answer,
    Direction,
    Example,
    content,
)
from tests.support import documents
from tests.support.fake_storage import Storage
from tests.support.ports import free_port
from tests.support.recorder import Exchange, Recorder
from tests.support.web_server import Web, serving

DAY = 1795305600  # 2026-11-22
LAGRANGE = "https://api.lagrangedao.org"
OURS = {"192.0.2.7:8085", "log.cp.example.com:8085"}
_IN_PASSING = {"date", "server", "content-length"}
_OF_THE_CLIENT = {"host", "content-length", "accept", "accept-encoding", "user-agent"}
_SECONDS = 10


@dataclass
class Story:
    """What the examples are about, while they happen.

    Attributes:
        folder: The provider's `CP_PATH`.
        patch: Undone at the end.
        now: The time, unix seconds.
        lagrange: The stand-in for Lagrange.
        told: What the provider sent and no example has shown yet.
        node: The market's name for the provider.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    stack: ExitStack
    now: float = DAY
    to_lagrange: list[Exchange] = field(default_factory=list)
    to_storage: list[Exchange] = field(default_factory=list)

    def begin(self, configuration: str, private_key: str) -> None:
        """Start everything."""
        (self.folder / "config.toml").write_text(configuration)
        (self.folder / "private_key").write_text(private_key)
        (self.folder / "redis").mkdir()
        self.redis_port = free_port()
        self.start_redis()
        self.stack.callback(self.kill_redis)
        self.lagrange = self.stack.enter_context(Lagrange(access_token="example"))
        self.storage = self.stack.enter_context(Storage())
        market = self.stack.enter_context(Recorder(self.lagrange.url))
        files = self.stack.enter_context(Recorder(self.storage.url))
        self.to_lagrange, self.to_storage = market.exchanges, files.exchanges
        self.market_url = market.url
        self._fix(market.url, files.url)
        self.context = self.open()
        identity = self.context.identity
        self.lagrange.know(
            account=self.context.config.hub.account_address,
            node_id=identity.node_id,
            provider_key=signatures.public_text(identity.signing_key.public_key()),
        )
        self.web: Web = self.stack.enter_context(serving(self.open()))

    def _fix(self, market_url: str, storage_url: str) -> None:
        self.patch.setenv("CP_API_REDISURL", f"redis://127.0.0.1:{self.redis_port}")
        self.patch.setenv("CP_LAG_SERVERURL", market_url)
        self.patch.setenv("CP_MCS_SERVERURL", storage_url)
        self.patch.setattr(time, "time", lambda: self.now)
        random = itertools.count()

        def token_hex(size: int) -> str:
            return hashlib.sha256(b"%d" % next(random)).hexdigest()[: 2 * size]

        fixed = SimpleNamespace(token_hex=token_hex)
        self.patch.setattr(accept, "secrets", fixed)
        # The boundary between the parts of a form.
        boundary = SimpleNamespace(hex="0f" * 16)
        self.patch.setattr(multipart, "uuid", SimpleNamespace(uuid4=lambda: boundary))
        self.patch.setattr(os, "cpu_count", lambda: 8)
        self.patch.setattr(platform, "machine", lambda: "x86_64")
        provider_info._host.cache_clear()
        self.stack.callback(provider_info._host.cache_clear)

    def open(self) -> Context:
        """Return a context of its own, for another process or another event loop."""
        return open_context(str(self.folder))

    def start_redis(self) -> None:
        """Start Redis on what it wrote."""
        self.redis = local_redis.start(self.folder / "redis", self.redis_port)

    def kill_redis(self) -> None:
        """Kill Redis."""
        self.redis.kill()
        self.redis.wait()

    def pass_time(self, direction: Direction) -> None:
        """Let it be the time of a direction."""
        if direction.time:
            hours, minutes, seconds = map(int, direction.time.split(":"))
            self.be(DAY + 3600 * hours + 60 * minutes + seconds)

    def be(self, moment: float) -> None:
        """Let it be a moment, which is none before now."""
        assert moment >= self.now, "time goes back"
        self.now = moment

    def play(self, example: Example) -> Exchange:
        """Return what really passes for an example."""
        if example.headers["host"] in OURS:
            return self._sent(example)
        return self._told(example)

    def _sent(self, example: Example) -> Exchange:
        if stamp := example.headers.get("webhook-timestamp"):
            self.be(int(stamp))
        with self.web.connect() as wire:
            wire.settimeout(_SECONDS)
            wire.sendall(_on_the_wire(example))
            status, headers, body = _answered(wire, example.answer)
        return Exchange(
            example.method, example.target, example.headers, example.body, status, headers, body
        )

    def _told(self, example: Example) -> Exchange:
        """The first that was not shown yet of this method and target, and of this message."""
        of_lagrange = example.headers["host"] in LAGRANGE
        passed = self.to_lagrange if of_lagrange else self.to_storage
        message_id = example.headers.get("webhook-id")
        for one in passed:
            if (one.method, one.target) == (example.method, example.target) and (
                not message_id or message_id == one.headers.get("webhook-id")
            ):
                passed.remove(one)
                return self._named(one, example.headers["host"])
        raise AssertionError(f"nothing was sent to {example.method} {example.target}")

    def _named(self, one: Exchange, host: str) -> Exchange:
        """As it is outside of tests: with servers' names, without what every client adds."""
        headers = {name: value for name, value in one.headers.items() if name not in _OF_THE_CLIENT}
        return Exchange(
            one.method,
            one.target,
            {"host": host, **headers},
            one.body.replace(self.market_url, LAGRANGE),
            one.status,
            one.answer_headers,
            one.answer_body.replace(self.market_url, LAGRANGE),
        )


@contextmanager
def told(folder: Path, document: Path) -> Iterator[Story]:
    """Begin the story of a document: its configuration is its first block of TOML."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        story = Story(folder, patch, stack)
        (configuration,) = documents.blocks(document, "toml", below="The examples")
        (key,) = documents.blocks(document, "text", below="The examples")
        (prices,) = documents.blocks(document, "ini", below="The examples")
        (folder / "price.toml").write_text(prices)
        story.begin(configuration, key)
        yield story


def differences(example: Example, real: Exchange) -> list[str]:
    """Return where an example differs from what really passed."""
    answer = Answer(real.status, real.answer_headers, real.answer_body)
    pairs: list[tuple[str, Any, Any]] = [
        ("headers", dict(example.headers), dict(real.headers)),
        ("body", example.content, content(real.headers, real.body)),
        ("status", example.answer.status, answer.status),
        ("answer's headers", dict(example.answer.headers), dict(answer.headers)),
        ("answer", example.answer.content, answer.content),
    ]
    return [f"{name}: told {told}, is {is_}" for name, told, is_ in pairs if told != is_]


def _on_the_wire(example: Example) -> bytes:
    """An example's bytes; what has no length of its own is whole."""
    head = example.head.splitlines()
    if "content-length" not in example.headers and example.body:
        head.append(f"content-length: {len(example.body.encode())}")
    if "upgrade" not in example.headers:
        head.append("connection: close")
    return "\r\n".join([*head, "", example.body]).encode()


def _answered(wire: socket.socket, expected: Answer) -> tuple[int, dict[str, str], str]:
    if expected.status == 101:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(wire, 1)
        first, *lines = head.decode().splitlines()
        pairs = (line.split(": ", 1) for line in lines if line)
        headers = {name.lower(): value for name, value in pairs}
        status = int(first.split(" ")[1])
        frames = itertools.islice(_frames(wire), len(expected.body.splitlines()))
        body = "\n".join(frames)
    else:
        response = HTTPResponse(wire)
        response.begin()
        status, body = response.status, response.read().decode().removesuffix("\n")
        headers = {name.lower(): value for name, value in response.getheaders()}
        headers.pop("connection", None)
    kept = {name: value for name, value in headers.items() if name not in _IN_PASSING}
    return status, kept, body


def _frames(wire: socket.socket) -> Iterator[str]:
    """Yield the text frames of a WebSocket, and how it is closed."""
    while True:
        first, size = _exactly(wire, 2)
        if size == 126:  # The length follows.
            size = int.from_bytes(_exactly(wire, 2))
        payload = _exactly(wire, size)
        if first & 0xF == Opcode.TEXT:
            yield payload.decode()
        elif first & 0xF == Opcode.CLOSE:
            yield f"(closed: {int.from_bytes(payload[:2])} {payload[2:].decode()})"


def _exactly(wire: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = wire.recv(count - len(found))
        assert part, "the connection ended"
        found += part
    return found
