"""Requests that the stand-in for Lagrange signs."""

import json
import sys
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
import standardwebhooks

from app.demo.fake_lagrange import (
    Form,
    Lagrange,
    signed_requests,
)
from app.demo.fake_lagrange.signed_requests import Key
from app.net import signatures
from tests.support.mute_provider import API, Provider


@pytest.mark.parametrize("form", ["webhook", "legacy"])
@pytest.mark.parametrize("event", ["assign", "redeploy", "renew", "terminate"])
def test_standard_webhooks(lagrange: Lagrange, provider: Provider, form: Form, event: str) -> None:
    """Every event carries signatures that others' and our own verification accept."""
    job = lagrange.job("space", 900)
    seconds = (60,) if event == "renew" else ()
    assert getattr(lagrange, event)(provider.url, job, *seconds, form=form).status == 202
    [(_, _, headers, body)] = provider.requests
    if body:
        hmac_only = headers | {"webhook-signature": headers["webhook-signature"].split(" ")[1]}
        standardwebhooks.Webhook(lagrange.secret).verify(body, hmac_only)
    for keys in (
        signatures.parse_keys((lagrange.secret,), ()),
        signatures.parse_keys((), (lagrange.public_key,)),
    ):
        message = signatures.verify(headers, body, keys, now=time.time(), tolerance_seconds=5)
        assert message.id == headers["webhook-id"]


@pytest.mark.parametrize(
    ("event", "kind"), [("assign", "job.assigned"), ("redeploy", "job.redeployed")]
)
def test_job_webhooks(lagrange: Lagrange, provider: Provider, event: str, kind: str) -> None:
    """An assignment names the Space by the stand-in's own URL."""
    job = lagrange.job("space", 900)
    getattr(lagrange, event)(provider.url, job)
    [(method, path, _, body)] = provider.requests
    payload = json.loads(body)
    assert (method, path, payload["type"]) == ("POST", "/webhooks", kind)
    assert payload["data"]["uuid"] == job.uuid
    assert payload["data"]["duration"] == 900
    assert payload["data"]["job_source_uri"] == f"{lagrange.url}/spaces/space"


@pytest.mark.parametrize("by", ["job_uuid", "task_uuid", "space_uuid"])
def test_references(lagrange: Lagrange, provider: Provider, by: Key) -> None:
    """Renewals and terminations name the job by any of its uuids."""
    job = lagrange.job("space", 900)
    lagrange.renew(provider.url, job, 60, by=by)
    lagrange.terminate(provider.url, job, by=by)
    lagrange.renew(provider.url, job, 60, "legacy", by=by)
    renewed, terminated, legacy = (json.loads(request[3]) for request in provider.requests)
    value = {"job_uuid": job.uuid, "task_uuid": job.task_uuid, "space_uuid": "space"}[by]
    assert renewed["data"] == {by: value, "duration": 60}
    assert terminated["data"][by] == value
    assert legacy == {by.replace("job_uuid", "uuid"): value, "duration": 60}


def test_legacy_paths(lagrange: Lagrange, provider: Provider) -> None:
    """The endpoints of v0.3.0 are called as it was."""
    job = lagrange.job("space", 900)
    lagrange.assign(provider.url, job, "legacy")
    lagrange.redeploy(provider.url, job, "legacy")
    lagrange.renew(provider.url, job, 60, "legacy")
    lagrange.terminate(provider.url, job, "legacy")
    assert [request[:2] for request in provider.requests] == [
        ("POST", f"{API}/jobs"),
        ("POST", f"{API}/jobs/redeploy"),
        ("POST", f"{API}/jobs/renew"),
        ("DELETE", f"{API}/jobs?space_uuid=space"),
    ]


def _recovered(job_signature: str, message: str) -> str:
    limit = sys.getrecursionlimit()
    from eth_account import Account  # noqa: PLC0415 - it lifts the recursion limit for everybody,
    from eth_account.messages import encode_defunct  # noqa: PLC0415 - which is taken back below.

    sys.setrecursionlimit(limit)
    return str(Account.recover_message(encode_defunct(text=message), signature=job_signature))


def test_eip191(lagrange: Lagrange, provider: Provider) -> None:
    """The messages of v1.1.5 are signed so that eth-account names the stand-in's address."""
    job = lagrange.job("space", 900)
    lagrange.assign(provider.url, job, "eip191")
    lagrange.terminate(provider.url, job, "eip191")
    lagrange.read_status(provider.url, job)
    assigned, terminated, status = provider.requests
    body = json.loads(assigned[3])
    terminated_query = parse_qs(urlsplit(terminated[1]).query)
    status_query = parse_qs(urlsplit(status[1]).query)
    signed = [
        (body["node_id_job_source_uri_signature"], job.source_uri),
        (terminated_query["node_id_task_uuid_signature"][0], terminated_query["task_uuid"][0]),
        (status_query["signature"][0], job.uuid),
    ]
    for signature, subject in signed:
        assert _recovered(signature, f"0xAccount04ff{subject}").lower() == lagrange.address
    assert [request[0] for request in provider.requests] == ["POST", "DELETE", "GET"]
    assert "webhook-id" not in assigned[2]


def test_no_eip191_renewal(lagrange: Lagrange, provider: Provider) -> None:
    """A renewal has no EIP-191 form."""
    with pytest.raises(ValueError, match="renewal"):
        lagrange.renew(provider.url, lagrange.job("space", 900), 60, "eip191")


def test_requests_can_be_changed_and_repeated(lagrange: Lagrange, provider: Provider) -> None:
    """A request can be sent twice, and with other bytes than were signed."""
    request = signed_requests.assign(lagrange.signer, lagrange.job("space", 900), "webhook")
    for sent in (request, request, replace(request, body=request.body + b" ")):
        lagrange.send(provider.url, sent)
    first, second, third = provider.requests
    assert first == second
    assert (third[2]["webhook-id"], third[3]) == (first[2]["webhook-id"], first[3] + b" ")
