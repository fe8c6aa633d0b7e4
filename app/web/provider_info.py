"""Information that Lagrange reads from a provider (protocol section 2); reading changes nothing."""

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

from app.context import Context
from app.errors import Rejected
from app.intake import binding, checks
from app.intake.accept import digest
from app.lagrange import report_payloads, report_thread
from app.tasks import transitions
from app.web import responses
from app.web.authentication import Authentication

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_RETRY_AFTER_SECONDS = 15


class ProviderInfoEndpoints:
    """Host, resources, public key and jobs; no request waits for the cluster."""

    def __init__(self, context: Context, authentication: Authentication) -> None:
        self._context = context
        self._authentication = authentication
        self._provider = report_thread.provider(context)
        key = context.callback_keys[0].public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._public_key = base64.b64encode(pem).decode()

    async def host(self, _: Request) -> Response:
        """Answer with the version of the provider, and the machine that it runs on."""
        return responses.success(_host())

    async def resources(self, _: Request) -> Response:
        """Answer with the ClusterResource, without an envelope.

        Raises:
            Rejected: 503 when the watcher has not seen the cluster lately.
        """
        if view := await report_thread.look(self._context):
            return responses.json(
                report_payloads.resources(self._provider, view.inventory, view.free)
            )
        raise Rejected(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "the provider cannot see its cluster at the moment; ask again",
            retry_after=_RETRY_AFTER_SECONDS,
        )

    async def public_key(self, _: Request) -> Response:
        """Answer with the key that callbacks are signed with: base64 of its PEM."""
        return responses.success({"public_key": self._public_key})

    async def job(self, request: Request) -> Response:
        """Answer with the status of a job whose uuid the orchestrator has signed.

        Raises:
            Rejected: 401 or 404.
        """
        job_uuid = request.path_params["job_uuid"]
        signature = request.query_params.get("signature", "")
        message_id = self._authentication.orchestrator(job_uuid, signature)
        store, content = self._context.async_store, digest("question", job_uuid)
        async with binding.on_refusal(store, message_id, content, for_ever=True):
            task = await store.get(job_uuid.lower())
            if task is None:
                raise checks.unknown(job_uuid.lower())
        return responses.success(
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
