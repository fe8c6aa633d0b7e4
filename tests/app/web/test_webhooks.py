"""Webhooks from the wire to Redis, over real HTTP."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.context import Context, open_context
from app.store import Change, redis_keys
from app.store.records import Reason, State, Task
from app.tasks import transitions
from tests.support import market
from tests.support.web_server import (
    Answer,
    Web,
    everything,
    processes,
    serving,
)

DUPLICATES = 1000


@contextmanager
def unchanged(redis_url: str) -> Iterator[None]:
    """Check that nothing in Redis changes, but metrics."""
    before = everything(redis_url)
    yield
    assert everything(redis_url) == before


def problem(answer: Answer) -> tuple[int, str]:
    """Return the status and the code of a refusal, which is a problem document (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == answer.status
    assert document["type"]
    assert document["title"]
    assert document["detail"]
    return answer.status, document["code"]


def held(context: Context, data: dict[str, Any]) -> Task:
    """Return the task of a job."""
    found = context.store.get(data["uuid"].lower())
    assert found is not None
    return found


def end(context: Context, data: dict[str, Any], outcome: State = State.TERMINATED) -> None:
    """Let a task run and come to its end, as worker and clock would."""

    def commit(change: Change) -> None:
        context.store.commit(change)

    now = time.time()
    commit(transitions.running(held(context, data), now=now))
    commit(transitions.stopping(held(context, data), outcome, Reason("x", "y"), now=now))
    commit(transitions.ended(held(context, data), now=now))


@pytest.mark.parametrize("sign", [market.v1, market.v1a])
def test_an_assignment_becomes_a_task(web: Web, context: Context, sign: Any) -> None:
    """One webhook makes one task, one entry in the queue, and an answer with the status URL."""
    data = market.job()
    body = market.event("job.assigned", data)
    answer = web.send(market.Signed(sign(body), body))
    assert (answer.status, answer.headers["content-type"]) == (202, "application/json")
    assert answer.json["task_id"] == data["uuid"]
    assert answer.json["state"] == "accepted"
    assert answer.json["status_url"].startswith("http://192.0.2.7:8085/tasks/")
    task = held(context, data)
    assert answer.json["url"] == f"https://{task.host}"
    label, _, domain = task.host.partition(".")
    assert len(label) == 10
    assert label.isalnum()
    assert domain == "cp.example.com"
    entries: Any = context.redis.lrange("rq:queue:work", 0, -1)
    [entry] = entries
    description = context.redis.hget(f"rq:job:{entry.decode()}", "description")
    assert description == f"app.processes.rq_jobs.advance {task.id}".encode()


def test_the_whole_life_by_webhooks(web: Web, context: Context) -> None:
    """A job is assigned, renewed, redeployed and terminated."""
    data = market.job()
    assert web.webhook("job.assigned", data).status == 202
    renewal = {"task_uuid": data["task_uuid"].upper(), "duration": 100}
    assert web.webhook("job.renewed", renewal).status == 202
    assert held(context, data).duration == 1000
    assert web.webhook("job.redeployed", data | {"uuid": data["uuid"].upper()}).status == 202
    assert (held(context, data).revision, held(context, data).duration) == (2, 1000)
    space = data["job_source_uri"].rpartition("/")[2]
    answer = web.webhook("job.terminated", {"space_uuid": space, "reason": "enough"})
    assert (answer.status, answer.json["state"]) == (202, "terminating")
    assert held(context, data).reason == Reason("terminated", "enough")


def test_the_same_message_has_the_same_answer(web: Web, context: Context, redis_url: str) -> None:
    """A repeated webhook gets the bytes of its first answer, whatever became of the task since."""
    data = market.job()
    messages = [
        market.signed("job.assigned", data),
        market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60}),
        market.signed("job.redeployed", data),
        market.signed("job.terminated", {"job_uuid": data["uuid"]}),
    ]
    answers = [web.send(message).body for message in messages]
    end(context, data)
    with unchanged(redis_url):
        for message, first in zip(messages, answers, strict=True):
            again = web.send(message)
            assert (again.status, again.body) == (202, first)
    counted = context.redis.hgetall(redis_keys.METRICS)
    assert counted[b"events_accepted:job.renewed"] == b"1"


def test_the_same_message_signed_anew(web: Web, redis_url: str) -> None:
    """A sender that tries again later signs with a new time and another key; the id decides."""
    body = market.event("job.assigned", market.job())
    first = web.send(market.Signed(market.v1(body, name="m", at=time.time() - 200), body))
    with unchanged(redis_url):
        again = web.send(market.Signed(market.v1a(body, name="m"), body))
    assert (again.status, again.body) == (202, first.body)


def test_the_same_id_with_other_content(web: Web, redis_url: str) -> None:
    """An id that was used with other content is a conflict."""
    web.send(market.signed("job.assigned", market.job(), name="m"))
    with unchanged(redis_url):
        answer = web.send(market.signed("job.assigned", market.job(), name="m"))
        assert problem(answer) == (409, "message_differs")
        answer = web.send(market.signed("job.terminated", {"job_uuid": "x" * 36}, name="n"))
        assert answer.status == 422


def test_the_same_job_in_another_message(web: Web, redis_url: str) -> None:
    """A job that is held already is answered with its task; with other content it is a conflict."""
    data = market.job()
    first = web.webhook("job.assigned", data).json
    inbox = set(everything(redis_url))
    again = web.webhook("job.assigned", data | {"uuid": data["uuid"].upper(), "updated_at": "5"})
    assert (again.status, again.json) == (202, first)
    [new] = set(everything(redis_url)) - inbox
    assert new.startswith(b"cp:inbox:")
    with unchanged(redis_url):
        answer = web.webhook("job.assigned", data | {"duration": 901})
        assert problem(answer) == (409, "job_differs")


def test_events_overtake_each_other(web: Web, context: Context, redis_url: str) -> None:
    """An event before its assignment finds no task; one after the end changes nothing."""
    data = market.job()
    assignment = market.signed("job.assigned", data)
    renewal = market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60})
    termination = market.signed("job.terminated", {"job_uuid": data["uuid"]})
    with unchanged(redis_url):
        for early in (renewal, termination):
            assert problem(web.send(early)) == (404, "unknown_task")
    for message in (assignment, termination):
        assert web.send(message).status == 202
    with unchanged(redis_url):
        assert problem(web.send(renewal)) == (409, "ended")
        assert problem(web.webhook("job.redeployed", data)) == (409, "ended")
        assert web.send(assignment).status == 202
    assert held(context, data).state is State.TERMINATING


def test_an_end_that_comes_twice(web: Web, context: Context) -> None:
    """Another termination of what is over is accepted, and nothing more is done."""
    data = market.job()
    web.webhook("job.assigned", data)
    end(context, data)
    before = held(context, data)
    assert web.webhook("job.terminated", {"job_uuid": data["uuid"]}).status == 202
    assert held(context, data) == before


def test_names_are_of_their_kind(web: Web, redis_url: str) -> None:
    """A uuid names a job, a task or a Space, and none of them by another's name."""
    data = market.job()
    web.webhook("job.assigned", data)
    space = data["job_source_uri"].rpartition("/")[2]
    names = {"job_uuid": data["uuid"], "task_uuid": data["task_uuid"], "space_uuid": space}
    with unchanged(redis_url):
        for name in names:
            for other, value in names.items():
                if other != name:
                    answer = web.webhook("job.terminated", {name: value})
                    assert problem(answer) == (404, "unknown_task")
        answer = web.webhook("job.redeployed", data | {"uuid": data["task_uuid"]})
        assert problem(answer) == (404, "unknown_task")


def test_the_task_that_runs_is_renewed(web: Web, context: Context) -> None:
    """When the newest job of a name has failed, the one before it is renewed."""
    data = market.job()
    newer = market.job(job_source_uri=data["job_source_uri"], task_uuid=data["task_uuid"])
    web.webhook("job.assigned", data)
    web.webhook("job.assigned", newer)
    end(context, newer, State.FAILED)
    renewal = {"task_uuid": data["task_uuid"], "duration": 60}
    assert web.webhook("job.renewed", renewal).json["task_id"] == data["uuid"]
    assert held(context, data).duration == 960


def test_another_space_is_not_redeployed(web: Web, redis_url: str) -> None:
    """A job keeps its Space."""
    data = market.job()
    web.webhook("job.assigned", data)
    other = data | {"job_source_uri": market.job()["job_source_uri"]}
    with unchanged(redis_url):
        assert problem(web.webhook("job.redeployed", other)) == (409, "not_the_owner")


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


async def _sent(messages: list[tuple[int, market.Signed]]) -> list[tuple[int, bytes]]:
    """Send all messages at once, each to the port that is given with it."""
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(port: int, message: market.Signed) -> tuple[int, bytes]:
            async with session.post(
                f"http://127.0.0.1:{port}/webhooks", data=message.body, headers=message.headers
            ) as response:
                return response.status, await response.read()

        return await asyncio.gather(*(send(port, message) for port, message in messages))


def test_a_thousand_duplicates_over_two_processes(provider_folder: Path, context: Context) -> None:
    """However often and wherever a webhook arrives at once, it has one effect, one answer."""
    data = market.job()
    message = market.signed("job.assigned", data)
    with processes(provider_folder, 2) as ports:
        answers = asyncio.run(_sent([(ports[i % 2], message) for i in range(DUPLICATES)]))
        assert set(Counter(answers)) == {answers[0]}
        assert answers[0][0] == 202
        assert context.redis.lrange("rq:queue:work", 0, -1)
        assert context.redis.llen("rq:queue:work") == 1
        assert context.redis.zcard(redis_keys.TASKS) == 1
        assert context.redis.zcard(redis_keys.OUTBOX) == 0
        assert context.redis.hlen(redis_keys.HOSTS) == 1
        assert held(context, data).version == 1
        renewal = market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60})
        answers = asyncio.run(_sent([(ports[i % 2], renewal) for i in range(DUPLICATES)]))
        assert {status for status, _ in answers} == {202}
        assert len(set(answers)) == 1
        assert held(context, data).duration == 960


def test_one_job_in_many_messages_at_once(web: Web, context: Context) -> None:
    """The same job in messages of different ids is one task all the same."""
    data = market.job()
    messages = [(web.port, market.signed("job.assigned", data)) for _ in range(50)]
    answers = asyncio.run(_sent(messages))
    assert {status for status, _ in answers} == {202}
    assert len({body for _, body in answers}) == 1
    assert context.redis.llen("rq:queue:work") == 1


def test_renewals_at_once_all_count(web: Web, context: Context) -> None:
    """No renewal is lost to another that comes at the same time."""
    data = market.job()
    web.webhook("job.assigned", data)
    renewal = {"job_uuid": data["uuid"], "duration": 7}
    messages = [(web.port, market.signed("job.renewed", renewal)) for _ in range(12)]
    answers = asyncio.run(_sent(messages))
    accepted = sum(status == 202 for status, _ in answers)
    assert accepted == 12
    assert held(context, data).duration == 900 + 12 * 7


def test_upper_case_is_the_same_job(web: Web, context: Context) -> None:
    """Uuids mean the same in any case, and answers have them in lower case."""
    data = market.job()
    shouted = data | {"uuid": data["uuid"].upper(), "task_uuid": data["task_uuid"].upper()}
    assert web.webhook("job.assigned", shouted).json["task_id"] == data["uuid"]
    assert web.webhook("job.assigned", data).status == 202
    assert context.redis.llen("rq:queue:work") == 1
    renewal = {"job_uuid": data["uuid"].upper(), "duration": 60}
    assert web.webhook("job.renewed", renewal).status == 202
    space = data["job_source_uri"].rpartition("/")[2].upper()
    assert web.webhook("job.terminated", {"space_uuid": space}).status == 202
    assert held(context, data).outcome is State.TERMINATED


def test_answers_hold_no_more_than_the_task(web: Web) -> None:
    """A refusal shows nothing of the code behind it."""
    text = json.dumps(web.webhook("job.assigned", {"uuid": "<script>"}).json)
    assert "Traceback" not in text
    assert "msgspec" not in text
