"""Jobs on a real cluster: from signatures by others' packages to the URL through the ingress."""

import json
import os
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from standardwebhooks import Webhook

from app.demo.fake_lagrange import Job
from k8s.naming import names
from tests.support import cluster_program, ingress
from tests.support.documents import ROOT
from tests.support.provider import HARDWARE, Provider, running

CORPUS = ROOT.parent / "shared" / "corpus"
JOBS = "/api/v1/computing/lagrange/jobs"
ACCOUNT = "0x00000000000000000000000000000000000000aa"
RUN = ["downloadSource", "deployToK8s", "running"]
ORCHESTRATOR = Account.create()

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.timeout(240),
]
needs_corpus = pytest.mark.skipif(
    not CORPUS.exists(), reason="needs ../shared/corpus beside this folder"
)

WITH_CONFIG = """
version: "2.0"
services:
  page:
    image: busybox:latest
    command: [httpd, -f, -p, "8080", -h, /srv]
    env: ["GREETING=a=b", "EMPTY="]
    config: {name: index.html, path: /srv/index.html}
    expose:
      - {port: 8080, as: 80, to: [{global: true}]}
profiles:
  compute:
    page: {resources: {cpu: {units: 100m}, memory: {size: 64Mi}, storage: {size: 64Mi}}}
deployment:
  page: {lagrange: {profile: page, count: 1}}
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider on the cluster that KUBECONFIG names."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with running(
        folder, orchestrator=ORCHESTRATOR.address, Kubeconfig=os.environ["KUBECONFIG"]
    ) as found:
        yield found


def space_of(tmp_path: Path, **files: str) -> Path:
    """Return a Space's folder with these files."""
    folder = tmp_path / "space"
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def send(provider: Provider, event: str, data: dict[str, Any]) -> httpx2.Response:
    """Send an event as the `standardwebhooks` package signs it."""
    payload = {"type": event, "timestamp": datetime.now(UTC).isoformat(), "data": data}
    body = json.dumps(payload)
    message_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    signature = Webhook(provider.lagrange.secret).sign(message_id, now, body)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    return httpx2.post(f"{provider.url}/webhooks", content=body, headers=headers)


def job_for(provider: Provider, space: Path, wallet: str, *, hardware: str = HARDWARE) -> Job:
    """Serve a Space and return a job for it."""
    space_uuid = provider.lagrange.add_space(space, wallet=wallet, hardware=hardware)
    return provider.lagrange.job(space_uuid, 900)


def page(provider: Provider, job: Job, wallet: str) -> str:
    """Return what the job's URL answers through the ingress controller, once it does."""
    return ingress.answer_of(provider, job.uuid, names.namespace(wallet))


@pytest.fixture(scope="module")
def corpus_images() -> None:
    """The images that the corpus's files name, each a page that says its name."""
    for port, *images in (
        ("80", "nginx", "wlouie1/mnist-app:1.0"),
        ("5000", "wlouie1/mnist-flask-serve:1.0"),
        ("8080", "ghcr.io/techarohq/anubis:latest"),
        ("8501", "wlouie1/mnist-tf-serve:1.0"),
    ):
        cluster_program.prepare(
            *("stand-in", *images, "--port", port), needs=f"an image {images[0]} that serves a page"
        )


@needs_corpus
@pytest.mark.usefixtures("ingress_controller", "corpus_images")
@pytest.mark.parametrize(
    ("file", "service"),
    [("anubis_deploy.yml", "anubis"), ("tensorflow-webapp-mnist_deploy.yaml", "mnist-app")],
)
def test_a_space_of_the_corpus_runs(
    provider: Provider, wallet: str, tmp_path: Path, file: str, service: str
) -> None:
    """Several services, and several in one pod: assigned, reached, renewed, ended, gone."""
    text = (CORPUS / "sdl" / file).read_text()
    text = re.sub(r"units: [\d.]+", "units: 0.05", text)  # The tests' node is small.
    space = space_of(tmp_path, deploy_yaml=text)
    job = job_for(provider, space, wallet)
    answer = send(provider, "job.assigned", job.data())
    assert answer.status_code == 202, answer.text
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=90)
    assert service in page(provider, job, wallet)
    before = provider.task(job).expires_at or 0
    assert send(provider, "job.renewed", {"job_uuid": job.uuid, "duration": 300}).status_code == 202
    assert provider.task(job).expires_at == before + 300
    assert send(provider, "job.terminated", {"task_uuid": job.task_uuid.upper()}).status_code == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=90)
    assert provider.statuses(job) == [*RUN, "terminated"]
    assert provider.remains(job.uuid, wallet=wallet) == []


@pytest.mark.usefixtures("ingress_controller")
def test_a_space_with_a_config_file_assigned_by_eip_191(
    provider: Provider, wallet: str, tmp_path: Path
) -> None:
    """The v1.1.5 form, signed by eth-account: the file of the Space is what the URL answers."""
    space = space_of(tmp_path, deploy_yaml=WITH_CONFIG, index_html="hello from the config file")
    job = job_for(provider, space, wallet)
    node_id = provider.context.identity.node_id
    signature = sign(f"{ACCOUNT}{node_id}{job.source_uri}")
    document = job.data() | {"node_id_job_source_uri_signature": signature, "job_type": 0}
    answer = httpx2.post(provider.url + JOBS, json=document)
    assert answer.status_code == 200, answer.text
    completed = answer.json()
    assert completed["status"] == "submitted"
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert completed["job_real_uri"] == provider.task(job).url
    assert page(provider, job, wallet) == "hello from the config file"
    query = {
        "task_uuid": job.task_uuid,
        "node_id_task_uuid_signature": sign(f"{ACCOUNT}{node_id}{job.task_uuid}"),
    }
    ended = httpx2.delete(provider.url + JOBS, params=query)
    assert ended.json()["data"] == "deleted success"
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert provider.remains(job.uuid, wallet=wallet) == []


def sign(message: str) -> str:
    """Return the orchestrator's EIP-191 signature, as eth-account makes it."""
    signed = Account.sign_message(encode_defunct(text=message), ORCHESTRATOR.key)
    return "0x" + bytes(signed.signature).hex()


@pytest.mark.parametrize(
    ("change", "category", "words"),
    [
        (("busybox:latest", "busybox:does-not-exist"), "image_pull", "busybox:does-not-exist"),
        (
            ('[httpd, -f, -p, "8080", -h, /srv]', '[sh, -c, "echo no licence; exit 3"]'),
            "crash_loop",
            "no licence",
        ),
    ],
)
def test_what_keeps_a_workload_down_is_reported(  # noqa: PLR0917 - fixtures and a table.
    provider: Provider,
    wallet: str,
    tmp_path: Path,
    change: tuple[str, str],
    category: str,
    words: str,
) -> None:
    """An image that is not there and a crash loop are told as such, with the words that help."""
    space = space_of(tmp_path, deploy_yaml=WITH_CONFIG.replace(*change), index_html="x")
    job = job_for(provider, space, wallet)
    assert send(provider, "job.assigned", job.data()).status_code == 202
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=120)
    assert failed.body["reason"].startswith(f"{category}: ")
    assert words in failed.body["reason"]
    assert send(provider, "job.terminated", {"job_uuid": job.uuid}).status_code == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=90)
    assert provider.remains(job.uuid, wallet=wallet) == []


def test_what_no_node_has_room_for_is_over_at_once(
    provider: Provider, wallet: str, tmp_path: Path
) -> None:
    """It fails with what is missing, and nothing of it was ever on the cluster."""
    text = WITH_CONFIG.replace("units: 100m", "units: 9999")
    space = space_of(tmp_path, deploy_yaml=text, index_html="x")
    job = job_for(provider, space, wallet, hardware="CPU only · 9999 vCPU · 4 GiB")
    assert send(provider, "job.assigned", job.data()).status_code == 202
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=60)
    assert failed.body["reason"].startswith("no_room: needs 9999 CPU, ")
    assert provider.task(job).ended
    assert provider.statuses(job) == ["downloadSource", "failed"]
    assert provider.remains(job.uuid, wallet=wallet) == []
