"""The stand-in's own HTTP: serves Spaces and their files, takes providers' reports."""

import hmac
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from app.demo.fake_lagrange import misbehaviour
from app.demo.fake_lagrange.misbehaviour import Behaviour
from app.demo.fake_lagrange.recorded import ReceivedCallback, Records

_MAX_BODY_BYTES = 1 << 20
_PAYMENT = {
    "payment_amount": "0.5",
    "remaining_time": "3600",
    "running_time": 60,
    "space_status": "Running",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSpace:
    """A folder served as a Space; `hardware` is the order's description, `gpus` its count."""

    uuid: str
    folder: Path
    name: str
    wallet: str
    hardware: str
    gpus: int | None = None

    def paths(self) -> Iterator[str]:
        """Yield the paths of its files, relative, with `/`; links are left out."""
        for root, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                path = Path(root, name)
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.folder).as_posix()

    def document(self, site_url: str) -> dict[str, Any]:
        """Return the JSON that describes it, with files below `site_url`."""
        kind = "CPU" if "CPU" in self.hardware.partition("·")[0] else "GPU"
        config: dict[str, Any] = {
            "name": self.hardware,
            "description": self.hardware,
            "hardware_type": kind,
        }
        if self.gpus is not None:
            config["gpu"] = self.gpus
        files = [
            {
                "name": f"{self.wallet}/spaces/{self.name}/{path}",
                "url": f"{site_url}/files/{self.uuid}/{quote(path)}",
            }
            for path in self.paths()
        ]
        data = {
            "files": files,
            "owner": {"public_address": self.wallet},
            "space": {"uuid": self.uuid, "name": self.name, "activeOrder": {"config": config}},
        }
        return {"data": data, "message": "fetch_space_success", "status": "success"}


@dataclass(slots=True, kw_only=True)
class Site:
    """Everything that is served, and everything that was received.

    Attributes:
        access_token: The bearer token that providers have to carry.
        provider_key: The provider's `whpk_…`, to check callbacks with; empty: they are not checked.
        spaces: By uuid.
        documents: JSON served instead of a Space's own, by uuid.
        behaviours: Misbehaviour by path prefix; the longest that fits counts.
        payment: The answer about every Space's earnings.
        payments: The answer about a Space instead, by its uuid; any JSON.
        on_callback: Called with each callback, in the server's thread.
    """

    access_token: str
    provider_key: str = ""
    spaces: dict[str, ServedSpace] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    records: Records = field(default_factory=Records)
    payment: dict[str, Any] = field(default_factory=lambda: dict(_PAYMENT))
    payments: dict[str, Any] = field(default_factory=dict)
    on_callback: Callable[[ReceivedCallback], None] | None = None

    def application(self) -> web.Application:
        """Return the application that serves it."""
        application = web.Application(
            middlewares=[self._misbehave, self._authenticate], client_max_size=_MAX_BODY_BYTES
        )
        application.add_routes(
            [
                web.get("/spaces/{uuid}", self._space),
                web.get("/files/{uuid}/{path:.+}", self._file),
                web.post("/cp", self._report),
                web.post("/cp/heartbeat", self._heartbeat),
                web.post("/cp/summary", self._report),
                web.get("/cp/{node_id}/{space_uuid}", self._payment),
                web.post("/job/status", self._callback),
            ]
        )
        return application

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        prefixes = [prefix for prefix in self.behaviours if request.path.startswith(prefix)]
        if not prefixes:
            return await handler(request)
        prefix = max(prefixes, key=len)
        wanted = self.behaviours[prefix]
        if wanted.times == 1:
            del self.behaviours[prefix]
        elif wanted.times is not None:
            self.behaviours[prefix] = replace(wanted, times=wanted.times - 1)
        answer = await misbehaviour.answer(wanted, request)
        return await handler(request) if answer is None else answer

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        public = request.path.startswith(("/spaces/", "/files/"))
        given = request.headers.get("Authorization", "").encode()
        if public or hmac.compare_digest(given, f"Bearer {self.access_token}".encode()):
            return await handler(request)
        return _answer(None, status=401, message="the access token is wrong")

    async def _space(self, request: web.Request) -> web.StreamResponse:
        uuid = request.match_info["uuid"].lower()
        if uuid in self.documents:
            return web.json_response(self.documents[uuid])
        if uuid not in self.spaces:
            return _answer(None, status=404, message="there is no such Space")
        return web.json_response(self.spaces[uuid].document(str(request.url.origin())))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        space = self.spaces.get(request.match_info["uuid"].lower())
        path = request.match_info["path"]
        if space is None or path not in set(space.paths()):
            return _answer(None, status=404, message="there is no such file")
        return web.FileResponse(space.folder / path)

    async def _report(self, request: web.Request) -> web.StreamResponse:
        self.records.report(request.path, await request.json(), now=time.time())
        return _answer(None)

    async def _heartbeat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not self.records.registered(body.get("node_id", "")):
            return _answer(None, status=404, message="the provider is not registered")
        self.records.report(request.path, body, now=time.time())
        return _answer(None)

    async def _payment(self, request: web.Request) -> web.StreamResponse:
        space_uuid = request.match_info["space_uuid"].lower()
        if space_uuid in self.payments:
            return _answer(self.payments[space_uuid])
        if space_uuid not in self.spaces:
            return _answer(None, status=404, message="there is no such Space")
        return _answer(self.payment)

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = await request.read()
        try:
            callback = self.records.callback(
                raw, headers, provider_key=self.provider_key, now=time.time()
            )
        except ValueError as error:
            return _answer(None, status=400, message=str(error))
        if self.on_callback is not None:
            self.on_callback(callback)
        return _answer(None)


def _answer(data: object, *, status: int = 200, message: str = "") -> web.Response:
    word = "success" if status == HTTPStatus.OK else "fail"
    return web.json_response(
        {"status": word, "code": status, "data": data, "message": message}, status=status
    )
