"""`…/lagrange/spaces/log`: one text frame for each line of a log, `ping` about every 3 s."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import config
from app.config import Config
from app.config.redaction import Redaction
from app.errors import Rejected, Temporary
from app.intake import checks
from app.intake.accept import store_unavailable
from app.store import AsyncStore
from app.store.job_data import UUID
from app.store.records import Task
from app.web import responses
from app.web.logs import frames
from app.web.logs.build_log_viewer import BuildLogPages, BuildLogWatcher
from app.web.logs.feeds import Feeds, TooManyWatchers
from app.web.signed_urls import LogUrlSigner

log = structlog.get_logger()

PING_SECONDS = 3.0
_NORMAL, _TRY_AGAIN_LATER = 1000, 1013
_REASON_CHARACTERS = 100
_CLIENT_SECONDS = 0.1


class _LogView(Protocol):
    """A log as one watcher sees it."""

    @property
    def over(self) -> str:
        """The reason why no more lines will come, once all were sent; empty until then."""

    async def next(self, seconds: float) -> bytes:
        """Return the next frames; none when no line comes for so long."""


class LogEndpoint:
    """Streams logs to clients whose URL permits it."""

    def __init__(self, store: AsyncStore, configuration: Config, log_urls: LogUrlSigner) -> None:
        self._store = store
        self._log_urls = log_urls
        self._plain = configuration.api.plain_log_urls
        self._pages = BuildLogPages(store, Redaction(config.secrets(configuration)))
        self._feeds = Feeds(store)

    async def serve(self, websocket: WebSocket) -> None:
        """Stream a log until its end, or until the client leaves; refuse whoever may not see it."""
        kind = websocket.query_params.get("type", "")
        try:
            task = await self._allowed(websocket, kind)
        except Rejected as rejected:
            log.info("log refused", status=rejected.status.value, code=rejected.code)
            await websocket.send_denial_response(responses.problem(rejected))
            return
        await websocket.accept()
        began = time.monotonic()
        code, reason = await self._streamed(websocket, task, kind)
        seconds = round(time.monotonic() - began, 1)
        log.info("log shown", task=task.id, type=kind, seconds=seconds, end=reason or "left")
        if code:
            await _close(websocket, code, reason)

    async def _allowed(self, websocket: WebSocket, kind: str) -> Task:
        """Return the task whose log the client may see.

        Raises:
            Rejected: There is none, or the query is malformed.
        """
        query = websocket.query_params
        by_space = "space_id" in query
        uuid = query.get("space_id" if by_space else "job_uuid", "").lower()
        if kind not in {"build", "container"} or not re.fullmatch(UUID, uuid):
            raise Rejected(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid",
                "needs job_uuid or space_id, a uuid, and type, which is build or container",
            )
        try:
            known = await self._store.find(uuid)
        except Temporary as error:
            raise store_unavailable() from error
        tasks = [task for task in known if uuid == (task.space_uuid if by_space else task.id)]
        code = query.get("code", "")
        if code or not self._plain:
            return self._signed(tasks, kind, code)
        if not tasks:
            raise checks.unknown(uuid)
        return next((task for task in tasks if not task.ended), tasks[0])

    def _signed(self, tasks: list[Task], kind: str, code: str) -> Task:
        for task in tasks:
            expiry = self._log_urls.expiry(task.id, kind, code)
            if expiry is None:
                continue
            # A renewal of the task extends the URL.
            if time.time() < max(expiry, task.expires_at or 0):
                return task
            raise Rejected(
                HTTPStatus.UNAUTHORIZED, "expired", "the address of this log has expired"
            )
        raise Rejected(HTTPStatus.UNAUTHORIZED, "unauthorized", "use the address as it was given")

    async def _streamed(self, websocket: WebSocket, task: Task, kind: str) -> tuple[int, str]:
        """Stream a log; return the code and reason to close with, 0 when the client has left."""
        try:
            with self._feeds.watcher(task.id):
                async with self._view(task, kind) as view:
                    return _NORMAL if await _stream(websocket, view) else 0, view.over
        except TooManyWatchers as error:
            return _TRY_AGAIN_LATER, str(error)

    @asynccontextmanager
    async def _view(self, task: Task, kind: str) -> AsyncIterator[_LogView]:
        if kind == "build":
            yield BuildLogWatcher(self._store, self._pages, task.id)
            return
        async with self._feeds.joined(task.id) as cursor:
            yield cursor


async def _stream(websocket: WebSocket, view: _LogView) -> bool:
    """Send until the log is over (True), or the client leaves."""
    sending = asyncio.create_task(_send(websocket, view))
    listening = asyncio.create_task(_listen(websocket))
    both = sending, listening
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for direction in both:
            direction.cancel()
        results = await asyncio.gather(*both, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result
    return results[0] is None


async def _send(websocket: WebSocket, view: _LogView) -> None:
    ping_at = time.monotonic() + PING_SECONDS
    while not view.over:
        content = await view.next(ping_at - time.monotonic())
        if time.monotonic() >= ping_at:
            content += frames.PING
            ping_at = time.monotonic() + PING_SECONDS
        if content:
            await websocket.send({"type": frames.MESSAGE, "frames": content})


async def _listen(websocket: WebSocket) -> None:
    """Return when the client has left; its messages are discarded, and read slowly."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        await asyncio.sleep(_CLIENT_SECONDS)


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    try:
        await websocket.close(code, reason[:_REASON_CHARACTERS])
    except (WebSocketDisconnect, RuntimeError):
        log.info("watcher left", code=code)
