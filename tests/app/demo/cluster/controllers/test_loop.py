"""The reconciliation of objects that are applied to the simulated API server."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from k8s.api.client import Cluster
from k8s.api.errors import Gone, NotFound, Refused


class Space:
    """A namespace of one test."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        cluster.apply(f"/api/v1/namespaces/{self.name}", manifest)
        self.pods_path = f"/api/v1/namespaces/{self.name}/pods"
        self.path = f"/apis/apps/v1/namespaces/{self.name}/deployments/web"

    def deploy(
        self,
        *,
        replicas: int = 1,
        strategy: dict[str, Any] | None = None,
        pod: dict[str, Any] | None = None,
        **container: Any,
    ) -> dict[str, Any]:
        """Apply a Deployment."""
        web = {"name": "web", "image": "nginx", **container}
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": replicas,
                "strategy": strategy or {},
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [web], **(pod or {})},
                },
            },
        }
        return self.cluster.apply(self.path, manifest)

    def pods(self) -> list[dict[str, Any]]:
        """The pods that are not being deleted."""
        found = self.cluster.list(self.pods_path)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, image: str = "nginx") -> int:
        """The number of ready pods with this image."""
        return sum(
            pod["spec"]["containers"][0]["image"] == image
            and any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in pod["status"].get("conditions", [])
            )
            for pod in self.pods()
        )

    def status(self) -> dict[str, Any]:
        """The Deployment's status."""
        found: dict[str, Any] = self.cluster.get(self.path)["status"]
        return found

    def unscheduled(self) -> str:
        """Why the only pod has no node."""
        conditions = self.pods()[0]["status"].get("conditions", []) if self.pods() else []
        said = [one.get("message", "") for one in conditions if one["status"] == "False"]
        return said[0] if said else ""


@pytest.fixture
def space(simulated: Any) -> Space:
    """A namespace."""
    return Space(simulated.cluster)


def wait(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_scaled(space: Space) -> None:
    """There are as many pods as asked for."""
    space.deploy(replicas=3)
    wait(lambda: space.ready() == 3)
    space.deploy(replicas=1)
    wait(lambda: len(space.cluster.list(space.pods_path)) == 1)
    wait(lambda: space.status()["availableReplicas"] == 1)


def test_broken_update(space: Space) -> None:
    """A new version that never gets ready leaves the old one serving."""
    space.deploy(replicas=2)
    wait(lambda: space.ready() == 2)
    space.deploy(replicas=2, image="nginx:missing")
    wait(lambda: "BackOff" in str(space.pods()))
    assert space.ready() == 2
    space.deploy(replicas=2)
    wait(lambda: len(space.cluster.list(space.pods_path)) == 2)
    assert space.ready() == 2


def test_recreated(space: Space) -> None:
    """With the strategy Recreate old and new never run at once."""
    space.deploy(strategy={"type": "Recreate"})
    wait(space.ready)
    space.deploy(strategy={"type": "Recreate"}, image="nginx:2")
    images: set[int] = set()
    while not space.ready("nginx:2"):
        images.add(len({pod["spec"]["containers"][0]["image"] for pod in space.pods()}))
    assert max(images) == 1


def test_gpu(space: Space) -> None:
    """A pod that asks for more GPUs than the node has waits, and says for what."""
    space.deploy(resources={"limits": {"nvidia.com/gpu": "8"}})
    wait(lambda: "1 Insufficient nvidia.com/gpu" in space.unscheduled())
    space.deploy(resources={"limits": {"nvidia.com/gpu": "1"}})
    wait(space.ready)


@pytest.mark.parametrize("fits", [True, False])
def test_node_labels(space: Space, *, fits: bool) -> None:
    """A pod goes only to a node with the labels that it wants."""
    key = "NVIDIA-A4000" if fits else "NVIDIA-H100"
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": ["true"]}]}]
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    space.deploy(pod={"affinity": {"nodeAffinity": rule}, "nodeSelector": {key: "true"}})
    wait(space.ready if fits else lambda: "didn't match Pod's node affinity" in space.unscheduled())


def test_claim(space: Space) -> None:
    """A pod waits for its claim, which is bound when its class is known."""
    path = f"/api/v1/namespaces/{space.name}/persistentvolumeclaims/data"
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    space.deploy(pod={"volumes": [volume]})
    wait(lambda: space.unscheduled() == 'persistentvolumeclaim "data" not found')
    spec = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    assert space.cluster.apply(path, {**manifest, "spec": spec})["status"]["phase"] == "Bound"
    wait(space.ready)


def test_init_containers(space: Space) -> None:
    """The others start once the first ones have done their work or, as sidecars, are ready."""
    first: list[dict[str, Any]] = [
        {"name": "fetch", "image": "busybox", "command": ["true"]},
        {"name": "database", "image": "redis", "restartPolicy": "Always"},
    ]
    space.deploy(pod={"initContainers": first})
    wait(space.ready)
    statuses = space.pods()[0]["status"]["initContainerStatuses"]
    assert [next(iter(one["state"])) for one in statuses] == ["terminated", "running"]
    first[0]["command"] = ["false"]
    space.deploy(pod={"initContainers": first}, strategy={"type": "Recreate"})
    wait(lambda: "CrashLoopBackOff" in str(space.pods()))
    assert space.pods()[0]["status"]["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "PodInitializing"}
    }


def test_log(space: Space) -> None:
    """A container has a log from its start on, also the one before its last restart."""
    space.deploy(image="crash-at-once")
    wait(space.pods)
    pod = f"{space.pods_path}/{space.pods()[0]['metadata']['name']}"
    with pytest.raises(Refused, match="is waiting to start: ContainerCreating"):
        space.cluster.log(pod, tail_lines=1)
    wait(lambda: "CrashLoopBackOff" in str(space.pods()))
    log = space.cluster.log(pod, tail_lines=1, container="web", previous=True)
    assert log == "simulated: crash-at-once ends with exit code 1\n"
    with pytest.raises(Refused, match="container other is not valid"):
        space.cluster.log(pod, tail_lines=1, container="other")


def test_followed_log(space: Space) -> None:
    """A log that is followed ends with its pod."""
    space.deploy()
    wait(space.ready)
    pod = f"{space.pods_path}/{space.pods()[0]['metadata']['name']}"
    with space.cluster.stream(f"{pod}/log", read_timeout_seconds=10, follow="true") as lines:
        assert next(lines) == b"simulated: nginx runs"
        space.cluster.delete(space.path)
        assert list(lines) == []


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_deleted(space: Space, propagation: str) -> None:
    """A Deployment's pods go with it, before it or not at all, as is asked for."""
    space.deploy()
    wait(space.ready)
    space.cluster.delete(space.path, propagation=propagation)
    if propagation == "Foreground":
        assert space.cluster.get(space.path)["metadata"]["finalizers"] == ["foregroundDeletion"]
    wait(lambda: _is_gone(space))
    time.sleep(0.3)
    assert len(space.pods()) == (1 if propagation == "Orphan" else 0)


def _is_gone(space: Space) -> bool:
    try:
        space.cluster.get(space.path)
    except NotFound:
        return True
    return False


def test_short_memory(start: Any) -> None:
    """Versions older than the last changes are gone, for the next page as for a watch."""
    cluster = start(history=5).cluster
    path = "/api/v1/namespaces/default/configmaps"
    for name in "abc":
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        cluster.apply(f"{path}/{name}", manifest)
    token = cluster.get(path, limit="1")["metadata"]["continue"]
    for count in range(10):
        cluster.apply(
            f"{path}/a", {**manifest, "metadata": {"name": "a"}, "data": {"n": str(count)}}
        )
    with pytest.raises(Gone):
        cluster.get(path, **{"continue": token})
