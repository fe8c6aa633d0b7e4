"""Attack: have a Space described by somebody else than Lagrange.

A description names the owner of a Space, whose running job a new one replaces. Jobs are assigned
whose URL, or a redirect below it, leads to a description that a stranger wrote; or to another
of Lagrange's. It fails because a description counts only from the operator's origins, at a path
that ends with the uuid of the Space that it describes.
"""

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
from tests.support.simulated_cluster import SimulatedCluster, provider

VICTIM = "0x" + "ab" * 20
SPACE = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
FILE = b'services: {web: {image: "nginx:1", expose: [{port: 80, to: [{global: true}]}]}}'


class Site(ThreadingHTTPServer):
    """A server that describes the victim's Space at every path but those of `redirects`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []

    def answer(self, path: str) -> bytes:
        """Return a file, or the description of the victim's Space."""
        if path == "/file":
            return FILE
        space = {"uuid": SPACE, "name": "a Space"}
        order = {"activeOrder": {"config": {"description": "CPU only · 1 vCPU · 1 GiB"}}}
        file = {"name": f"{VICTIM}/spaces/a Space/deploy.yaml", "url": f"{self.url}/file"}
        owner = {"public_address": VICTIM}
        data = {"files": [file], "owner": owner, "space": space | order}
        return json.dumps({"data": data}).encode()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, Site)
        site.asked.append(self.path)
        if location := site.redirects.get(self.path):
            self.send_response(302)
            self.send_header("location", location)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        body = site.answer(self.path)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    """Lagrange, and a stranger."""
    with Site() as lagrange, Site() as stranger:
        threads = [threading.Thread(target=site.serve_forever) for site in (lagrange, stranger)]
        for thread in threads:
            thread.start()
        yield lagrange, stranger
        for site, thread in zip((lagrange, stranger), threads, strict=True):
            site.shutdown()
            thread.join()


@pytest.fixture
def context(
    tmp_path: Path, simulated: SimulatedCluster, redis_url: str, sites: tuple[Site, Site]
) -> Iterator[Context]:
    """A provider that has no origins but Lagrange's, and may fetch from this machine."""
    more = f'[LAG]\nServerUrl = "{sites[0].url}/api"\n[SOURCE]\nAllowPrivateAddresses = true\n'
    with provider(tmp_path, simulated, redis_url, more=more) as opened:
        yield opened


def advanced(context: Context, source: str) -> Task:
    """Assign a job with this source, and take it as far as it goes."""
    job = JobData(uuid=str(uuid.uuid4()), duration=900, job_source_uri=source)
    host = f"{job.uuid[:8]}.example.com"
    context.store.commit(transitions.accepted(job, host=host, now=1e9, start_timeout_seconds=60))
    advance.advance(context, job.uuid)
    task = context.store.get(job.uuid)
    assert task
    return task


def outcome(task: Task) -> Any:
    """Return the category of a task's failure."""
    assert task.reason
    return task.outcome, task.reason.category


def test_origins(context: Context, sites: tuple[Site, Site]) -> None:
    """A stranger's description replaces nobody, and the stranger is not even asked."""
    lagrange, stranger = sites
    victim = advanced(context, f"{lagrange.url}/spaces/{SPACE}")
    assert (victim.state, victim.wallet) == (State.DEPLOYING, VICTIM)
    lagrange.redirects = {f"/spaces/{OTHER}": f"{stranger.url}/spaces/{OTHER}"}
    for source in (
        f"{stranger.url}/spaces/{SPACE}",
        f"http://localhost:{lagrange.server_port}/spaces/{SPACE}",
        f"{lagrange.url}.example.com/spaces/{SPACE}",
        f"{lagrange.url}/spaces/{OTHER}",
    ):
        task = advanced(context, source)
        assert outcome(task) == (State.FAILED, "source_refused"), source
        assert task.wallet == ""
    assert stranger.asked == []
    assert context.store.get(victim.id) == victim


def test_the_reason_names_the_key(context: Context, sites: tuple[Site, Site]) -> None:
    """Tenant and operator read where a description has to come from."""
    lagrange, stranger = sites
    reason = advanced(context, f"{stranger.url}/spaces/{SPACE}").reason
    assert reason
    assert "[SOURCE] Origins" in reason.message
    assert lagrange.url in reason.message
    assert stranger.url in reason.message


def test_uuids(context: Context, sites: tuple[Site, Site]) -> None:
    """Below Lagrange's own origin, what a tenant may have put there describes no Space."""
    lagrange, _ = sites
    lagrange.redirects = {f"/spaces/{SPACE}": "/files/description.json"}
    wrong = {
        f"/files/{OTHER}/description.json": "source_refused",
        f"/files/description.json?x=/{SPACE}": "source_refused",
        f"/files/description.json#/{SPACE}": "source_refused",
        "/spaces": "source_refused",
        f"/spaces/{SPACE}": "source_refused",
        f"/spaces/{OTHER}": "not_the_owner",
    }
    for path, category in wrong.items():
        assert outcome(advanced(context, lagrange.url + path)) == (State.FAILED, category), path


def test_a_listed_origin(
    tmp_path: Path, simulated: SimulatedCluster, redis_url: str, sites: tuple[Site, Site]
) -> None:
    """The operator's list is the whole list, in any spelling; files come from anywhere."""
    lagrange, listed = sites
    more = f"""[LAG]
ServerUrl = "{lagrange.url}"
[SOURCE]
AllowPrivateAddresses = true
Origins = ["HTTP://127.0.0.1:{listed.server_port}/"]
"""
    with provider(tmp_path, simulated, redis_url, more=more) as context:
        refused = advanced(context, f"{lagrange.url}/spaces/{SPACE}")
        assert outcome(refused) == (State.FAILED, "source_refused")
        assert advanced(context, f"{listed.url}/spaces/{SPACE}").state is State.DEPLOYING
