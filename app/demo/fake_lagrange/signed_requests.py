"""Every request that Lagrange makes of a provider, in every wire form, signed; without I/O."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import coincurve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.net import signatures

Form = Literal["webhook", "legacy", "eip191"]
Key = Literal["job_uuid", "task_uuid", "space_uuid"]

_API = "/api/v1/computing/lagrange"
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as Lagrange knows it; `source_uri` is where its Space is described.

    `bid_price` is the tenant's price in SWAN; empty: the market's price.
    """

    uuid: str
    task_uuid: str
    space_uuid: str
    source_uri: str
    duration_seconds: int
    bid_price: str = ""

    def data(self) -> dict[str, Any]:
        """Return the JobData of an assignment."""
        return {
            "uuid": self.uuid,
            "name": f"Job-{self.uuid}",
            "status": "Submitted",
            "duration": self.duration_seconds,
            "job_source_uri": self.source_uri,
            "storage_source": "lagrange",
            "task_uuid": self.task_uuid,
            **({"bid_price": self.bid_price} if self.bid_price else {}),
        }


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to send: `path` has its query, the signature is in headers or content."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The market's keys, and the names that EIP-191 messages call the provider by.

    Attributes:
        secret: Raw bytes of the `v1` HMAC secret.
        key: Signs `v1a`.
        wallet: Signs EIP-191; its address is the provider's `HUB.OrchestratorPk`.
        account: The provider's `HUB.AccountAddress`.
        node_id: The provider's.
    """

    secret: bytes
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    wallet: coincurve.PrivateKey = field(default_factory=coincurve.PrivateKey)
    account: str = ""
    node_id: str = ""

    def headers(self, body: bytes) -> dict[str, str]:
        """Return Standard Webhooks headers with a `v1` and a `v1a` signature, dated now."""
        message_id, now = f"msg_{uuid.uuid4().hex}", int(datetime.now(UTC).timestamp())
        headers = signatures.sign(self.key, message_id=message_id, timestamp=now, body=body)
        content = b"%s.%d.%s" % (message_id.encode(), now, body)
        digest = hmac.digest(self.secret, content, hashlib.sha256)
        headers["webhook-signature"] += f" v1,{base64.b64encode(digest).decode()}"
        return headers

    def eip191(self, subject: str) -> str:
        """Return the signature of `<account><node id><subject>`, 65 bytes as `0x` hex."""
        digest = signatures.personal_digest(f"{self.account}{self.node_id}{subject}")
        raw = self.wallet.sign_recoverable(digest, hasher=None)
        return f"0x{raw[:64].hex()}{raw[64] + 27:02x}"


def assign(signer: Signer, job: Job, form: Form) -> Request:
    """Return the request that assigns a job."""
    return _with_job(signer, job, form, event="job.assigned", path=f"{_API}/jobs")


def redeploy(signer: Signer, job: Job, form: Form) -> Request:
    """Return the request that deploys a job's Space anew."""
    return _with_job(signer, job, form, event="job.redeployed", path=f"{_API}/jobs/redeploy")


def renew(signer: Signer, job: Job, seconds: int, form: Form, *, by: Key = "job_uuid") -> Request:
    """Return the request that lengthens a job, which has no EIP-191 form.

    Raises:
        ValueError: `form` is `eip191`.
    """
    if form == "eip191":
        raise ValueError("the protocol has no EIP-191 form of a renewal")
    if form == "webhook":
        return _webhook(signer, "job.renewed", _named(job, by) | {"duration": seconds})
    legacy_name = "uuid" if by == "job_uuid" else by
    body = _json({legacy_name: _named(job, by)[by], "duration": seconds})
    return _signed(signer, "POST", f"{_API}/jobs/renew", body)


def terminate(signer: Signer, job: Job, form: Form, *, by: Key = "job_uuid") -> Request:
    """Return the request that ends a job; `by` only counts in the webhook."""
    if form == "webhook":
        reason = {"reason": "ended by the tenant"}
        return _webhook(signer, "job.terminated", _named(job, by) | reason)
    if form == "legacy":
        query = urlencode({"space_uuid": job.space_uuid})
        return _signed(signer, "DELETE", f"{_API}/jobs?{query}", b"")
    signature = signer.eip191(job.task_uuid)
    query = urlencode({"task_uuid": job.task_uuid, "node_id_task_uuid_signature": signature})
    return Request("DELETE", f"{_API}/jobs?{query}", {}, b"")


def read_status(signer: Signer, job: Job) -> Request:
    """Return the v1.1.5 request that reads a job's status."""
    query = urlencode({"signature": signer.eip191(job.uuid)})
    return Request("GET", f"{_API}/job/{job.uuid}?{query}", {}, b"")


def prove(signer: Signer, block_data: str, exp: int) -> Request:
    """Return the request that orders a proof."""
    body = _json({"method": "mine", "block_data": block_data, "exp": exp})
    return _signed(signer, "POST", f"{_API}/cp/proof", body)


def _with_job(signer: Signer, job: Job, form: Form, *, event: str, path: str) -> Request:
    if form == "webhook":
        return _webhook(signer, event, job.data())
    if form == "legacy":
        return _signed(signer, "POST", path, _json(job.data()))
    signature = signer.eip191(job.source_uri)
    more = {"node_id_job_source_uri_signature": signature, "job_type": 0, "bid_price": "0.0"}
    return Request("POST", path, _JSON, _json(job.data() | more))


def _webhook(signer: Signer, event: str, data: Mapping[str, Any]) -> Request:
    payload = {"type": event, "timestamp": datetime.now(UTC).isoformat(), "data": data}
    return _signed(signer, "POST", "/webhooks", _json(payload))


def _signed(signer: Signer, method: str, path: str, body: bytes) -> Request:
    content_type = _JSON if body else {}
    return Request(method, path, {**content_type, **signer.headers(body)}, body)


def _named(job: Job, by: Key) -> dict[str, str]:
    names = {"job_uuid": job.uuid, "task_uuid": job.task_uuid, "space_uuid": job.space_uuid}
    return {by: names[by]}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
