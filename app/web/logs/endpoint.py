"""`…/lagrange/spaces/log`: one text frame for each line of a log, and `ping` about every 3 s."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import config
from app.config import Config
from app.config.redaction import Redaction
from app.errors import Rejected, Temporary
from app.intake import checks
from app.intake.accept import unavailable
from app.store import AsyncStore
from app.store.job_data import UUID
from app.store.records import Task
from app.web import responses, signed_urls
from app.web.logs import frames
from app.web.logs.build import BuildLogPages, BuildLogWatcher
from app.web.logs.feeds import Crowded, Feeds

log = structlog.get_logger()

PING_SECONDS = 3.0
_NORMAL, _TRY_AGAIN_LATER = 1000, 1013
_REASON_CHARACTERS = 100
_CLIENT_SECONDS = 0.1


class _Show(Protocol):
    """A log as one watcher sees it."""

    @property
    def over(self) -> str:
        """Why nothing more will come, once everything was seen; empty until then."""

    async def next(self, seconds: float) -> bytes:
        """Return the frames that come next; none when nothing comes for so long."""


class LogSocket:
    """Shows logs to those whose address says that they may see them."""

    def __init__(
        self, store: AsyncStore, configuration: Config, signer: signed_urls.LogSigner
    ) -> None:
        self._store = store
        self._signer = signer
        self._plain = configuration.api.plain_log_urls
        self._pages = BuildLogPages(store, Redaction(config.secrets(configuration)))
        self._feeds = Feeds(store)
        self.routes = [WebSocketRoute(signed_urls.LOGS, self._serve)]

    async def _serve(self, websocket: WebSocket) -> None:
        kind = websocket.query_params.get("type", "")
        try:
            task = await self._allowed(websocket, kind)
        except Rejected as rejected:
            log.info("log refused", status=rejected.status.value, code=rejected.code)
            await websocket.send_denial_response(responses.problem(rejected))
            return
        await websocket.accept()
        began = time.monotonic()
        code, reason = await self._shown(websocket, task, kind)
        seconds = round(time.monotonic() - began, 1)
        log.info("log shown", task=task.id, type=kind, seconds=seconds, end=reason or "left")
        if code:
            await _close(websocket, code, reason)

    async def _allowed(self, websocket: WebSocket, kind: str) -> Task:
        """Return the task whose log may be seen.

        Raises:
            Rejected: It may not, or the address is of another form.
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
            found = await self._store.find(uuid)
        except Temporary as error:
            raise unavailable() from error
        tasks = [one for one in found if uuid == (one.space_uuid if by_space else one.id)]
        code = query.get("code", "")
        if code or not self._plain:
            return self._signed(tasks, kind, code)
        if not tasks:
            raise checks.unknown(uuid)
        return next((one for one in tasks if not one.ended), tasks[0])

    def _signed(self, tasks: list[Task], kind: str, code: str) -> Task:
        for task in tasks:
            until = self._signer.until(task.id, kind, code)
            if until is None:
                continue
            # Who may see it still may when the task goes on for longer than was agreed at first.
            if time.time() < max(until, task.expires_at or 0):
                return task
            raise Rejected(
                HTTPStatus.UNAUTHORIZED, "expired", "the address of this log counts no longer"
            )
        raise Rejected(HTTPStatus.UNAUTHORIZED, "unauthorized", "use the address as it was given")

    async def _shown(self, websocket: WebSocket, task: Task, kind: str) -> tuple[int, str]:
        """Show a log to its end, or the watcher's; return how to close, 0: it is closed."""
        try:
            with self._feeds.watcher(task.id):
                async with self._show(task, kind) as show:
                    return _NORMAL if await _converse(websocket, show) else 0, show.over
        except Crowded as crowded:
            return _TRY_AGAIN_LATER, str(crowded)

    @asynccontextmanager
    async def _show(self, task: Task, kind: str) -> AsyncIterator[_Show]:
        if kind == "build":
            yield BuildLogWatcher(self._store, self._pages, task.id)
            return
        async with self._feeds.joined(task.id) as cursor:
            yield cursor


async def _converse(websocket: WebSocket, show: _Show) -> bool:
    """Send until nothing more will come (True), or the client leaves."""
    sending = asyncio.create_task(_send(websocket, show))
    listening = asyncio.create_task(_listen(websocket))
    both = sending, listening
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in both:
            one.cancel()
        results = await asyncio.gather(*both, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result
    return results[0] is None


async def _send(websocket: WebSocket, show: _Show) -> None:
    ping_at = time.monotonic() + PING_SECONDS
    while not show.over:
        content = await show.next(ping_at - time.monotonic())
        if time.monotonic() >= ping_at:
            content += frames.PING
            ping_at = time.monotonic() + PING_SECONDS
        if content:
            await websocket.send({"type": frames.MESSAGE, "frames": content})


async def _listen(websocket: WebSocket) -> None:
    """Return when the client has left; what it says does not matter, and is not read fast."""
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
