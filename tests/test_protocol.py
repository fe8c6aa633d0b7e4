"""The protocol's document says what is served, and its examples are true."""

import ast
import json
import re
from typing import Any

import pytest
from starlette.routing import Route

from app import callbacks, main, schema, signing, transitions
from app.context import Context
from app.identity import Identity
from app.models import Callback, Reason, State
from app.store import change as changes
from tests import documents, market
from tests.documents import PROTOCOL, ROOT
from tests.web import Web

JOBS = "/api/v1/computing/lagrange/jobs"
PROVIDER = Identity(b"\x22" * 32)


def example(title: str, number: int = 0) -> Any:
    """Return an example of a section, decoded."""
    return json.loads(documents.blocks(PROTOCOL, "json", below=title)[number])


def request(title: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a section's HTTP example."""
    (block,) = documents.blocks(PROTOCOL, "http", below=title)
    head, body = block.rstrip("\n").split("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    return headers, body.encode()


def assigned(web: Web, path: str = "/webhooks", **fields: Any) -> tuple[dict[str, Any], Any]:
    """Assign a job; return it and the answer."""
    job = market.job(**fields)
    body = market.encoded(job) if path == JOBS else market.event("job.assigned", job)
    answer = web.send(market.Signed(market.v1(body), body), path)
    assert answer.status in {200, 202}, answer.body
    return job, answer.json


def test_every_route_is_told(context: Context) -> None:
    """The table has what web serves, and nothing else."""
    routes = [one for one in main.application(context).routes if isinstance(one, Route)]
    served = {f"{method} {one.path}" for one in routes for method in one.methods or ()}
    served = {one for one in served if not one.startswith("HEAD ")}
    told = re.findall(r"^\| \[`([A-Z]+ [^`]+)`\]", documents.text(PROTOCOL), re.MULTILINE)
    assert set(told) == served


def _codes() -> set[str]:
    # Chosen or made as it runs.
    found = {"bid_too_low", "expired", "ended", "not_found", "method_not_allowed"}
    for folder in ("app", "handlers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") == "Rejected"
                    and isinstance(node.args[1], ast.Constant)
                ):
                    found.add(str(node.args[1].value))
    return found


def test_every_refusal_is_told() -> None:
    """The table of refusals has every code that there is, and no other."""
    assert set(documents.words(documents.cells(PROTOCOL, "Refusals", column=1))) - {"code"} == (
        _codes()
    )


def test_every_field_of_a_job_is_told() -> None:
    """The table of JobData has every field, and no other."""
    told = documents.words(documents.cells(PROTOCOL, "`job.assigned`"))
    assert set(told) == set(schema.JobData.__struct_fields__)


def test_the_webhook_is_signed_by_both_keys() -> None:
    """Each signature of the example holds, by the key that stands above it."""
    headers, body = request("`POST /webhooks`")
    shown = documents.section(PROTOCOL, "`POST /webhooks`")
    secrets, public = re.findall(r"`(whsec_\S+)`", shown), re.findall(r"`(whpk_\S+)`", shown)
    now = int(headers["webhook-timestamp"])
    for keys in (signing.parse_keys(secrets, ()), signing.parse_keys((), public)):
        assert signing.verify(headers, body, keys, now=now, tolerance_seconds=0)
    schema.check(json.loads(body)["data"], schema.JobData)


def test_the_eip_191_examples_hold() -> None:
    """Both signatures are the orchestrator's, for the job of the webhook's example."""
    shown = documents.section(PROTOCOL, "EIP-191")
    account, node_id, orchestrator, *signatures = re.findall(
        r"`(0x[0-9a-fA-F]+|04[0-9a-f]+)`", shown
    )
    assert node_id == PROVIDER.node_id
    job = json.loads(request("`POST /webhooks`")[1])["data"]
    subjects = (job["job_source_uri"], job["task_uuid"])
    for subject, signature in zip(subjects, signatures, strict=True):
        signer = signing.signer(account + node_id + subject, signature)
        assert signer == orchestrator.lower()


def test_the_callback_is_as_it_is_sent() -> None:
    """The example's body, id and signature are those that the outbox would send."""
    headers, body = request("Callbacks")
    told = json.loads(body)
    owed = Callback(
        sequence=told["sequence"],
        status=told["status"],
        reason=told["reason"],
        timestamp=1795348814.25,
        message_id=headers["webhook-id"],
    )
    assert callbacks.payload(told["job_uuid"], owed) == body
    stamp = int(headers["webhook-timestamp"])
    signed = signing.sign(
        PROVIDER.signing_key, message_id=headers["webhook-id"], timestamp=stamp, body=body
    )
    assert signed.items() <= headers.items()
    key = signing.public_text(PROVIDER.signing_key.public_key())
    assert f"`{key}`" in documents.section(PROTOCOL, "Callbacks")


def test_the_statuses_are_those_that_are_sent() -> None:
    """The table of statuses has each that a transition sends."""
    told = set(documents.words(documents.cells(PROTOCOL, "Callbacks")))
    assert set(transitions._STATUSES.values()) | {"pushImage", "uploadResult"} <= told


def test_an_assignment_is_answered_as_shown(web: Web) -> None:
    """A webhook's answer has the fields of the example."""
    job, answer = assigned(web)
    shown = example("`POST /webhooks`")
    assert answer.keys() == shown.keys()
    assert (answer["task_id"], answer["state"]) == (job["uuid"], shown["state"])


def test_an_old_assignment_is_answered_as_shown(web: Web) -> None:
    """The answer of v0.3.0 has the fields of the example, and its log addresses the form."""
    job, answer = assigned(web, JOBS)
    shown = example(f"`POST {JOBS}`")
    assert answer.keys() == shown.keys()
    uuid = shown["job_source_uri"].rpartition("/")[2]
    source = job["job_source_uri"].rpartition("/")[2]
    for name in ("build_log", "container_log"):
        address, _, code = answer[name].partition("&code=")
        expected, _, shown_code = shown[name].replace(uuid, source).partition("&code=")
        assert address == expected
        assert len(code) == len(shown_code)


def test_old_answers_are_as_shown(web: Web) -> None:
    """Renewal and deletion are answered in the words of the examples."""
    job, _ = assigned(web)
    renewal = example(f"`POST {JOBS}/renew`") | {"task_uuid": job["task_uuid"]}
    body = market.encoded(renewal)
    answer = web.post(f"{JOBS}/renew", body, market.v1(body))
    assert answer.json == example(f"`POST {JOBS}/renew`", 1)
    headers = market.v1(b"")
    answer = web.call("DELETE", f"{JOBS}?task_uuid={job['task_uuid']}", headers=headers)
    assert answer.json == example(f"`DELETE {JOBS}`")


def test_an_expired_job_is_answered_as_shown(web: Web, context: Context) -> None:
    """A renewal that comes too late is answered in the words of the example."""
    job, _ = assigned(web)
    _end(context, job["uuid"], State.EXPIRED)
    body = market.encoded({"uuid": job["uuid"], "duration": 60})
    answer = web.post(f"{JOBS}/renew", body, market.v1(body))
    assert answer.json == example(f"`POST {JOBS}/renew`", 2)


def _end(context: Context, task_id: str, outcome: State) -> None:
    def commit(change: changes.Change) -> None:
        context.store.commit(change)

    def task() -> Any:
        return context.store.get(task_id)

    commit(transitions.stopping(task(), outcome, Reason("expired", "over"), now=0))
    commit(transitions.ended(task(), now=0))


@pytest.mark.parametrize("event", ["job.renewed", "job.terminated"])
def test_an_event_is_taken_as_shown(web: Web, event: str) -> None:
    """The example's payload is accepted."""
    shown = example(f"`{event}`")
    assigned(web, uuid=shown["data"]["job_uuid"])
    assert shown["type"] == event
    assert web.webhook(event, shown["data"]).status == 202


def test_a_task_is_shown_as_shown(web: Web) -> None:
    """The link of an assignment leads to a document with the fields of the example."""
    _, answer = assigned(web)
    path = re.sub(r"^https?://[^/]+", "", answer["status_url"])
    assert web.call("GET", path).json.keys() == example("`GET /tasks/{task_id}`").keys()


def test_a_refusal_is_as_shown(web: Web) -> None:
    """The example's problem document is the answer to a bad uuid without a duration."""
    answer = web.webhook(
        "job.assigned", {"uuid": "x", "job_source_uri": "https://api.lagrange.example/spaces/1"}
    )
    assert answer.json == example("Refusals")


def test_metrics_are_those_that_are_told(web: Web, context: Context) -> None:
    """The table of metrics has what is exposed, and the README names the same."""
    job, _ = assigned(web)
    _end(context, job["uuid"], State.TERMINATED)
    context.redis.hincrby("cp:metrics", "callbacks:delivered", 1)
    shown = web.call("GET", "/metrics").body.decode()
    exposed = set(re.findall(r"^(computing_provider_\w+)", shown, re.MULTILINE))
    for document in (PROTOCOL, documents.README):
        told = re.findall(r"`(computing_provider_\w+)", documents.text(document))
        assert set(told) == exposed
