"""The protocol's document says what is served and sent, and its examples are true."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Match, Route, WebSocketRoute

from app.config.identity import Identity
from app.context import Context
from app.intake import dispatch
from app.net import signatures
from app.processes import web
from app.store.job_data import JobData
from app.tasks import transitions
from tests.docs import directions, examples, story
from tests.docs.examples import Direction, Example
from tests.support import documents
from tests.support.documents import PROTOCOL, ROOT

PROVIDER = Identity(b"\x22" * 32)
UNSEEN = {("400", "cut_off")}  # Who would read it has gone.
ELSEWHERE = {"/", "/ipfs/"}  # Where others read results.
TOLD = tuple(examples.read(PROTOCOL))
EXAMPLES = tuple(one for one in TOLD if isinstance(one, Example))
OURS = tuple(one for one in EXAMPLES if one.headers["host"] in story.OURS)
SENT = tuple(one for one in EXAMPLES if one.headers["host"] not in story.OURS)
SIGNED = tuple(one for one in OURS if "webhook-signature" in one.headers)


def test_every_example_is_true(tmp_path: Path) -> None:
    """Played in their order on one provider, the examples are what passes on the wire."""
    with story.told(tmp_path, PROTOCOL) as played:
        for one in TOLD:
            where = f"{PROTOCOL.name}:{one.line}"
            if isinstance(one, Direction):
                directions.follow(played, one)
                continue
            assert story.differences(one, played.play(one)) == [], where


def test_every_direction_is_given() -> None:
    """What is known to happen between examples does."""
    given = {one.words for one in TOLD if isinstance(one, Direction)}
    assert given == set(directions.KNOWN)


def _routes(context: Context) -> Iterator[tuple[str, Route | WebSocketRoute]]:
    for one in web.application(context).routes:
        if isinstance(one, WebSocketRoute):
            yield f"WebSocket {one.path}", one
        else:
            assert isinstance(one, Route)
            methods = (one.methods or set()) - {"HEAD"}
            yield from ((f"{method} {one.path}", one) for method in methods)


def test_every_route_is_told(context: Context) -> None:
    """The table has what web serves, once, and nothing else."""
    served = [name for name, _ in _routes(context)]
    told = re.findall(r"^\| \[(?:`([A-Z]+ [^`]+)`|(WebSocket) `([^`]+)`)\]", _text(), re.MULTILINE)
    assert sorted(" ".join(filter(None, one)) for one in told) == sorted(served)


def test_every_route_has_its_example(context: Context) -> None:
    """For each method of each path one that is no refusal."""
    good = [one for one in OURS if one.answer.status < 400]
    for name, route in _routes(context):
        kind = "websocket" if isinstance(route, WebSocketRoute) else "http"
        fitting = [
            one
            for one in good
            if ("upgrade" in one.headers) == (kind == "websocket")
            and route.matches({"type": kind, "method": one.method, "path": one.path})[0]
            is Match.FULL
        ]
        assert fitting, f"{name} has no example"


def test_every_event_has_its_example() -> None:
    """Each type that there is a handler for is sent to `/webhooks`."""
    sent = [one.content for one in OURS if one.path == "/webhooks" and one.answer.status == 202]
    assert {one["type"] for one in sent} == set(dispatch.handlers())


def _statuses() -> set[str]:
    """Every status that Lagrange can be told: of a state, or of a change by itself."""
    tree = ast.parse((ROOT / "app" / "tasks" / "transitions.py").read_text("utf-8"))
    named = {
        str(node.value.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword)
        and node.arg == "status"
        and isinstance(node.value, ast.Constant)
    }
    return named | set(transitions._STATUSES.values())


def test_every_callback_has_its_example() -> None:
    """Each status that a transition sends is in the table, and sent in an example."""
    sent = {one.content["status"] for one in SENT if one.path == "/job/status"}
    assert sent == _statuses()
    told = set(documents.words(documents.cells(PROTOCOL, "Callbacks")))
    assert told - {"status"} >= _statuses()


def _senders() -> Iterator[Path]:
    """Yield the modules that send to the server of `[LAG]` or `[MCS]`."""
    for path in (ROOT / "app").rglob("*.py"):
        own = path.relative_to(ROOT / "app").parts[0] in {"cli", "demo", "config"}
        text = path.read_text("utf-8")
        if not own and ".server_url" in text and re.search(r"\b(?:[Ll]ag|Mcs)\b", text):
            yield path


def test_every_message_has_its_example() -> None:
    """Each path that a module sends to is the path of an example, or a part of one."""
    senders = {path.stem for path in _senders()}
    assert {"callbacks", "report_loop", "missed_terminations", "multichain_storage"} <= senders
    for path in _senders():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else ""
            if isinstance(text, str) and text.startswith("/") and text not in ELSEWHERE:
                assert any(text in one.target for one in SENT), f"{path.stem} sends to {text}"


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


def _refusals() -> set[tuple[str, str]]:
    """Return what the table has: a status and a code each."""
    statuses = documents.cells(PROTOCOL, "Refusals")[1:]
    codes = documents.cells(PROTOCOL, "Refusals", column=1)[1:]
    return {
        (status, code)
        for status, cell in zip(statuses, codes, strict=True)
        for code in documents.words([cell])
    }


def test_every_refusal_is_told() -> None:
    """The table of refusals has every code that there is, and no other."""
    assert {code for _, code in _refusals()} == _codes()


def test_every_refusal_has_its_example() -> None:
    """Each row of the table is the answer to a request."""
    refused = [
        one.answer for one in OURS if "problem" in one.answer.headers.get("content-type", "")
    ]
    shown = {(str(one.status), one.content["code"]) for one in refused}
    assert shown | UNSEEN == _refusals()


def test_every_field_of_a_job_is_told() -> None:
    """The table of JobData has every field, and no other."""
    told = documents.words(documents.cells(PROTOCOL, "`job.assigned`"))
    assert set(told) == set(JobData.__struct_fields__)


def test_the_webhook_is_signed_by_both_keys() -> None:
    """Each signature of the first example holds, by the key that the configuration has."""
    first = OURS[0]
    secrets, public = re.findall(r'"(whsec_[^"]+)', _text()), re.findall(r'"(whpk_[^"]+)', _text())
    now = int(first.headers["webhook-timestamp"])
    for keys in (signatures.parse_keys(secrets, ()), signatures.parse_keys((), public)):
        body = first.body.encode()
        assert signatures.verify(first.headers, body, keys, now=now, tolerance_seconds=0)


@pytest.mark.parametrize("one", SIGNED, ids=lambda one: one.headers["webhook-id"])
def test_webhooks_are_signed_as_told(one: Example) -> None:
    """The commands make each signature of the examples."""
    (script,) = documents.blocks(PROTOCOL, "sh", below="Standard Webhooks")
    variables = {
        "id": one.headers["webhook-id"],
        "timestamp": one.headers["webhook-timestamp"],
        "body": one.body,
    }
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        env={**os.environ, **variables},
        capture_output=True,
        check=True,
    )
    assert f"v1,{done.stdout.decode().strip()}" in one.headers["webhook-signature"].split(" ")


def test_the_orchestrator_signs_as_told() -> None:
    """The program makes each EIP-191 signature of the examples."""
    (program,) = documents.blocks(PROTOCOL, "python", below="EIP-191")
    assert f"`{PROVIDER.node_id}`" in documents.section(PROTOCOL, "EIP-191")
    found = [*_orchestrated()]
    assert len(found) > 3
    for subject, signature in found:
        variables = {"subject": subject}
        exec(program, variables)  # noqa: S102 - the document's own.
        assert variables["signature"] == signature


def _orchestrated() -> Iterator[tuple[str, str]]:
    """Yield what was signed and the signature, of the examples that have one."""
    for one in OURS:
        if signature := re.search(r"[?&]\w*signature=(0x\w+)", one.target):
            task = re.search(r"task_uuid=([\w-]+)", one.target)
            yield task[1] if task else one.path.rpartition("/")[2], signature[1]
        elif "node_id_job_source_uri_signature" in one.body:
            job = one.content
            yield job["job_source_uri"], job["node_id_job_source_uri_signature"]


def test_the_key_of_callbacks_is_told() -> None:
    """The section names the public half of the key that signs the examples."""
    key = signatures.public_text(PROVIDER.signing_key.public_key())
    assert f"`{key}`" in documents.section(PROTOCOL, "Callbacks")


def test_metrics_are_those_that_are_told() -> None:
    """The table of metrics has what the example shows, and docs/operations.md names the same."""
    (shown,) = (one.answer.body for one in OURS if one.path == "/metrics")
    exposed = set(re.findall(r"^(computing_provider_\w+)", shown, re.MULTILINE))
    for document in (PROTOCOL, documents.OPERATIONS):
        told = re.findall(r"`(computing_provider_\w+)", documents.text(document))
        assert set(told) == exposed


def test_what_is_signed_is_one_line() -> None:
    """So that a reader can take it as it stands."""
    assert not [one for one in SIGNED if "\n" in one.body]


def _text() -> str:
    return documents.text(PROTOCOL)
