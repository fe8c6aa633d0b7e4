"""LDL `models`, on a real cluster: fetched by an init container, resumed, checked, mounted.

The models come from this machine's address that stands for a host on the internet.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.demo.fake_lagrange import Job
from k8s.api import url_paths
from k8s.naming import labels, names
from tests.support import file_server
from tests.support.file_server import File, Server
from tests.support.provider import Provider, running

HARDWARE = "CPU only · 0.2 vCPU · 128 MiB"
PUBLIC = os.environ.get("CLUSTER_PUBLIC", "")
CONTENT = os.urandom(1 << 20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SPACE = """
version: "2.0"
services:
  web:
    image: busybox:latest
    command: ["sh", "-c"]
    args:
      - >-
        trap exit TERM; cd /models/deep; sha256sum *.bin;
        for one in *.bin; do (echo > "$one") 2> /dev/null || echo kept; done;
        httpd -f -p 80 & wait
    expose: [{{port: 80, to: [{{global: true}}]}}]
    models:
      - {{name: "$(NAME) 'a\\".bin", url: "{url}/model?$$(x)", dir: /models/deep{digest}}}
deployment: {{web: {{lagrange: {{count: 1}}}}}}
"""

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(
        not PUBLIC, reason="CLUSTER_PUBLIC has to be an address here that pods may reach"
    ),
    pytest.mark.usefixtures("fetch_image"),
    pytest.mark.timeout(180, func_only=True),  # The image may take minutes.
]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider for the cluster that KUBECONFIG names."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
        yield found


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that tenants' pods may reach."""
    with file_server.serving(PUBLIC) as found:
        yield found


def assign(provider: Provider, tmp_path: Path, wallet: str, text: str) -> Job:
    """Have Lagrange assign a Space with this file."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "deploy.yaml").write_text(text)
    space_uuid = provider.lagrange.add_space(folder, wallet=wallet, hardware=HARDWARE)
    job = provider.lagrange.job(space_uuid, 900)
    assert provider.lagrange.assign(provider.url, job).status == 202
    return job


def test_a_model_is_fetched(
    provider: Provider,
    server: Server,
    wallet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupted download goes on where it was; the service finds the file, read-only."""
    name = "$(NAME) 'a\".bin"
    server.files["/model?$$(x)"] = File(CONTENT, headers={"ETag": '"one"'}, breaks=[400_000])
    digest = f", sha256: {SHA256}"
    job = assign(provider, tmp_path, wallet, SPACE.format(url=server.url, digest=digest))
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=120)
    assert server.asked == [
        ("/model?$$(x)", "", ""),
        ("/model?$$(x)", "bytes=400000-", '"one"'),
    ]
    cluster = provider.context.cluster
    path = url_paths.collection("Pod", names.namespace(wallet))
    [pod] = cluster.list(path, selector=labels.task_selector(job.uuid))
    monkeypatch.setenv("CP_PATH", str(provider.folder))
    log = CliRunner().invoke(main, ["task", "logs", job.uuid]).output
    assert "the connection ended after 400000 of 1048576 bytes; trying again in 1 s" in log
    assert f"{name}: complete, {len(CONTENT)} bytes; size and SHA-256 checked" in log
    found = cluster.log(url_paths.object_path(pod), tail_lines=10, container="web")
    assert found.splitlines() == [f"{SHA256}  {name}", "kept"]
    [first] = pod["spec"]["initContainers"]
    [container] = pod["spec"]["containers"]
    assert first["resources"] == container["resources"]
    assert provider.terminate(job).status == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert provider.remains(job.uuid, wallet=wallet) == []


def test_a_wrong_model_is_refused(
    provider: Provider, server: Server, wallet: str, tmp_path: Path
) -> None:
    """The callback says what was expected, and what came."""
    server.files["/model?$$(x)"] = File(CONTENT)
    digest = f", sha256: {'0' * 64}"
    job = assign(provider, tmp_path, wallet, SPACE.format(url=server.url, digest=digest))
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=90)
    name = "$(NAME) 'a\".bin"
    expected = f"its SHA-256 is {SHA256}, not {'0' * 64}"
    assert failed.body["reason"] == f"model_fetch: {name} cannot be fetched: {expected}"
    assert provider.terminate(job).status == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
