"""An upgrade from v0.3.0 on a real cluster: what it runs goes on, as tasks of ours."""

import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from standardwebhooks import Webhook

from app.demo.fake_lagrange import Job
from k8s.api import url_paths
from k8s.api.errors import NotFound
from k8s.apply import apply
from k8s.naming import labels
from tests.support import ingress
from tests.support.legacy_objects import Left, ready
from tests.support.provider import Provider, running
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.usefixtures("ingress_controller"),
    pytest.mark.timeout(240),
]
# It serves on while the ingress controller learns that its pod is to end.
SERVE = (
    "mkdir -p /srv && echo {page} > /srv/index.html && trap 'sleep 4; exit' TERM;"
    " httpd -f -p 8080 -h /srv & wait"
)
NEW = """
version: "2.0"
services:
  another:
    image: busybox:latest
    command: [sh, -c, "{command}"]
    expose:
      - {{port: 8080, to: [{{global: true}}]}}
profiles:
  compute:
    another: {{resources: {{cpu: {{units: 10m}}, memory: {{size: 32Mi}}, storage: {{size: 64Mi}}}}}}
deployment:
  another: {{lagrange: {{profile: another, count: 1}}}}
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider on the cluster that KUBECONFIG names."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
        yield found


@pytest.fixture
def leave(provider: Provider) -> Iterator[Callable[[int], Left]]:
    """Leaves Spaces as v0.3.0 runs them, made by kubectl, and records for so many seconds."""
    cluster, made = provider.context.cluster, []

    def make(seconds: int) -> Left:
        command = ("sh", "-c", SERVE.format(page="old"))
        made.append(Left(image="busybox:latest", command=command, seconds_left=seconds))
        stated = {"apiVersion": "v1", "kind": "List", "items": made[-1].objects()}
        kubectl = ["kubectl", "create", "-f", "-"]
        subprocess.run(kubectl, input=json.dumps(stated).encode(), check=True, capture_output=True)
        eventually("it is up", ready(made[-1], cluster), seconds=60)
        made[-1].write(provider.context.redis)
        provider.kill("clock")
        return made[-1]

    yield make
    for one in made:
        cluster.delete(f"/api/v1/namespaces/{one.namespace}")


def page(provider: Provider, left: Left) -> str | None:
    """Return what the Space's URL answers through the ingress controller."""
    path = ingress.of_space(left.namespace, left.space_uuid)
    text = ingress.answer(provider.context.cluster, path, left.host)
    return text.strip() if text else None


def uids(provider: Provider, left: Left) -> list[str]:
    """Return which pods there are."""
    return sorted(pod["metadata"]["uid"] for pod in left.pods(provider.context.cluster))


def job_of(left: Left, provider: Provider, folder: Path, command: str) -> Job:
    """Have Lagrange serve a new version of the Space; return the job as Lagrange knows it."""
    folder.mkdir(exist_ok=True)
    (folder / "deploy.yaml").write_text(NEW.format(command=command))
    hardware = "CPU only · 2 vCPU · 4 GiB"
    provider.lagrange.add_space(
        folder, wallet=left.wallet, hardware=hardware, space_uuid=left.space_uuid
    )
    return Job(
        uuid=left.job_uuid,
        task_uuid=str(uuid.uuid4()),
        space_uuid=left.space_uuid,
        source_uri=f"{provider.lagrange.url}/spaces/{left.space_uuid}",
        duration_seconds=900,
    )


class Visitor:
    """Asks for a page again and again; remembers what was answered."""

    def __init__(self, provider: Provider, left: Left) -> None:
        self.seen: list[str | None] = []
        self._provider = provider
        self._left = left
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._visit)
        self._thread.start()

    def _visit(self) -> None:
        while not self._over.wait(0.1):
            self.seen.append(page(self._provider, self._left))

    def leave(self) -> list[str | None]:
        """Stop; return what was seen."""
        self._over.set()
        self._thread.join()
        return self.seen


def test_an_upgrade(provider: Provider, leave: Callable[[int], Left], tmp_path: Path) -> None:
    """Adopted without a restart, serving throughout, renewed, redeployed, ended, and gone."""
    left, context = leave(3600), provider.context
    eventually("it serves", lambda: page(provider, left) == "old", seconds=60)
    task = eventually("it is a task", lambda: context.store.get(left.job_uuid), seconds=60)
    before = uids(provider, left)
    visitor = Visitor(provider, left)
    assert (task.state, task.host) == ("running", left.host)
    job = job_of(left, provider, tmp_path / "space", SERVE.format(page="new"))
    assert provider.lagrange.renew(provider.url, job, 300).status == 202
    assert provider.task(job).expires_at == task.expires_at + 300
    assert uids(provider, left) == before
    assert provider.statuses(job) == []

    assert provider.lagrange.redeploy(provider.url, job).status == 202
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=90)
    eventually("the new version serves", lambda: page(provider, left) == "new", seconds=30)
    eventually("the old pods are gone", lambda: not set(before) & set(uids(provider, left)))
    seen = visitor.leave()
    assert set(seen) == {"old", "new"}, "it was away meanwhile"
    assert (provider.task(job).host, provider.task(job).revision) == (left.host, 2)

    assert provider.terminate(job).status == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=90)
    assert remains(provider, left) == []
    assert context.redis.exists(left.key, left.space_uuid) == 2


ALWAYS_THERE = {"ConfigMap/kube-root-ca.crt", "NetworkPolicy/default-deny"}


def remains(provider: Provider, left: Left) -> list[str]:
    """Return what is in the tenant's namespace, whoever made it and however it is labelled."""
    found = []
    for kind in (*apply.KINDS, "ReplicaSet", "Pod"):
        with suppress(NotFound):  # Not every cluster has the Gateway API.
            objects = provider.context.cluster.list(url_paths.collection(kind, left.namespace))
            found += [f"{kind}/{item['metadata']['name']}" for item in objects]
    return [name for name in found if name not in ALWAYS_THERE]


def test_a_failing_redeploy_and_a_pod_that_dies(
    provider: Provider, leave: Callable[[int], Left], tmp_path: Path
) -> None:
    """A pod that takes the place of another is ours too; what serves stays when the new fails."""
    left, cluster, context = leave(3600), provider.context.cluster, provider.context
    eventually("it is a task", lambda: context.store.get(left.job_uuid), seconds=60)
    eventually("it serves", lambda: page(provider, left) == "old", seconds=60)
    [pod] = left.pods(cluster)
    cluster.delete(url_paths.object_path({**pod, "kind": "Pod"}))
    eventually("another pod is claimed", lambda: claimed(provider, left, pod), seconds=60)
    eventually("it serves again", lambda: page(provider, left) == "old", seconds=60)
    steady(provider, left)

    visitor = Visitor(provider, left)
    job = job_of(left, provider, tmp_path / "space", "exit 3")
    assert provider.lagrange.redeploy(provider.url, job).status == 202
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=120)
    assert failed.body["reason"].startswith("crash_loop: ")
    eventually("it runs again", lambda: provider.task(job).state == "running", seconds=60)
    time.sleep(1)
    assert set(visitor.leave()) == {"old"}, "it was away meanwhile"
    assert provider.task(job).revision == 1

    assert delete(provider, left).json()["data"] == "deleted success"
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=90)
    assert remains(provider, left) == []


def steady(provider: Provider, left: Left) -> None:
    """Wait out the death of a pod: ingress controllers learn of its successor with a delay."""
    since = time.monotonic()
    deadline = since + 60
    while time.monotonic() < since + 4:
        if page(provider, left) != "old":
            since = time.monotonic()
        assert since < deadline, "it never serves for long"
        time.sleep(0.1)


def delete(provider: Provider, left: Left) -> httpx2.Response:
    """End the job as Lagrange did with v0.3.0, by the Space's uuid; signed."""
    message_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(provider.lagrange.secret).sign(message_id, now, ""),
    }
    url = f"{provider.url}/api/v1/computing/lagrange/jobs"
    return httpx2.delete(url, params={"space_uuid": left.space_uuid}, headers=headers)


def claimed(provider: Provider, left: Left, before: dict[str, dict[str, str]]) -> bool:
    """Tell whether there is another pod than before, with the labels of the task."""
    found = left.pods(provider.context.cluster)
    return (
        len(found) == 1
        and found[0]["metadata"]["uid"] != before["metadata"]["uid"]
        and found[0]["metadata"]["labels"].get(labels.TASK) == left.job_uuid
    )


def test_the_end_of_its_time(provider: Provider, leave: Callable[[int], Left]) -> None:
    """When the time is over that its record says, it ends as expired, and leaves nothing."""
    left = leave(10)
    told = provider.lagrange.wait_for(left.job_uuid, "expired", timeout_seconds=90)
    assert told.body["reason"].startswith("expired: ")
    assert remains(provider, left) == []
