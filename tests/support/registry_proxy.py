"""A registry that asks who we are: the cluster's own, behind a proxy that checks."""

import base64
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
import httpx2
from aiohttp import web

from app.demo.fake_lagrange.loop_thread import LoopThread

REGISTRY = os.environ.get("CLUSTER_REGISTRY", "")
_LEFT_OUT = {"Content-Length", "Transfer-Encoding", "Date", "Connection"}
_HELD_BACK = {"Authorization", "Content-Length", "Transfer-Encoding"}


def holds(image: str) -> bool:
    """Tell whether the cluster's registry has an image, such as `library/python:3.11-slim`."""
    repository, _, tag = image.partition(":")
    try:
        answer = httpx2.get(f"http://{REGISTRY}/v2/{repository}/tags/list", timeout=5)
        return tag in answer.json().get("tags", ())
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return False


@dataclass
class Asking:
    """A proxy in front of the registry.

    Attributes:
        passwords: Those that do, for the user `operator`.
        host: Its address as image names have it.
        asked: Path, method and user agent of what came with credentials that do.
        refused: Paths of what came with others, or without.
    """

    passwords: set[str] = field(default_factory=lambda: {"hunter2"})
    host: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Ask for Basic credentials, and hand on what has the right ones."""
        expected = {
            "Basic " + base64.b64encode(f"operator:{one}".encode()).decode()
            for one in self.passwords
        }
        if request.headers.get("Authorization") not in expected:
            self.refused.append(request.path)
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="registry"'})
        agent = request.headers.get("User-Agent", "")
        self.asked.append((request.path, request.method, agent))
        headers = {key: text for key, text in request.headers.items() if key not in _HELD_BACK}
        url = f"http://{REGISTRY}{request.raw_path}"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, url, headers=headers, data=io.BytesIO(await request.read())
            ) as response,
        ):
            kept = {key: text for key, text in response.headers.items() if key not in _LEFT_OUT}
            body = await response.read()
            return web.Response(status=response.status, headers=kept, body=body)


@contextmanager
def serving(address: str = "127.0.0.1") -> Iterator[Asking]:
    """Serve such a registry at an address of this machine."""
    thread = LoopThread()
    found = Asking()
    application = web.Application(client_max_size=64 << 20)
    application.router.add_route("*", "/{path:.*}", found.forward)
    runner = web.AppRunner(application)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, address, 0)
        await site.start()
        return int(runner.addresses[0][1])

    found.host = f"{address}:{thread.run(start())}"
    yield found
    thread.run(runner.cleanup())
    thread.stop()
