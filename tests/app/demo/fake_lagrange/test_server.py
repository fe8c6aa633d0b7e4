"""The stand-in for Lagrange, from a provider's side of the wire."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.demo.fake_lagrange import (
    Behaviour,
    Lagrange,
)
from app.demo.fake_lagrange.signed_requests import Job
from app.errors import Temporary
from app.net import signatures
from app.spaces.source.space import read
from tests.support.mute_provider import HARDWARE, WALLET, call, report


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
    """Each callback is announced as it arrives, where that is asked for."""
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
