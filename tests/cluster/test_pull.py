"""Images of a registry that asks who we are: pushed and pulled with the operator's credentials."""

import base64
import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.demo.fake_lagrange import Job
from app.spaces import images
from app.spaces.images.detect import PROGRAMS
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.apply import conditional_removal, pull_secrets
from k8s.manifests.pull_secrets import NAME, Credentials, secret
from k8s.naming import labels, names
from tests.support import registry_proxy
from tests.support.provider import Provider, running
from tests.support.registry_proxy import REGISTRY, Asking
from tests.support.waiting import eventually
from tests.support.workloads import stored

BUSYBOX = Path("/bin/busybox")
HOSTS = Path(os.environ.get("CLUSTER_HOME", "/var/tmp/kube-node"), "conf", "certs.d")  # noqa: S108 - where it is.
HARDWARE = "CPU only · 0.1 vCPU · 64 MiB"
DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY Dockerfile page.html /www/
EXPOSE 8080
CMD ["/bin/busybox", "sh", "-c", "trap exit TERM; /bin/busybox httpd -f -p 8080 -h /www & wait"]
"""

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(not REGISTRY, reason="CLUSTER_REGISTRY has to name the cluster's registry"),
    pytest.mark.skipif(not os.access(HOSTS, os.W_OK), reason=f"{HOSTS} has to be containerd's"),
    pytest.mark.skipif(
        not any(shutil.which(one.program) for one in PROGRAMS if one.runs_steps),
        reason="needs buildah or podman",
    ),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="needs a static busybox at /bin/busybox"),
    pytest.mark.timeout(180),
]


@pytest.fixture
def private(cluster: Cluster) -> Iterator[Asking]:
    """A registry that asks for a password, which the node is told to reach by plain HTTP."""
    server = urlsplit(cluster._configuration.host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server.hostname, server.port))
        address = probe.getsockname()[0]
    with registry_proxy.serving(address) as found:
        folder = HOSTS / found.host
        folder.mkdir()
        url = f"http://{found.host}"
        (folder / "hosts.toml").write_text(
            f'server = "{url}"\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'
        )
        yield found
        shutil.rmtree(folder)


@pytest.fixture
def provider(
    tmp_path: Path, private: Asking, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    """A provider that builds for this registry."""
    monkeypatch.setenv("CP_REGISTRY_SERVERADDRESS", f"http://{private.host}")
    monkeypatch.setenv("CP_REGISTRY_USERNAME", "operator")
    monkeypatch.setenv("CP_BUILD_BUILDER", images.choose("").program)
    monkeypatch.setenv("CP_BUILD_NETWORK", "none")
    folder = tmp_path / "provider"
    with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
        with (folder / "config.toml").open("a") as file:
            file.write('[Registry]\nPassword = "hunter2"\n')
        found.kill("worker")
        yield found


def assigned(provider: Provider, folder: Path, wallet: str) -> Job:
    """Have Lagrange assign a Space that has to be built."""
    folder.mkdir()
    shutil.copy(BUSYBOX, folder / "busybox")
    (folder / "page.html").write_text(str(uuid.uuid4()))
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = provider.lagrange.add_space(folder, wallet=wallet, hardware=HARDWARE)
    job = provider.lagrange.job(name, 900)
    assert provider.lagrange.assign(provider.url, job).status == 202
    return job


def password(cluster: Cluster, wallet: str, host: str) -> str:
    """Return the password that a tenant's namespace has for a registry; empty: none."""
    try:
        found = cluster.get(pull_secrets._path(wallet))
    except NotFound:
        return ""
    content = json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))
    _, _, word = base64.b64decode(content["auths"][host]["auth"]).decode().partition(":")
    return str(word)


def pod(cluster: Cluster, job: Job, wallet: str) -> dict[str, Any]:
    """Return the one pod of a job."""
    path = url_paths.collection("Pod", names.namespace(wallet))
    [found] = cluster.list(path, selector=labels.task_selector(job.uuid))
    return found


def test_pulled_rotated_removed(
    provider: Provider, private: Asking, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The kubelet pulls with the password; a new one comes without a restart; then it goes."""
    wallet, cluster = f"0x{uuid.uuid4().hex}{uuid.uuid4().hex[:8]}", provider.context.cluster
    job = assigned(provider, tmp_path / "space", wallet)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=90)
    pulled = [path for path, _, agent in private.asked if agent.startswith("containerd/")]
    assert any(path.startswith(f"/v2/lagrange/{job.space_uuid}/blobs/") for path in pulled)
    before = pod(cluster, job, wallet)
    assert before["spec"]["imagePullSecrets"] == [{"name": NAME}]
    assert not any("secret" in one for one in before["spec"].get("volumes", ()))
    assert password(cluster, wallet, private.host) == "hunter2"

    private.passwords = {"hunter3"}
    text = (provider.folder / "config.toml").read_text()
    (provider.folder / "config.toml").write_text(text.replace("hunter2", "hunter3"))
    provider.kill("worker")
    eventually("it arrives", lambda: password(cluster, wallet, private.host) == "hunter3")
    after = pod(cluster, job, wallet)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0

    other = assigned(provider, tmp_path / "other", wallet)
    provider.lagrange.wait_for(other.uuid, "running", timeout_seconds=90)
    provider.terminate(job)
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert password(cluster, wallet, private.host) == "hunter3"
    provider.terminate(other)
    provider.lagrange.wait_for(other.uuid, "terminated", timeout_seconds=60)
    assert password(cluster, wallet, private.host) == ""
    written = "".join(capfd.readouterr())
    assert "registry credentials renewed" in written
    assert "hunter" not in written
    cluster.delete(f"/api/v1/namespaces/{names.namespace(wallet)}")


def test_a_deployment_that_comes_between(cluster: Cluster) -> None:
    """Credentials that were applied anew since they were looked at are not removed."""
    wallet = f"0x{uuid.uuid4().hex}{uuid.uuid4().hex[:8]}"
    namespace = {"apiVersion": "v1", "kind": "Namespace"}
    place = f"/api/v1/namespaces/{names.namespace(wallet)}"
    cluster.apply(place, namespace | {"metadata": {"name": names.namespace(wallet)}})
    workload = stored("single", wallet)
    credentials = Credentials(b'{"auths": {}}')
    manifest = secret(workload, credentials)
    cluster.apply(url_paths.object_path(manifest), manifest)
    mark = pull_secrets.find(cluster, wallet)
    assert mark is not None
    assert not pull_secrets.refresh(cluster, wallet, credentials)
    again = secret(replace(workload, revision=workload.revision + 1), credentials)
    cluster.apply(url_paths.object_path(again), again)
    assert not conditional_removal.remove(cluster, mark)
    mark = pull_secrets.find(cluster, wallet)
    assert mark is not None
    assert conditional_removal.remove(cluster, mark)
    assert pull_secrets.find(cluster, wallet) is None
    cluster.delete(place)
