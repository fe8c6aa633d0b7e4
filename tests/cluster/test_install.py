"""The provider inside a real cluster, from its Dockerfile to its removal."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.demo.fake_lagrange import Job, Lagrange
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.manifests import pull_secrets
from k8s.naming import labels, names
from tests.support import forbidden_acts, registry_proxy
from tests.support import installation as installed_provider
from tests.support.installation import NAMESPACE, Installation
from tests.support.provider import HARDWARE
from tests.support.renewals import Renewals
from tests.support.waiting import eventually

AUDIT_LOG = os.environ.get("CLUSTER_AUDIT_LOG", "")
FOLDER = "/var/lib"
BUSYBOX = Path("/bin/busybox")
PAGE = "hello from the cluster"
SERVE = f"trap exit TERM; mkdir /srv; echo {PAGE} > /srv/healthz; httpd -f -p 8080 -h /srv & wait"
DEPLOY = f"""
version: "2.0"
services:
  page:
    image: busybox:latest
    command: [sh, -c, "{SERVE}"]
    expose:
      - {{port: 8080, as: 80, to: [{{global: true}}]}}
profiles:
  compute:
    page: {{resources: {{cpu: {{units: 50m}}, memory: {{size: 32Mi}}, storage: {{size: 32Mi}}}}}}
deployment:
  page: {{lagrange: {{profile: page, count: 1}}}}
"""
DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY healthz /srv/healthz
EXPOSE 8080
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
"""
pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(
        not (registry_proxy.REGISTRY and installed_provider.PUBLIC),
        reason="CLUSTER_REGISTRY and CLUSTER_PUBLIC have to name a registry, and us as pods see us",
    ),
    pytest.mark.skipif(
        not all(shutil.which(one) for one in ("buildah", "kubectl")),
        reason="needs buildah, kubectl",
    ),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="needs a static busybox at /bin/busybox"),
    pytest.mark.usefixtures("ingress_controller", "base_image", "buildkit_image"),
    pytest.mark.timeout(500, func_only=True),  # The images may take minutes.
]


@pytest.fixture
def disk(cluster: Cluster) -> Iterator[None]:
    """A volume for Redis where no class provides one, as the operator has to make it."""
    classes = cluster.list("/apis/storage.k8s.io/v1/storageclasses")
    default = "storageclass.kubernetes.io/is-default-class"
    if any(one["metadata"].get("annotations", {}).get(default) == "true" for one in classes):
        yield
        return
    name = f"redis-{uuid.uuid4().hex[:8]}"
    on_node(cluster, name, f"mkdir /host/{name}; chown 999:999 /host/{name}")
    spec = {
        "capacity": {"storage": "5Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": NAMESPACE, "name": "data-redis-0"},
        "hostPath": {"path": f"{FOLDER}/{name}", "type": "Directory"},
    }
    path = f"/api/v1/persistentvolumes/{name}"
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}}
    cluster.apply(path, volume | {"spec": spec})
    yield
    cluster.delete(path)
    on_node(cluster, name, f"rm -r /host/{name}")


@pytest.fixture
def installation(tmp_path: Path, cluster: Cluster, disk: None) -> Iterator[Installation]:
    """Everything for an installation, on a cluster that has none; it is gone afterwards."""
    assert disk is None
    existing = cluster.list("/api/v1/namespaces", fields=f"metadata.name={NAMESPACE}")
    if existing:
        pytest.skip(f"the cluster has a namespace {NAMESPACE} already")
    with Lagrange(host=installed_provider.PUBLIC) as lagrange:
        found = Installation(tmp_path / "project", cluster, lagrange)
        found.folder.mkdir()
        found.prepare()
        try:
            yield found
        finally:
            found.run("kubectl delete -k k8s/install --ignore-not-found || true")
            shutil.rmtree(found.folder, ignore_errors=True)


def on_node(cluster: Cluster, name: str, script: str) -> None:
    """Run a script as root on the node, with `FOLDER` of it at `/host`."""
    container = {
        "name": name,
        "image": "busybox:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-euc", script],
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    host = {"name": "host", "hostPath": {"path": FOLDER}}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": [host]}
    forbidden_acts.outcome(cluster, name, spec)


def test_the_provider_runs_inside_the_cluster(
    installation: Installation, wallets: Callable[[], str], tmp_path: Path
) -> None:
    """Built, installed, confined, used, rolled, removed, back, removed for good."""
    wallet = wallets()
    installation.build()
    installation.configure()
    installation.apply()
    forbidden_acts.check_pods(installation)
    eventually("the Ingress leads to web", lambda: health(installation) == "alive\n", seconds=30)
    space = tmp_path / "space"
    space.mkdir()
    (space / "deploy.yaml").write_text(DEPLOY)
    check_whole_job(installation, space, wallet)
    check_build(installation, tmp_path / "built", wallets())
    job = run_job(installation, space, wallet)
    forbidden_acts.check_accounts(installation)
    forbidden_acts.check_boundary(installation, wallet)
    forbidden_acts.check_network(installation)
    taken = check_rolling_update(installation, job)
    taken += check_death_of_redis(installation, job)
    assert installation.task(job)["duration"] == 900 + taken
    check_removal_and_return(installation, job, wallet)
    check_audit_log(installation)
    check_removal(installation, job, wallet)


def health(installation: Installation) -> str | None:
    """Return what web says of itself through the ingress controller."""
    path = f"{url_paths.collection('Ingress', NAMESPACE)}/web"
    return installation.reached(installation.host, path)


def run_job(installation: Installation, space: Path, wallet: str, hardware: str = HARDWARE) -> Job:
    """Assign a job and return it once its URL answers."""
    lagrange = installation.lagrange
    space_uuid = lagrange.add_space(space, wallet=wallet, hardware=hardware)
    job = lagrange.job(space_uuid, 900)
    answer = lagrange.assign(installation.url, job)
    assert answer.status == 202, answer.body
    lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert installation.page(job, wallet).strip() == PAGE
    return job


def check_whole_job(installation: Installation, space: Path, wallet: str) -> None:
    """From the webhook to the URL, the last callback and the last object."""
    job = run_job(installation, space, wallet)
    end_job(installation, job, wallet)
    told = installation.lagrange.callbacks(job.uuid)
    assert [one.status for one in told if not one.repeated] == [
        *("downloadSource", "deployToK8s", "running", "terminated"),
    ]
    assert {one.signature for one in told} == {"valid"}


def check_build(installation: Installation, space: Path, wallet: str) -> None:
    """A Dockerfile is built on the cluster; what it made is pulled with the operator's password."""
    space.mkdir()
    shutil.copy(BUSYBOX, space / "busybox")
    (space / "healthz").write_text(PAGE)
    (space / "Dockerfile").write_text(DOCKERFILE)
    job = run_job(installation, space, wallet, "CPU only · 0.1 vCPU · 64 MiB")
    secret = f"/api/v1/namespaces/{names.namespace(wallet)}/secrets/{pull_secrets.NAME}"
    assert installation.cluster.get(secret)["type"] == "kubernetes.io/dockerconfigjson"
    end_job(installation, job, wallet)
    path = secret.rpartition("/")[0]
    assert installation.cluster.list(path) == []


def end_job(installation: Installation, job: Job, wallet: str) -> None:
    """Terminate a job and wait until nothing of it is left."""
    assert installation.lagrange.terminate(installation.url, job).status == 202
    installation.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    path = url_paths.collection("Deployment", names.namespace(wallet))
    assert installation.cluster.list(path, selector=labels.task_selector(job.uuid)) == []


def check_rolling_update(installation: Installation, job: Job) -> int:
    """A changed configuration rolls every process; no webhook is lost, or even answered late."""
    before = {one["metadata"]["name"] for one in installation.pods()}
    config = installation.install / "provider" / "config.toml"
    config.write_text(config.read_text().replace("[LAG]", 'NodeName = "renamed"\n[LAG]'))
    with Renewals(installation.lagrange, installation.url, job).going_on() as renewals:
        time.sleep(1)
        installation.apply()
        time.sleep(1)
    assert renewals.refused == []
    assert renewals.taken > 20
    eventually("the old web is gone", lambda: len(installation.pods("web")) == 2)
    after = {one["metadata"]["name"] for one in installation.pods()}
    assert before & after <= {"redis-0"} | set(ending(installation))
    return renewals.taken


def ending(installation: Installation) -> Iterator[str]:
    """Yield the names of pods that are about to go."""
    for one in installation.pods():
        if "deletionTimestamp" in one["metadata"]:
            yield one["metadata"]["name"]


def check_death_of_redis(installation: Installation, job: Job) -> int:
    """Redis is killed while webhooks come: what was answered is there afterwards."""
    kill = f"kubectl -n {NAMESPACE} delete pod redis-0 --grace-period=0 --force"
    patient = Renewals(installation.lagrange, installation.url, job, patient=True)
    with patient.going_on():
        time.sleep(1)
        subprocess.run(kill.split(), check=True, capture_output=True)
        eventually("an outage is noticed", lambda: patient.refused, seconds=30)
        before = patient.taken
        eventually("webhooks are taken again", lambda: patient.taken > before + 5, seconds=60)
    return patient.taken


def check_removal_and_return(installation: Installation, job: Job, wallet: str) -> None:
    """Removed but for its Redis, the provider leaves tenants alone, and goes on once back."""
    for line in installed_provider.commands(3):
        installation.run(line)
    eventually("the provider is gone", lambda: installation.pods() == [], seconds=60)
    assert installation.page(job, wallet).strip() == PAGE
    installation.apply()
    assert installation.lagrange.renew(installation.url, job, 1).status == 202


def check_removal(installation: Installation, job: Job, wallet: str) -> None:
    """Removed for good, with everything it knew, the provider leaves tenants alone."""
    before = tenants(installation, job, wallet)
    for line in installed_provider.commands(4):
        installation.run(line)
    for kind in ("clusterroles", "clusterrolebindings", "validatingadmissionpolicies"):
        assert NAMESPACE not in installation.run(f"kubectl get {kind} -o name")
    assert tenants(installation, job, wallet) == before
    assert installation.page(job, wallet).strip() == PAGE


def tenants(installation: Installation, job: Job, wallet: str) -> set[tuple[str, str]]:
    """Return the uids of a job's objects, and its namespace's."""
    kinds = ("Deployment", "Service", "Ingress", "NetworkPolicy", "Pod")
    found = [installation.cluster.get(f"/api/v1/namespaces/{names.namespace(wallet)}")]
    for kind in kinds:
        path = url_paths.collection(kind, names.namespace(wallet))
        found += installation.cluster.list(path, selector=labels.task_selector(job.uuid))
    return {(one["kind"], one["metadata"]["uid"]) for one in found}


def check_audit_log(installation: Installation) -> None:
    """In all this time the API server refused no request of any process, and knew only two."""
    if not AUDIT_LOG:
        return
    who: set[str] = set()
    refused = []
    for line in Path(AUDIT_LOG).read_text().splitlines():
        if forbidden_acts.SYSTEM not in line or f'"userAgent":"{labels.MANAGER}"' not in line:
            continue
        event = json.loads(line)
        if event["requestReceivedTimestamp"] < installation.began_at:
            continue
        who.add(event["user"]["username"])
        if event.get("responseStatus", {}).get("code") in {401, 403, 422}:
            refused.append((event["user"]["username"], event["verb"], event["requestURI"]))
    assert refused == []
    assert who == {f"{forbidden_acts.SYSTEM}-worker", f"{forbidden_acts.SYSTEM}-watcher"}
