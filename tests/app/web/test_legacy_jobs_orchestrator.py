"""The endpoints of v1.1.5, signed by the orchestrator (EIP-191)."""

from pathlib import Path
from typing import Any

import pytest

from app.context import Context, open_context
from app.store.records import State
from tests.support import market
from tests.support.held_tasks import end, held
from tests.support.legacy_requests import (
    DELETED,
    JOBS,
    code,
    deleted,
    ended_by_orchestrator,
    orchestrated,
    post,
    sent,
)
from tests.support.problem_documents import problem
from tests.support.redis_contents import unchanged
from tests.support.web_server import Web, serving


def test_assigned_as_v115(web: Web, context: Context) -> None:
    """The orchestrator's signature is enough, and logs are named by the job."""
    data = market.job(ip_white_list=None)
    answer = post(web, orchestrated(context, data))
    assert answer.status == 200
    log = "wss://log.cp.example.com:8085/api/v1/computing/lagrange/spaces/log"
    address = answer.json["build_log"]
    assert address == f"{log}?job_uuid={data['uuid']}&type=build&code={code(address)}"
    assert context.redis.llen("rq:queue:work") == 1


def test_nobody_is_orchestrator(provider_folder: Path, redis_url: str) -> None:
    """Without a configured orchestrator no EIP-191 signature holds."""
    path = provider_folder / "config.toml"
    path.write_text(path.read_text().replace("OrchestratorPk", "# OrchestratorPk"))
    opening = open_context(str(provider_folder))
    with serving(opening) as web, unchanged(redis_url):
        assert problem(post(web, orchestrated(opening, market.job()))) == (401, "unauthorized")


def test_the_orchestrators_replays(web: Web, context: Context, redis_url: str) -> None:
    """The same signed job again has the same answer and no effect, even after its end."""
    data = market.job()
    body = orchestrated(context, data)
    first = post(web, body)
    with unchanged(redis_url):
        assert post(web, body).body == first.body
        assert post(web, orchestrated(context, data, updated_at="7", status="x")).body == first.body
    end(context, data)
    with unchanged(redis_url):
        assert post(web, body).body == first.body
    assert context.redis.ttl(next(context.redis.scan_iter("cp:inbox:eip191:*"))) == -1


@pytest.mark.parametrize(
    "change",
    [
        {"duration": 901},
        {"bid_price": "0"},
        {"job_type": 1},
        {"uuid": "11111111-1111-4111-8111-111111111111"},
        {"task_uuid": "11111111-1111-4111-8111-111111111111"},
        {"ip_white_list": ["192.0.2.1"]},
        {"storage_source": "x"},
        {"name": "x"},
    ],
    ids=str,
)
def test_fields_that_a_signature_does_not_cover(
    web: Web, context: Context, redis_url: str, change: dict[str, Any]
) -> None:
    """Fields that the signature does not cover are bound by its first use."""
    data = market.job()
    post(web, orchestrated(context, data))
    with unchanged(redis_url):
        answer = post(web, orchestrated(context, data, **change))
        assert problem(answer) == (409, "message_differs")


def test_an_assignment_is_no_redeploy(web: Web, context: Context, redis_url: str) -> None:
    """The signature of an assignment, sent to another endpoint, does nothing."""
    data = market.job()
    body = orchestrated(context, data)
    post(web, body)
    with unchanged(redis_url):
        assert problem(post(web, body, f"{JOBS}/redeploy")) == (409, "message_differs")
        assert problem(post(web, body, f"{JOBS}/renew")) == (401, "unauthorized")


def test_the_source_is_covered(web: Web, context: Context, redis_url: str) -> None:
    """A job with another source than the signed one is unsigned."""
    other = market.job()["job_source_uri"]
    with unchanged(redis_url):
        answer = post(web, orchestrated(context, market.job(), job_source_uri=other))
        assert problem(answer) == (401, "unauthorized")


def test_a_job_of_two_sources(web: Web, context: Context, redis_url: str) -> None:
    """JSON with a key twice cannot show one source to the check and another to the worker."""
    data = market.job()
    body = orchestrated(context, data)
    other = market.encoded({"job_source_uri": market.job()["job_source_uri"]})
    with unchanged(redis_url):
        answer = post(web, body[:-1] + b"," + other[1:])
        assert problem(answer) == (401, "unauthorized")
    answer = post(web, other[:-1] + b"," + body[1:])
    assert answer.status == 200
    assert held(context, data).job.job_source_uri == data["job_source_uri"]


def test_ended_by_the_orchestrator(web: Web, context: Context) -> None:
    """The signature of a termination ends its task, and again it does no more."""
    data = market.job()
    post(web, orchestrated(context, data))
    for _ in range(2):
        assert ended_by_orchestrator(web, context, data["task_uuid"]).json == DELETED
    assert held(context, data).outcome is State.TERMINATED
    assert context.redis.llen("rq:queue:work") == 2


def test_a_spent_termination(web: Web, context: Context, redis_url: str) -> None:
    """A termination that was used ends no later job of the task, even if it ended none."""
    for first_is_held in (True, False):
        data = market.job()
        later = market.job(task_uuid=data["task_uuid"])
        if first_is_held:
            sent(web, JOBS, data)
        assert ended_by_orchestrator(web, context, data["task_uuid"]).json == DELETED
        sent(web, JOBS, later)
        with unchanged(redis_url):
            answer = ended_by_orchestrator(web, context, data["task_uuid"])
            assert problem(answer) == (409, "signature_spent")
        assert held(context, later).outcome is None
        assert deleted(web, task_uuid=data["task_uuid"]).json == DELETED
        assert held(context, later).outcome is State.TERMINATED


def test_other_signatures_end_nothing(web: Web, context: Context) -> None:
    """A signature that reads a status, or names a Space, ends no task of that name."""
    data = market.job()
    sent(web, JOBS, data)
    space = data["job_source_uri"].rpartition("/")[2]
    answer = ended_by_orchestrator(web, context, data["uuid"])
    assert problem(answer) == (409, "signature_spent")
    assert ended_by_orchestrator(web, context, space).json == DELETED
    answer = ended_by_orchestrator(web, context, data["job_source_uri"])
    assert problem(answer) == (422, "invalid")
    assert held(context, data).outcome is None
