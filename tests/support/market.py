"""A market whose signatures are made by others' code, and the provider that knows its keys."""

import base64
import itertools
import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import standardwebhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from eth_account.messages import encode_defunct

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four+").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"an older secret, 24 byte").decode()
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = (
    "whpk_"
    + base64.b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
)
ORCHESTRATOR = Account.from_key("0x" + "11" * 32)
CP_ACCOUNT = "0x00000000000000000000000000000000000000aa"
SPACES = "https://api.lagrange.example/spaces"
_ids = itertools.count(1)

Headers = dict[str, str]

# One of eth-account's libraries lifts Python's limit, by which the service reads JSON.
sys.setrecursionlimit(1000)


def configuration(redis_url: str, *, more: str = "") -> str:
    """Return a config.toml; `more` is TOML at its end."""
    return f"""
[API]
Port = 0
MultiAddress = "/ip4/192.0.2.7/tcp/8085"
Domain = "cp.example.com"
RedisUrl = "{redis_url}"
[WEBHOOK]
Secrets = ["{OLD_SECRET}", "{SECRET}"]
PublicKeys = ["{PUBLIC_KEY}"]
[HUB]
OrchestratorPk = "{ORCHESTRATOR.address}"
AccountAddress = "{CP_ACCOUNT}"
{more}
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A message that is ready to send."""

    headers: Headers
    body: bytes

    @property
    def id(self) -> str:
        """Its idempotency key."""
        return self.headers["webhook-id"]


def message_id() -> str:
    """Return an id that no other message has."""
    return f"msg_{next(_ids)}_{uuid.uuid4().hex}"


def v1(
    body: bytes, *, name: str | None = None, at: float | None = None, secret: str = SECRET
) -> Headers:
    """Sign by the `standardwebhooks` package."""
    when = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    name = message_id() if name is None else name
    signature = standardwebhooks.Webhook(secret).sign(name, when, body.decode())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


def v1a(
    body: bytes,
    *,
    name: str | None = None,
    at: float | None = None,
    key: Ed25519PrivateKey = KEY,
) -> Headers:
    """Sign by `cryptography`, to the letter of the specification."""
    stamp = str(int(datetime.now(UTC).timestamp() if at is None else at))
    name = message_id() if name is None else name
    signature = key.sign(b".".join((name.encode(), stamp.encode(), body)))
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1a," + base64.b64encode(signature).decode(),
        "content-type": "application/json",
    }


def eip191(node_id: str, subject: str, *, by: Any = ORCHESTRATOR) -> str:
    """Sign `<cpAccount><nodeId><subject>` by `eth-account`."""
    signed = by.sign_message(encode_defunct(text=CP_ACCOUNT + node_id + subject))
    return "0x" + bytes(signed.signature).hex()


def job(**fields: Any) -> dict[str, Any]:
    """Return a JobData; each call another job."""
    found = {
        "uuid": str(uuid.uuid4()),
        "name": "Job-1",
        "status": "Submitted",
        "duration": 900,
        "job_source_uri": f"{SPACES}/{uuid.uuid4()}",
        "storage_source": "lagrange",
        "task_uuid": str(uuid.uuid4()),
    }
    return found | fields


def event(kind: str, data: Any) -> bytes:
    """Return the body of a webhook."""
    return encoded({"type": kind, "timestamp": "2026-11-22T00:00:00Z", "data": data})


def assigned(data: Mapping[str, Any], **signing: Any) -> Signed:
    """Return a signed `job.assigned`."""
    return signed("job.assigned", data, **signing)


def signed(kind: str, data: Any, **signing: Any) -> Signed:
    """Return a signed webhook."""
    body = event(kind, data)
    return Signed(v1(body, **signing), body)


def encoded(document: Any) -> bytes:
    """Return JSON."""
    return json.dumps(document).encode()
