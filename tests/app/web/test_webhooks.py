"""Webhooks from the wire to Redis, over real HTTP."""

import time
from typing import Any

import pytest

from app.context import Context
from app.store import redis_keys
from app.store.records import Reason, State
from tests.support import market
from tests.support.held_tasks import end, held
from tests.support.problem_documents import problem
from tests.support.redis_contents import everything, unchanged
from tests.support.web_server import Web


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
