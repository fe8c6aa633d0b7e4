"""Requests for a Space: a real server, a real Redis, the simulated cluster."""

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.context import Context
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import advance, transitions
from k8s import render
from k8s.manifests.scope import Manifest
from tests.support import market
from tests.support.simulated_cluster import SimulatedCluster, provider
from tests.support.web_server import Web

WALLET = "0x" + "ab" * 20
FILE = b'services: {web: {image: "nginx:1", expose: [{port: 80, to: [{global: true}]}]}}'
JOBS = "/api/v1/computing/lagrange/jobs"


class Source(ThreadingHTTPServer):
    """A server of Spaces; it counts, and describes a Space otherwise each time it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.name = "a Space"
        self.path = "deploy.yaml"

    def url(self, space_uuid: str) -> str:
        """Return where a Space is described."""
        return f"http://127.0.0.1:{self.server_port}/spaces/{space_uuid}"

    def described(self, space_uuid: str) -> dict[str, Any]:
        """Return a description; the first one names our wallet, and no other does."""
        first = sum(path.startswith("/spaces/") for path in self.asked) == 1
        wallet = WALLET if first else "0x" + "cd" * 20
        url = f"http://127.0.0.1:{self.server_port}/file"
        order = {"config": {"description": "CPU only · 1 vCPU · 1 GiB"}}
        return {
            "data": {
                "files": [{"name": f"{wallet}/spaces/{self.name}/{self.path}", "url": url}],
                "owner": {"public_address": wallet},
                "space": {"uuid": space_uuid, "name": self.name, "activeOrder": order},
            }
        }


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        source = self.server
        assert isinstance(source, Source)
        source.asked.append(self.path)
        body = FILE
        if self.path.startswith("/spaces/"):
            body = json.dumps(source.described(self.path.rpartition("/")[2])).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def source() -> Iterator[Source]:
    """A server of Spaces."""
    with Source() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fetching(
    tmp_path: Path, simulated: SimulatedCluster, redis_url: str, source: Source
) -> Iterator[Context]:
    """A provider that may fetch from this machine, and believes the server of Spaces."""
    more = f"""[SOURCE]
AllowPrivateAddresses = true
Origins = ["http://127.0.0.1:{source.server_port}"]
"""
    with provider(tmp_path, simulated, redis_url, more=more) as context:
        yield context


def advanced(context: Context, source: Source) -> Task:
    """Accept a job for a new Space, and take it as far as it goes."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=source.url(str(uuid.uuid4()))
    )
    change = transitions.accepted(job, host="a.example.com", now=1e9, start_timeout_seconds=60)
    context.store.commit(change)
    advance.advance(context, job.uuid)
    task = context.store.get(job.uuid)
    assert task
    return task


def test_nothing_is_fetched_for_who_has_not_signed(web: Web, source: Source) -> None:
    """An unsigned job, in whichever form, makes no request to the address that it names."""
    job = market.job(job_source_uri=source.url(str(uuid.uuid4())))
    body = market.encoded(job)
    forged = market.encoded(job | {"node_id_job_source_uri_signature": "0x" + "11" * 65})
    for path in (JOBS, f"{JOBS}/redeploy", "/webhooks"):
        for unsigned in (body, forged, market.event("job.assigned", job)):
            assert web.post(path, unsigned, {"content-type": "application/json"}).status == 401
    assert source.asked == []


def test_a_space_is_asked_for_once(fetching: Context, source: Source) -> None:
    """One description decides whose it is and what is fetched; a second one is never asked for."""
    task = advanced(fetching, source)
    assert (task.state, task.wallet) == (State.DEPLOYING, WALLET)
    assert [path.split("/")[1] for path in source.asked] == ["spaces", "file"]


def test_a_workload_is_rendered_twice(
    fetching: Context, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to be counted, and once with the addresses that the cluster gave its services."""
    rendered: list[bool] = []
    original = render.workload

    def workload(*args: Any, **options: Any) -> list[Manifest]:
        rendered.append(options.get("addresses") is not None)
        return original(*args, **options)

    monkeypatch.setattr(render, "workload", workload)
    task = advanced(fetching, source)
    assert task.applied_revision == task.revision
    assert rendered == [False, True]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../../../victim", "deploy.yaml"),
        ("a Space", "../../../../victim/deploy.yaml"),
        ("/", "/victim/deploy.yaml"),
    ],
)
def test_no_words_of_a_tenant_reach_another_folder(
    fetching: Context, source: Source, name: str, path: str
) -> None:
    """Neither a Space's name nor a file's leads to a folder, to be deleted or written to."""
    victim = fetching.folder / "victim" / "deploy.yaml"
    victim.parent.mkdir()
    victim.write_text("mine")
    source.name, source.path = name, path
    task = advanced(fetching, source)
    assert victim.read_text() == "mine"
    assert list((fetching.folder / "scratch").iterdir()) == []
    if path != "deploy.yaml":
        assert task.reason
        assert task.reason.category == "source_invalid"
