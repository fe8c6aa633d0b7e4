"""Attack: send signed bytes to another endpoint than they were signed for, or for another target.

An intruder between the market and the provider sees whole messages: accepted, refused or postponed.
A signature covers neither path nor query, so each message seen is sent again, within its time, as
something else. It fails because an id stands for the endpoint and the content of its first use,
whatever that was answered, and because a signed deletion is empty or repeats its query.
"""

from typing import Any
from urllib.parse import urlencode

import pytest

from app.context import Context
from tests.support import market
from tests.support.held_tasks import held
from tests.support.legacy_requests import (
    DELETED,
    JOBS,
    deleted,
    ended_by_orchestrator,
    orchestrated,
    post,
    sent,
)
from tests.support.market import Signed
from tests.support.problem_documents import problem
from tests.support.web_server import Answer, Web

PROOF = "/api/v1/computing/lagrange/cp/proof"
ORDER = {"method": "mine", "block_data": "abc", "exp": 3}
DIFFERS = (409, "message_differs")
STRANGE = "00000000-0000-4000-8000-000000000000"


def signed(document: Any) -> Signed:
    """Return a message of a JSON body, or of an empty one."""
    body = b"" if document is None else market.encoded(document)
    return Signed(market.v1(body), body)


def as_deletion(web: Web, message: Signed, **query: str) -> Answer:
    """Send a message's bytes as a deletion."""
    path = f"{JOBS}?{urlencode(query)}"
    return web.call("DELETE", path, message.body or None, message.headers)


@pytest.fixture
def victim(web: Web) -> dict[str, Any]:
    """A job that runs, which the intruder wants to end."""
    data = market.job()
    assert sent(web, JOBS, data).status == 200
    return data


def refused(victim: dict[str, Any]) -> dict[str, tuple[Signed, str]]:
    """Return messages that are refused though their signature holds, by the reason."""
    unknown = {"job_uuid": STRANGE, "duration": 60}
    event = {"type": "job.renewed", "timestamp": "", "data": unknown}
    return {
        "404 event": (signed(event | {"type": "job.frozen"}), "/webhooks"),
        "404 task": (signed(event), "/webhooks"),
        "404 renewal": (signed({"uuid": STRANGE, "duration": 60}), f"{JOBS}/renew"),
        "404 redeploy": (signed(market.job()), f"{JOBS}/redeploy"),
        "409": (signed(victim | {"duration": 901}), JOBS),
        "422": (signed({"uuid": "x"}), JOBS),
        "422 webhook": (signed({"type": 5}), "/webhooks"),
        "422 proof": (signed(ORDER | {"exp": -1}), PROOF),
        "400": (signed(None), "/webhooks"),
    }


def test_refused_messages(web: Web, context: Context, victim: dict[str, Any]) -> None:
    """What was refused stays refused everywhere, and is refused alike at its own endpoint."""
    endpoints = ("/webhooks", JOBS, f"{JOBS}/redeploy", f"{JOBS}/renew", PROOF)
    for reason, (message, path) in refused(victim).items():
        first = web.send(message, path)
        assert first.status == int(reason[:3]), reason
        for other in endpoints:
            answer = web.send(message, other)
            assert problem(answer) == (DIFFERS if other != path else problem(first)), reason
        for name in ("task_uuid", "uuid"):
            query = {"job_uuid" if name == "uuid" else name: victim[name]}
            assert as_deletion(web, message, **query).status in {409, 422}, reason
        assert web.send(message, path).body == first.body
    assert held(context, victim).outcome is None


def test_a_full_provider(web: Web, context: Context) -> None:
    """A job that was refused for now is accepted later by the same bytes, and only as itself."""
    message = signed(data := market.job())
    context.redis.sadd("cp:active", *(f"other-{number}" for number in range(1000)))
    assert problem(web.send(message, JOBS)) == (429, "full")
    for path in ("/webhooks", f"{JOBS}/redeploy"):
        assert problem(web.send(message, path)) == DIFFERS
    context.redis.delete("cp:active")
    answer = web.send(message, JOBS)
    assert (answer.status, answer.body) == (200, web.send(message, JOBS).body)
    assert held(context, data).outcome is None


def test_messages_that_were_not_seen(web: Web, context: Context, victim: dict[str, Any]) -> None:
    """Bytes that the intruder kept back are no deletion, whatever they name."""
    named = {"task_uuid": victim["task_uuid"]}
    bodies: list[Any] = [
        victim,
        named | {"duration": 60},
        {"type": "job.terminated", "timestamp": "", "data": named},
        ORDER,
        {},
        [],
        "text",
        {"task_uuid": STRANGE},
        {"task_uuid": [victim["task_uuid"]]},
        {"job_uuid": victim["task_uuid"]},
        named | {"job_uuid": STRANGE},
    ]
    for body in bodies:
        answer = as_deletion(web, signed(body), **named)
        assert problem(answer) == (422, "target_differs"), body
    assert held(context, victim).outcome is None


def test_a_deletion_that_names_its_task(web: Web, context: Context, victim: dict[str, Any]) -> None:
    """A body of the query's fields ends that task, and no other by another query."""
    other = market.job()
    sent(web, JOBS, other)
    message = signed({"task_uuid": victim["task_uuid"].upper()})
    for query in ({"task_uuid": other["task_uuid"]}, {"job_uuid": victim["uuid"]}, {}):
        assert problem(as_deletion(web, message, **query)) == (422, "target_differs")
    for _ in range(2):
        assert as_deletion(web, message, task_uuid=victim["task_uuid"]).json == DELETED
    assert problem(web.send(message, f"{JOBS}/renew")) == DIFFERS
    assert held(context, other).outcome is None
    assert held(context, victim).outcome is not None


def test_an_empty_deletion(web: Web, context: Context, victim: dict[str, Any]) -> None:
    """An empty body is bound to its first target, though that was refused."""
    headers = market.v1(b"")
    first = deleted(web, headers, space_uuid="x")
    assert problem(first) == (422, "invalid")
    assert problem(deleted(web, headers, task_uuid=victim["task_uuid"])) == DIFFERS
    assert deleted(web, headers, space_uuid="x").body == first.body
    assert held(context, victim).outcome is None


def test_proofs(web: Web, context: Context, victim: dict[str, Any]) -> None:
    """The order of a proof is nothing else, before it is carried out and afterwards."""
    event = {"type": "job.terminated", "timestamp": "", "data": {"job_uuid": victim["uuid"]}}
    message = signed(ORDER | event)  # Fit for both.
    assert web.send(message).status == 202
    assert problem(web.send(message, PROOF)) == DIFFERS
    other = market.job()
    sent(web, JOBS, other)
    order = signed(ORDER | event | {"data": {"job_uuid": other["uuid"]}, "exp": 251})
    assert problem(web.send(order, PROOF)) == (422, "invalid")
    assert problem(web.send(order)) == DIFFERS
    assert held(context, other).outcome is None


def test_an_id_stands_for_one_content(web: Web) -> None:
    """Other bytes under the id of a refused message are refused, though they are signed."""
    name = market.message_id()
    bodies = [market.encoded({"uuid": STRANGE, "duration": seconds}) for seconds in (60, 61)]
    answers = [web.post(f"{JOBS}/renew", body, market.v1(body, name=name)) for body in bodies]
    assert [problem(answer) for answer in answers] == [(404, "unknown_task"), DIFFERS]


def test_the_orchestrators_refused_jobs(web: Web, context: Context) -> None:
    """A job signed by EIP-191 and refused for now is bound to its fields and endpoint."""
    body = orchestrated(context, data := market.job())
    context.redis.sadd("cp:active", *(f"other-{number}" for number in range(1000)))
    assert problem(post(web, body)) == (429, "full")
    context.redis.delete("cp:active")
    for change in ({"uuid": STRANGE}, {"duration": 86400}, {"bid_price": "0"}):
        assert problem(post(web, orchestrated(context, data, **change))) == DIFFERS
    assert problem(post(web, body, f"{JOBS}/redeploy")) == DIFFERS
    assert post(web, body).status == 200


def test_questions_end_nothing(web: Web, context: Context, victim: dict[str, Any]) -> None:
    """A question's signature is over the text of a termination, and ends no task of that uuid."""
    known = market.job(task_uuid=victim["uuid"])
    unknown = market.job()
    for data in (known, unknown):
        sent(web, JOBS, data)
    node = context.identity.node_id
    for subject in (victim["uuid"], unknown["task_uuid"]):
        query = urlencode({"signature": market.eip191(node, subject)})
        path = f"/api/v1/computing/lagrange/job/{subject}?{query}"
        answers = [web.call("GET", path).status, web.call("GET", path).status]
        assert answers == [200 if subject == victim["uuid"] else 404] * 2
    spent = ended_by_orchestrator(web, context, victim["uuid"])
    assert problem(spent) == (409, "signature_spent")
    assert problem(ended_by_orchestrator(web, context, unknown["task_uuid"])) == DIFFERS
    assert {held(context, data).outcome for data in (known, unknown)} == {None}
    assert deleted(web, task_uuid=known["task_uuid"]).json == DELETED
    assert held(context, known).outcome is not None
