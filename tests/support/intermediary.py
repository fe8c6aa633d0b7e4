"""A proxy between a provider and its cluster that can do something at a chosen request."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

_SECONDS = 60


class Intermediary:
    """Forwards everything; counts writes, and tells a listener before and after each."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.writes: list[str] = []
        self.before: Callable[[int, str], None] = _nothing
        self.after: Callable[[int, str], None] = _nothing

    def forget(self) -> None:
        """Count from the beginning, and do nothing more."""
        self.writes.clear()
        self.before = self.after = _nothing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Forward a request."""
        number = 0
        what = f"{request.method} {request.path}"
        if request.method in {"PATCH", "POST", "DELETE", "PUT"}:
            self.writes.append(what)
            number = len(self.writes)
            await asyncio.to_thread(self.before, number, what)
        return await self._forwarded(request, number, what)

    async def _forwarded(self, request: web.Request, number: int, what: str) -> web.StreamResponse:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in {"host", "content-length", "transfer-encoding"}
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.request(
                request.method,
                self._target + request.path_qs,
                data=await request.read(),
                headers=headers,
            ) as answer,
        ):
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            if number:
                body = await answer.read()
                await asyncio.to_thread(self.after, number, what)
                return web.Response(
                    status=answer.status, body=body, content_type=answer.content_type
                )
            with suppress(ConnectionError, aiohttp.ClientError):
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response


def _nothing(_: int, __: str) -> None:
    """Do nothing."""


@contextmanager
def between(kubeconfig: Path, own: Path) -> Iterator[Intermediary]:
    """Serve in front of the cluster of `kubeconfig`; write `own`, which leads to it."""
    document: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    cluster = document["clusters"][0]["cluster"]
    intermediary = Intermediary(cluster["server"])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(_SECONDS)

    application = web.Application(client_max_size=1 << 24)
    application.router.add_route("*", "/{path:.*}", intermediary.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    run(runner.setup())
    run(web.TCPSite(runner, "127.0.0.1", 0).start())
    cluster["server"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
    own.write_text(yaml.safe_dump(document))
    try:
        yield intermediary
    finally:
        run(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
