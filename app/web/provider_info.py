"""What Lagrange asks a provider for (protocol section 2); nothing is changed by asking."""

import base64
import os
import platform
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.context import Context
from app.errors import Rejected
from app.intake import checks
from app.lagrange import report_payloads, report_thread
from app.store import AsyncStore
from app.tasks import transitions
from app.web import responses
from app.web.authentication import Authentication
from app.web.legacy_jobs import BASE

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_RETRY_AFTER_SECONDS = 15


class Polled:
    """Answers from the memory alone: who asks never waits for the cluster."""

    def __init__(self, context: Context, authentication: Authentication, store: AsyncStore) -> None:
        self._context = context
        self._provider = report_thread.provider(context)
        self._authentication = authentication
        self._store = store
        key = context.callback_keys[0].public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._public_key = base64.b64encode(pem).decode()
        self.routes = [
            Route(f"{BASE}/host/info", self._host),
            Route(f"{BASE}/cp", self._resources),
            Route(f"{BASE}/lagrange/cp", self._resources),
            Route(f"{BASE}/lagrange/cp/public_key", self._key),
            Route(f"{BASE}/lagrange/job/{{job_uuid}}", self._job),
        ]

    async def _host(self, _: Request) -> Response:
        return responses.envelope(_host())

    async def _resources(self, _: Request) -> Response:
        """The ClusterResource, bare."""
        if seen := await report_thread.look(self._context):
            return responses.json(
                report_payloads.resources(self._provider, seen.inventory, seen.free)
            )
        raise Rejected(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "the provider cannot see its cluster at the moment; ask again",
            retry_after=_RETRY_AFTER_SECONDS,
        )

    async def _key(self, _: Request) -> Response:
        """The key that callbacks are signed with: base64 of its PEM."""
        return responses.envelope({"public_key": self._public_key})

    async def _job(self, request: Request) -> Response:
        """Where a job is; for who the orchestrator's key signed its uuid."""
        job_uuid = request.path_params["job_uuid"]
        self._authentication.orchestrator(job_uuid, request.query_params.get("signature", ""))
        task = await self._store.get(job_uuid.lower())
        if task is None:
            raise checks.unknown(job_uuid.lower())
        return responses.envelope(
            {
                "job_uuid": task.id,
                "job_status": transitions.status(task),
                "job_result_url": task.result_url,
            }
        )


@cache
def _host() -> dict[str, Any]:
    machine = platform.machine()
    return {
        "swan_miner_version": version("computing-provider"),
        "operating_system": platform.system().lower(),
        "architecture": _MACHINES.get(machine, machine),
        "cpu_cores": os.cpu_count() or 0,
    }
