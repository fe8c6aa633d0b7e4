"""A whole Lagrange in one object: a server in its own thread, and a sender of signed events."""

import base64
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import coincurve
from aiohttp import web

from app.demo.fake_lagrange import signed_requests
from app.demo.fake_lagrange.endpoints import ServedSpace, Site
from app.demo.fake_lagrange.loop_thread import LoopThread
from app.demo.fake_lagrange.misbehaviour import Behaviour
from app.demo.fake_lagrange.recorded import ReceivedCallback, Records
from app.demo.fake_lagrange.signed_requests import (
    Form,
    Job,
    Key,
    Request,
    Signer,
)
from app.net import http_client, signatures
from app.net.http_client import Answer

_MAX_ANSWER_BYTES = 1 << 20


class Lagrange:
    """Serves on `url` between `start` and `stop`; a context manager does both.

    Its methods may be called from any thread and block; from an event loop, call them by
    `asyncio.to_thread` when the other side runs in the same loop.

    `signer` signs the requests of `signed_requests`, to change or repeat by `send`.

    Args:
        host: Address to listen on.
        port: 0 takes a free one; kept from the first `start` on.
        access_token: The bearer token of providers (`LAG.AccessToken`).
        secret: `whsec_…` that events are signed with; a new one unless given.
        account: The provider's `HUB.AccountAddress`, for EIP-191 messages.
        node_id: The provider's, for EIP-191 messages.
        provider_key: The provider's `whpk_…`; callbacks are checked with it.
        send_timeout_seconds: How long a provider may take to answer an event.
        on_callback: Called with each callback as it arrives, in the server's thread.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        access_token: str = "",
        secret: str = "",
        account: str = "",
        node_id: str = "",
        provider_key: str = "",
        send_timeout_seconds: float = 30,
        on_callback: Callable[[ReceivedCallback], None] | None = None,
    ) -> None:
        self.access_token = access_token or secrets.token_urlsafe(24)
        self.secret = secret or _new_secret()
        raw_secret = base64.b64decode(self.secret.removeprefix(signatures.SECRET_PREFIX))
        self.signer = Signer(secret=raw_secret, account=account, node_id=node_id)
        self._site = Site(
            access_token=self.access_token, provider_key=provider_key, on_callback=on_callback
        )
        self._host, self._port = host, port
        self._send_timeout_seconds = send_timeout_seconds
        self._thread: LoopThread | None = None

    @property
    def url(self) -> str:
        """Its base URL: the provider's `LAG.ServerUrl`. Known once it was started."""
        return f"http://{self._host}:{self._port}"

    @property
    def public_key(self) -> str:
        """The `whpk_…` of its `v1a` signatures."""
        return signatures.public_text(self.signer.key.public_key())

    @property
    def address(self) -> str:
        """The EVM address of its EIP-191 signatures: the provider's `HUB.OrchestratorPk`."""
        return signatures.address(coincurve.PublicKey.from_secret(self.signer.wallet.secret))

    @property
    def records(self) -> Records:
        """Everything that providers sent."""
        return self._site.records

    @property
    def behaviours(self) -> dict[str, Behaviour]:
        """Misbehaviour by path prefix: `{"/job/status": Behaviour(status=503)}`."""
        return self._site.behaviours

    @property
    def documents(self) -> dict[str, Any]:
        """JSON that is served instead of a Space's own, by uuid."""
        return self._site.documents

    @property
    def payments(self) -> dict[str, Any]:
        """The answers about a Space's earnings and status instead, by its uuid."""
        return self._site.payments

    def know(self, *, account: str, node_id: str, provider_key: str) -> None:
        """Learn the names and the key of the provider, as in the constructor."""
        self.signer = replace(self.signer, account=account, node_id=node_id)
        self._site.provider_key = provider_key

    def add_space(
        self,
        folder: Path,
        *,
        wallet: str,
        hardware: str,
        space_uuid: str | None = None,
        name: str | None = None,
        gpus: int | None = None,
    ) -> str:
        """Serve a folder as a Space and return its uuid; `name` is the folder's unless given.

        `gpus` is how many GPUs the order has; unless given, it does not say.
        """
        known = (space_uuid or str(uuid.uuid4())).lower()
        self._site.spaces[known] = ServedSpace(
            uuid=known,
            folder=folder,
            name=name or folder.name,
            wallet=wallet,
            hardware=hardware,
            gpus=gpus,
        )
        return known

    def job(self, space_uuid: str, duration_seconds: int) -> Job:
        """Make a new job for a Space; nothing is sent."""
        return Job(
            uuid=str(uuid.uuid4()),
            task_uuid=str(uuid.uuid4()),
            space_uuid=space_uuid,
            source_uri=f"{self.url}/spaces/{space_uuid}",
            duration_seconds=duration_seconds,
        )

    def assign(self, provider_url: str, job: Job, form: Form = "webhook") -> Answer:
        """Assign a job."""
        return self.send(provider_url, signed_requests.assign(self.signer, job, form))

    def redeploy(self, provider_url: str, job: Job, form: Form = "webhook") -> Answer:
        """Have a job's Space deployed anew."""
        return self.send(provider_url, signed_requests.redeploy(self.signer, job, form))

    def renew(
        self,
        provider_url: str,
        job: Job,
        seconds: int,
        form: Form = "webhook",
        *,
        by: Key = "job_uuid",
    ) -> Answer:
        """Lengthen a job; ValueError for `eip191`, which the protocol does not have."""
        return self.send(
            provider_url, signed_requests.renew(self.signer, job, seconds, form, by=by)
        )

    def terminate(
        self, provider_url: str, job: Job, form: Form = "webhook", *, by: Key = "job_uuid"
    ) -> Answer:
        """End a job."""
        return self.send(provider_url, signed_requests.terminate(self.signer, job, form, by=by))

    def read_status(self, provider_url: str, job: Job) -> Answer:
        """Read a job's status in the form of v1.1.5."""
        return self.send(provider_url, signed_requests.read_status(self.signer, job))

    def send(self, provider_url: str, request: Request) -> Answer:
        """Send a request as it is: one that was changed, or again.

        Raises:
            Temporary: The provider cannot be reached or is too slow.
        """
        return self._running().run(self._send(provider_url, request))

    def callbacks(self, job_uuid: str) -> list[ReceivedCallback]:
        """Return a job's callbacks as they arrived, repeated ones included."""
        with self.records.changed:
            return [
                callback
                for callback in self.records.callbacks
                if callback.job_uuid == job_uuid.lower()
            ]

    def wait_for(self, job_uuid: str, status: str, *, timeout_seconds: float) -> ReceivedCallback:
        """Return a job's first callback with this status, once it is there.

        Raises:
            TimeoutError: It did not arrive; the message lists those that did.
        """
        deadline = time.monotonic() + timeout_seconds
        with self.records.changed:
            while True:
                arrived = self.callbacks(job_uuid)
                if matching := [callback for callback in arrived if callback.status == status]:
                    return matching[0]
                if not self.records.changed.wait(deadline - time.monotonic()):
                    statuses = ", ".join(callback.status for callback in arrived) or "nothing"
                    raise TimeoutError(
                        f"{status} was not reported of {job_uuid}; so far: {statuses}"
                    )

    def start(self) -> None:
        """Begin to serve.

        Raises:
            OSError: The port is taken.
        """
        self._thread = LoopThread()
        try:
            self._runner = self._thread.run(self._serve())
        except OSError:
            self._thread.stop()
            self._thread = None
            raise

    def stop(self) -> None:
        """Stop serving; received reports stay readable, and `start` serves again."""
        thread = self._running()
        thread.run(self._runner.cleanup())
        thread.stop()
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _serve(self) -> web.AppRunner:
        runner = web.AppRunner(self._site.application(), access_log=None, shutdown_timeout=0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        return runner

    async def _send(self, provider_url: str, request: Request) -> Answer:
        async with http_client.client() as session:
            return await http_client.send(
                session,
                request.method,
                provider_url.rstrip("/") + request.path,
                body=request.body,
                headers=request.headers,
                timeout_seconds=self._send_timeout_seconds,
                max_answer_bytes=_MAX_ANSWER_BYTES,
            )

    def _running(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError("the stand-in is not started")
        return self._thread


def _new_secret() -> str:
    return signatures.SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
