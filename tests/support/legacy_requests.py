"""Requests to the endpoints of v0.3.0 and v1.1.5."""

from typing import Any
from urllib.parse import urlencode

from app.context import Context
from tests.support import market
from tests.support.web_server import Answer, Web

JOBS = "/api/v1/computing/lagrange/jobs"
DELETED = {"status": "success", "code": 200, "data": "deleted success", "message": ""}


def sent(web: Web, path: str, document: Any, **signing: Any) -> Answer:
    """POST JSON, signed as Standard Webhooks."""
    body = market.encoded(document)
    return web.post(path, body, market.v1(body, **signing))


def deleted(web: Web, headers: market.Headers | None = None, **query: str) -> Answer:
    """DELETE, signed as Standard Webhooks unless other headers are given."""
    headers = market.v1(b"") if headers is None else headers
    return web.call("DELETE", f"{JOBS}?{urlencode(query)}", headers=headers)


def orchestrated(context: Context, data: dict[str, Any], **fields: Any) -> bytes:
    """Return the body of a v1.1.5 job, signed over its source, with fields changed afterwards."""
    signature = market.eip191(context.identity.node_id, data["job_source_uri"])
    more = {"node_id_job_source_uri_signature": signature, "job_type": 0, "bid_price": "1.5"}
    return market.encoded(data | more | fields)


def ended_by_orchestrator(web: Web, context: Context, task_uuid: str, **signing: Any) -> Answer:
    """DELETE, signed by the orchestrator."""
    signature = market.eip191(context.identity.node_id, task_uuid, **signing)
    return deleted(web, {}, task_uuid=task_uuid, node_id_task_uuid_signature=signature)


def post(web: Web, body: bytes, path: str = JOBS) -> Answer:
    """POST JSON without a signature in the headers."""
    return web.post(path, body, {"content-type": "application/json"})


def code(address: str) -> str:
    """Return the code of a log's address."""
    return address.partition("&code=")[2]
