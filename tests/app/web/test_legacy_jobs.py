"""The endpoints of v0.3.0, signed as Standard Webhooks."""

import json
import time
from urllib.parse import urlencode

import pytest
from eth_account import Account

from app.context import Context
from app.store import redis_keys
from app.store.records import State
from app.tasks import transitions
from tests.support import market
from tests.support.held_tasks import end, held
from tests.support.legacy_requests import (
    DELETED,
    JOBS,
    code,
    deleted,
    ended_by_orchestrator,
    post,
    sent,
)
from tests.support.problem_documents import problem
from tests.support.redis_contents import everything, unchanged
from tests.support.web_server import Web


def test_assigned_as_v030(web: Web, context: Context) -> None:
    """The answer is the bare JobData, completed; unknown fields come back."""
    data = market.job(space_id=5)
    answer = sent(web, JOBS, data)
    assert answer.status == 200
    task = held(context, data)
    space = data["job_source_uri"].rpartition("/")[2]
    log = f"wss://log.cp.example.com:8085/api/v1/computing/lagrange/spaces/log?space_id={space}"
    document = answer.json
    assert abs(int(document.pop("updated_at")) - time.time()) < 5
    assert document == data | {
        "status": "submitted",
        "job_real_uri": f"https://{task.host}",
        "job_result_uri": "",
        "build_log": f"{log}&type=build&code={code(answer.json['build_log'])}",
        "container_log": f"{log}&type=container&code={code(answer.json['container_log'])}",
    }


def test_redeployed(web: Web, context: Context) -> None:
    """A job that is held gets a new revision on the same host."""
    data = market.job()
    host = sent(web, JOBS, data).json["job_real_uri"]
    answer = sent(web, f"{JOBS}/redeploy", data)
    assert (answer.status, answer.json["job_real_uri"]) == (200, host)
    assert held(context, data).revision == 2
    assert problem(sent(web, f"{JOBS}/redeploy", market.job())) == (404, "unknown_task")


@pytest.mark.parametrize("name", ["uuid", "task_uuid", "space_uuid"])
def test_renewed(web: Web, context: Context, name: str) -> None:
    """A job is renewed by any of its names."""
    data = market.job()
    sent(web, JOBS, data)
    names = data | {"space_uuid": data["job_source_uri"].rpartition("/")[2]}
    answer = sent(web, f"{JOBS}/renew", {name: names[name].upper(), "duration": 60})
    assert answer.json == {"status": "success", "code": 200, "data": "success", "message": ""}
    assert held(context, data).duration == 960


def test_renewed_too_late(web: Web, context: Context, redis_url: str) -> None:
    """An expired job is answered as v0.3.0 did; one that was terminated is a conflict."""
    data = market.job()
    sent(web, JOBS, data)
    end(context, data, State.EXPIRED)
    with unchanged(redis_url):
        answer = sent(web, f"{JOBS}/renew", {"uuid": data["uuid"], "duration": 60})
    assert (answer.status, answer.json) == (
        200,
        {
            "status": "failed",
            "message": "The job was terminated due to its expiration date",
        },
    )
    other = market.job()
    sent(web, JOBS, other)
    deleted(web, task_uuid=other["task_uuid"])
    answer = sent(web, f"{JOBS}/renew", {"uuid": other["uuid"], "duration": 60})
    assert problem(answer) == (409, "ended")


@pytest.mark.parametrize("name", ["space_uuid", "task_uuid", "job_uuid"])
def test_deleted(web: Web, context: Context, name: str) -> None:
    """A job is ended by any of its names, in any case; again it is gone already."""
    data = market.job()
    sent(web, JOBS, data)
    space = data["job_source_uri"].rpartition("/")[2]
    names = {"space_uuid": space, "task_uuid": data["task_uuid"], "job_uuid": data["uuid"]}
    for _ in range(2):
        answer = deleted(web, **{name: names[name].upper()})
        assert (answer.status, answer.json) == (200, DELETED)
        assert held(context, data).outcome is State.TERMINATED
    assert context.redis.llen("rq:queue:work") == 2


def test_deleted_already(web: Web, context: Context) -> None:
    """The deletion of an unknown job succeeds."""
    assert deleted(web, space_uuid=market.job()["uuid"]).json == DELETED
    assert ended_by_orchestrator(web, context, market.job()["uuid"]).json == DELETED


def test_fields_are_named_as_the_body_has_them(web: Web, redis_url: str) -> None:
    """Here the data is the body."""
    with unchanged(redis_url):
        answer = sent(web, JOBS, market.job(uuid=1, duration="x"))
        assert {error["pointer"] for error in answer.json["errors"]} == {"/uuid", "/duration"}
        answer = sent(web, JOBS, market.job(duration=1))
        assert [error["pointer"] for error in answer.json["errors"]] == ["/duration"]
        answer = sent(web, f"{JOBS}/renew", {"duration": 1})
        assert [error["pointer"] for error in answer.json["errors"]] == ["/job_uuid"]
        answer = deleted(web, space_uuid="x")
        assert [error["pointer"] for error in answer.json["errors"]] == ["/space_uuid"]


@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/redeploy", f"{JOBS}/renew"])
def test_unsigned(web: Web, redis_url: str, path: str) -> None:
    """Without a signature every body is 401."""
    data = market.job()
    sent(web, JOBS, data)
    wrong = [
        market.encoded(data),
        market.encoded(data | {"node_id_job_source_uri_signature": "0x" + "11" * 65}),
        market.encoded(data | {"node_id_job_source_uri_signature": 5}),
        b"",
        b"{",
        b"[]",
        b"[" * 50_000,
    ]
    with unchanged(redis_url):
        for body in wrong:
            assert problem(post(web, body, path)) == (401, "unauthorized")
            assert problem(web.post(path, body)) == (401, "unauthorized")


def test_unsigned_deletions(web: Web, context: Context, redis_url: str) -> None:
    """A job is not ended without a signature, or with one over something else."""
    data = market.job()
    sent(web, JOBS, data)
    signature = market.eip191(context.identity.node_id, market.job()["task_uuid"])
    queries: list[dict[str, str]] = [
        {},
        {"space_uuid": data["job_source_uri"].rpartition("/")[2]},
        {"task_uuid": data["task_uuid"]},
        {"task_uuid": data["task_uuid"], "node_id_task_uuid_signature": ""},
        {"task_uuid": data["task_uuid"], "node_id_task_uuid_signature": signature},
        {"job_uuid": data["uuid"], "node_id_task_uuid_signature": signature},
    ]
    with unchanged(redis_url):
        for query in queries:
            assert problem(deleted(web, {}, **query)) == (401, "unauthorized")
        stranger = Account.from_key("0x" + "22" * 32)
        answer = ended_by_orchestrator(web, context, data["task_uuid"], by=stranger)
        assert problem(answer) == (401, "unauthorized")


def test_a_deletion_is_bound_to_its_first_use(web: Web, context: Context, redis_url: str) -> None:
    """Standard Webhooks sign the body, not the query: the same headers end nothing else."""
    data = market.job()
    sent(web, JOBS, data)
    for is_held in (True, False):
        first, headers = market.job(), market.v1(b"")
        if is_held:
            sent(web, JOBS, first)
        assert deleted(web, headers, task_uuid=first["task_uuid"]).json == DELETED
        with unchanged(redis_url):
            assert deleted(web, headers, task_uuid=first["task_uuid"]).json == DELETED
            answer = deleted(web, headers, task_uuid=data["task_uuid"])
            assert problem(answer) == (409, "message_differs")
    assert held(context, data).outcome is None


@pytest.mark.usefixtures("context")
def test_a_deletions_headers_have_one_reading(web: Web, redis_url: str) -> None:
    """An id with dots cannot be read as a shorter id with a body."""
    data = market.job()
    sent(web, JOBS, data)
    now = int(time.time())
    headers = market.v1(b"", name=f"a.{now}.b", at=now)
    deleted(web, headers, task_uuid=market.job()["task_uuid"])
    shorter = headers | {"webhook-id": "a"}
    with unchanged(redis_url):
        query = urlencode({"task_uuid": data["task_uuid"]})
        answer = web.call("DELETE", f"{JOBS}?{query}", f"b.{now}.".encode(), shorter)
        assert problem(answer) == (400, "not_json")


def test_endpoints_are_not_each_other(web: Web, redis_url: str) -> None:
    """A message that was accepted at one endpoint does nothing at another."""
    body = market.encoded(market.job())
    message = market.Signed(market.v1(body), body)
    assert web.send(message, JOBS).status == 200
    with unchanged(redis_url):
        for path in (f"{JOBS}/redeploy", f"{JOBS}/renew", "/webhooks"):
            assert problem(web.send(message, path)) == (409, "message_differs")


def test_repeated(web: Web, context: Context, redis_url: str) -> None:
    """The old endpoints, too, give the bytes of the first answer again, whatever happened since."""
    data = market.job()
    body = market.encoded(data)
    renewal = market.encoded({"uuid": data["uuid"], "duration": 60})
    messages = [
        (JOBS, market.Signed(market.v1(body), body)),
        (f"{JOBS}/renew", market.Signed(market.v1(renewal), renewal)),
        (f"{JOBS}/redeploy", market.Signed(market.v1(body), body)),
    ]
    answers = [web.send(message, path).body for path, message in messages]
    end(context, data, State.EXPIRED)
    with unchanged(redis_url):
        assert [web.send(message, path).body for path, message in messages] == answers


def test_larger_numbers_than_ours_come_back(web: Web) -> None:
    """Fields that we do not know are returned as they came."""
    body = json.dumps(market.job(x=10**30, y=[0.1, None, "ü"])).encode()
    answer = web.post(JOBS, body, market.v1(body))
    assert (answer.json["x"], answer.json["y"]) == (10**30, [0.1, None, "ü"])


def test_an_expired_task_by_the_clock(web: Web, context: Context) -> None:
    """A task that is on its way to `expired` counts as expired."""
    data = market.job()
    sent(web, JOBS, data)
    task = held(context, data)
    context.store.commit(transitions.stopping(task, State.EXPIRED, None, now=time.time()))
    answer = sent(web, f"{JOBS}/renew", {"uuid": data["uuid"], "duration": 60})
    assert answer.json["status"] == "failed"
    assert context.redis.hget(redis_keys.METRICS, "events_accepted:job.renewed") is None
    assert everything(context.config.api.redis_url)
