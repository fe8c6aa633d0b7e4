"""Webhooks that are refused, and the reasons that their senders get."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.context import open_context
from tests.support import market
from tests.support.problem_documents import problem
from tests.support.redis_contents import unchanged
from tests.support.web_server import Web, serving


@pytest.mark.parametrize("kind", ["job.built", "job", "", "job_assigned", "../x", "JOB.ASSIGNED"])
def test_unknown_types(web: Web, redis_url: str, kind: str) -> None:
    """A type without a handler is not found."""
    with unchanged(redis_url):
        assert problem(web.webhook(kind, market.job())) == (404, "unknown_event")


@pytest.mark.parametrize(
    ("kind", "data", "pointers"),
    [
        ("job.assigned", {}, {"/data/uuid", "/data/duration", "/data/job_source_uri"}),
        ("job.assigned", [], {"/data"}),
        (
            "job.assigned",
            market.job(uuid="x", duration=-1, job_source_uri="ftp://x", name=5),
            {"/data/uuid", "/data/duration", "/data/job_source_uri", "/data/name"},
        ),
        ("job.assigned", market.job(duration=59), {"/data/duration"}),
        ("job.assigned", market.job(duration=366 * 86400 + 1), {"/data/duration"}),
        ("job.redeployed", market.job(task_uuid=5), {"/data/task_uuid"}),
        ("job.renewed", {"task_uuid": "y"}, {"/data/task_uuid", "/data/duration"}),
        ("job.renewed", {"duration": 5}, {"/data/job_uuid"}),
        ("job.terminated", {}, {"/data/job_uuid"}),
        ("job.terminated", {"space_uuid": 1, "reason": 2}, {"/data/space_uuid", "/data/reason"}),
        ("job.terminated", None, {"/data"}),
    ],
)
def test_every_bad_field_is_named(
    web: Web, redis_url: str, kind: str, data: Any, pointers: set[str]
) -> None:
    """The refusal of a payload names every wrong field."""
    with unchanged(redis_url):
        answer = web.webhook(kind, data)
    assert problem(answer) == (422, "invalid")
    assert {error["pointer"] for error in answer.json["errors"]} == pointers
    assert all(error["detail"] for error in answer.json["errors"])


def test_a_sum_that_is_too_long(web: Web, redis_url: str) -> None:
    """Renewals do not add up beyond the maximum."""
    data = market.job(duration=366 * 86400)
    web.webhook("job.assigned", data)
    with unchanged(redis_url):
        answer = web.webhook("job.renewed", {"job_uuid": data["uuid"], "duration": 1})
    assert [error["pointer"] for error in answer.json["errors"]] == ["/data/duration"]


@pytest.mark.parametrize("body", [b'{"type":"job.assigned"}', b'{"type":5,"data":{}}', b"[]", b"5"])
def test_envelopes(web: Web, redis_url: str, body: bytes) -> None:
    """A webhook has a type and data."""
    with unchanged(redis_url):
        answer = web.send(market.Signed(market.v1(body), body))
    assert problem(answer) == (422, "invalid")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"nope", b"[" * 100_000, b'{"a":1}x', b'{"a":1e999}', b"\x00"]
)
def test_no_json(web: Web, redis_url: str, body: bytes) -> None:
    """A body that is signed but no JSON is a bad request."""
    with unchanged(redis_url):
        answer = web.send(market.Signed(market.v1a(body), body))
    assert problem(answer) == (400, "not_json")


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/jsonx", "json", "a/b+xml"])
def test_other_media(web: Web, redis_url: str, media_type: str) -> None:
    """A body of another media type is not read as JSON."""
    message = market.signed("job.assigned", market.job())
    message.headers["content-type"] = media_type
    with unchanged(redis_url):
        assert problem(web.send(message)) == (415, "not_json")


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/CloudEvents+JSON"]
)
def test_spellings_of_json(web: Web, media_type: str) -> None:
    """JSON has several media types."""
    message = market.signed("job.assigned", market.job())
    message.headers["content-type"] = media_type
    assert web.send(message).status == 202


def test_unsigned(web: Web, redis_url: str) -> None:
    """Without a signature neither the body nor its media type is read."""
    body = market.event("job.assigned", market.job())
    stale = market.v1(body, at=time.time() - 301)
    future = market.v1(body, at=time.time() + 302)
    with unchanged(redis_url):
        for headers in ({}, stale, future, {"webhook-signature": "v1,x"}):
            assert problem(web.post("/webhooks", body, headers)) == (401, "unauthorized")
        assert problem(web.post("/webhooks", b"{")) == (401, "unauthorized")
        assert problem(web.post("/webhooks/", body, market.v1(body)))[0] == 404
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert web.call(method, "/webhooks", body, market.v1(body)).status == 405


def test_tampering(web: Web, redis_url: str) -> None:
    """A change on the way invalidates the signature."""
    message = market.signed("job.assigned", market.job())
    with unchanged(redis_url):
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            value = message.headers[name]
            for wrong in (f"{value}1", "1" + value, ""):
                changed = market.Signed(message.headers | {name: wrong}, message.body)
                assert web.send(changed).status == 401
        for body in (message.body + b" ", message.body[:-1], message.body.upper()):
            assert web.send(market.Signed(message.headers, body)).status == 401
    assert web.send(message).status == 202


def test_as_many_as_the_operator_allows(provider_folder: Path, redis_url: str) -> None:
    """A full provider refuses new jobs, but accepts events about those that it has."""
    text = market.configuration(redis_url, more="[TASK]\nMaxActive = 2")
    (provider_folder / "config.toml").write_text(text)
    with serving(open_context(str(provider_folder))) as web:
        first, second = market.job(), market.job()
        assert web.webhook("job.assigned", first).status == 202
        assert web.webhook("job.assigned", second).status == 202
        with unchanged(redis_url):
            answer = web.webhook("job.assigned", market.job())
        assert problem(answer) == (429, "full")
        assert int(answer.headers["retry-after"]) > 0
        assert web.webhook("job.assigned", second).status == 202
        assert web.webhook("job.redeployed", first).status == 202
        assert web.webhook("job.terminated", {"job_uuid": first["uuid"]}).status == 202


def test_answers_hold_no_more_than_the_task(web: Web) -> None:
    """A refusal shows nothing of the code behind it."""
    text = json.dumps(web.webhook("job.assigned", {"uuid": "<script>"}).json)
    assert "Traceback" not in text
    assert "msgspec" not in text
