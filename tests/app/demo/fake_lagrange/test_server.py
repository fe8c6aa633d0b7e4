"""The stand-in for Lagrange, from a provider's side of the wire."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.demo.fake_lagrange import (
    Behaviour,
    Form,
    Lagrange,
    signed_requests,
)
from app.demo.fake_lagrange.signed_requests import Job, Key
from app.errors import Temporary
from app.net import signatures
from app.spaces.source.space import read

WALLET = "0x" + "ab" * 20
HARDWARE = "CPU only · 2 vCPU · 16 GiB"
API = "/api/v1/computing/lagrange"


class Provider:
    """Takes any request and remembers it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((self.command, self.path, headers, body))
                self.send_response(202)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that it looks for.

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that only listens."""
    running = Provider()
    thread = threading.Thread(target=running.server.serve_forever, args=(0.02,))
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


@pytest.fixture
def lagrange() -> Iterator[Lagrange]:
    """A running stand-in that knows its provider's names."""
    with Lagrange(access_token="token", account="0xAccount", node_id="04ff") as running:
        yield running


def call(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Call the stand-in with urllib; return the status and the JSON."""
    given = {"Authorization": "Bearer token"} | (headers or {})
    request = Request(url, data=body, headers=given)  # noqa: S310 - the stand-in's own URL.
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - likewise.
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def report(lagrange: Lagrange, headers: dict[str, str] | None = None, **body: Any) -> int:
    """Send a callback and return the status of the answer."""
    raw = json.dumps(body).encode()
    return call(f"{lagrange.url}/job/status", raw, headers)[0]


def test_spaces_are_served(lagrange: Lagrange, tmp_path: Path) -> None:
    """A folder is served as a Space that the provider's own reader accepts, without links."""
    folder = tmp_path / "hello"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "ü #.txt").write_bytes(b'{"content": 1}')
    (folder / "link").symlink_to("/etc/passwd")
    uuid = lagrange.add_space(folder, wallet=WALLET, hardware=HARDWARE, name="Hello")
    _, document = call(f"{lagrange.url}/spaces/{uuid}")
    space = read(json.dumps(document).encode(), max_files=9)
    assert (space.name, space.wallet, space.hardware) == ("Hello", WALLET, HARDWARE)
    assert [file.path for file in space.files] == ["a/ü #.txt"]
    assert call(space.files[0].url) == (200, {"content": 1})


@pytest.mark.parametrize("path", ["/spaces/x", "/files/x/y", "/files/{}/link", "/files/{}/..%2fx"])
def test_nothing_else_is_served(lagrange: Lagrange, tmp_path: Path, path: str) -> None:
    """Unknown Spaces, unknown files, links and paths out of the folder are not found."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    uuid = lagrange.add_space(tmp_path, wallet=WALLET, hardware=HARDWARE)
    assert call(lagrange.url + path.format(uuid))[0] == 404


def test_documents_replace_spaces(lagrange: Lagrange) -> None:
    """A Space's description can be anything, for trials with hostile ones."""
    lagrange.documents["x"] = {"data": None}
    assert call(f"{lagrange.url}/spaces/x") == (200, {"data": None})


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


def test_silent_providers_are_noticed(lagrange: Lagrange) -> None:
    """A provider that does not listen is a temporary error."""
    with pytest.raises(Temporary):
        lagrange.assign("http://127.0.0.1:1", lagrange.job("space", 900))


def test_tokens_are_checked(lagrange: Lagrange) -> None:
    """A provider without the access token is turned away and leaves nothing."""
    wrong = {"Authorization": "Bearer wrong"}
    assert report(lagrange, wrong, job_uuid="j", status="running") == 401
    assert call(f"{lagrange.url}/cp", b"{}", wrong)[0] == 401
    assert lagrange.callbacks("j") == []
    assert lagrange.records.reports == []


def test_registration(lagrange: Lagrange, tmp_path: Path) -> None:
    """A heartbeat needs a registration first, and all reports are kept."""
    body = json.dumps({"node_id": "04ff", "status": "Active"}).encode()
    assert call(f"{lagrange.url}/cp/heartbeat", body)[0] == 404
    assert call(f"{lagrange.url}/cp", body)[0] == 200
    assert call(f"{lagrange.url}/cp/heartbeat", body)[0] == 200
    assert call(f"{lagrange.url}/cp/summary", body)[0] == 200
    paths = [one.path for one in lagrange.records.reports]
    assert paths == ["/cp", "/cp/heartbeat", "/cp/summary"]
    uuid = lagrange.add_space(tmp_path, wallet=WALLET, hardware=HARDWARE)
    status, payment = call(f"{lagrange.url}/cp/04ff/{uuid}")
    assert status == 200
    assert payment["data"].keys() >= {"payment_amount", "remaining_time", "running_time"}
    assert call(f"{lagrange.url}/cp/04ff/unknown")[0] == 404


def test_callbacks(lagrange: Lagrange) -> None:
    """Callbacks are kept as they arrive, with their signature and their order judged."""
    key = Ed25519PrivateKey.generate()
    lagrange.know(account="", node_id="", provider_key=signatures.public_text(key.public_key()))

    def send(sequence: int, message_id: str, *, tampered: bool = False) -> None:
        body = {"job_uuid": "J", "status": f"s{sequence}", "sequence": sequence, "reason": "r"}
        raw = json.dumps(body).encode()
        now = int(time.time())
        headers = signatures.sign(key, message_id=message_id, timestamp=now, body=raw)
        sent = raw.replace(b'"r"', b'"x"') if tampered else raw
        assert call(f"{lagrange.url}/job/status", sent, headers)[0] == 200

    send(1, "a")
    send(2, "b", tampered=True)
    send(2, "b")
    send(4, "d")
    assert report(lagrange, job_uuid="j", status="running") == 200
    judged = [
        (one.status, one.signature, one.in_order, one.repeated) for one in lagrange.callbacks("J")
    ]
    assert judged == [
        ("s1", "valid", True, False),
        ("s2", "invalid", True, False),
        ("s2", "valid", True, True),
        ("s4", "valid", False, False),
        ("running", "missing", False, False),
    ]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"job_uuid": 1, "status": "x"}', b"\xff"])
def test_malformed_callbacks(lagrange: Lagrange, raw: bytes) -> None:
    """A callback that is none is a bad request."""
    assert call(f"{lagrange.url}/job/status", raw)[0] == 400


def test_waiting(lagrange: Lagrange) -> None:
    """Waiting ends when the callback arrives, or says what did arrive."""
    timer = threading.Timer(0.1, report, (lagrange,), {"job_uuid": "j", "status": "running"})
    timer.start()
    assert lagrange.wait_for("j", "running", timeout_seconds=5).status == "running"
    timer.join()
    with pytest.raises(TimeoutError, match="failed was not reported of j; so far: running"):
        lagrange.wait_for("j", "failed", timeout_seconds=0.1)


def test_callbacks_are_announced() -> None:
    """Who asks for it is told of each callback as it arrives."""
    heard: list[str] = []
    with Lagrange(access_token="token", on_callback=lambda one: heard.append(one.status)) as one:
        report(one, job_uuid="j", status="running")
    assert heard == ["running"]


def test_behaviours(lagrange: Lagrange) -> None:
    """Misbehaviour is by path, for so many requests, the longest prefix first."""
    lagrange.behaviours["/job"] = Behaviour(status=503, retry_after_seconds=4, times=2)
    lagrange.behaviours["/job/status"] = Behaviour(delay_seconds=0.1, times=1)
    started = time.monotonic()
    statuses = [report(lagrange, job_uuid="j", status=str(number)) for number in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert time.monotonic() - started >= 0.1
    assert [one.status for one in lagrange.callbacks("j")] == ["0", "3"]
    assert lagrange.behaviours == {}


@contextmanager
def _stopped(lagrange: Lagrange) -> Iterator[None]:
    lagrange.stop()
    yield
    lagrange.start()


def test_restarts_on_the_same_port(lagrange: Lagrange) -> None:
    """A stand-in that was down comes back at the same URL with what it knew."""
    report(lagrange, job_uuid="j", status="running")
    url = lagrange.url
    with _stopped(lagrange), pytest.raises(OSError, match="refused"):
        call(f"{url}/spaces/x")
    assert lagrange.url == url
    assert report(lagrange, job_uuid="j", status="terminated") == 200
    assert len(lagrange.callbacks("j")) == 2


def test_a_taken_port(lagrange: Lagrange) -> None:
    """A port that is taken is an error, and leaves nothing running."""
    threads = threading.active_count()
    other = Lagrange(port=int(lagrange.url.rsplit(":", 1)[1]))
    with pytest.raises(OSError, match="in use"):
        other.start()
    assert threading.active_count() == threads


def test_jobs_are_different(lagrange: Lagrange) -> None:
    """Two jobs for one Space differ in their uuids."""
    one, other = lagrange.job("space", 900), lagrange.job("space", 900)
    assert isinstance(one, Job)
    assert {one.uuid, one.task_uuid}.isdisjoint({other.uuid, other.task_uuid})
