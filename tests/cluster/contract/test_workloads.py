"""Deployments on the simulated API server and on a real one, with one outcome."""

from typing import Any

import msgspec
import pytest

from k8s.api.client import Cluster
from k8s.api.objects import Deployment
from k8s.health import health, problems
from tests.support.contract_objects import (
    deployment,
    deployment_of,
    is_ready,
    live_pods,
    look,
    pods_of,
    wait,
)


def test_rolling_update(cluster: Cluster, namespace: str) -> None:
    """A new version comes up beside the old one, which goes once the new one is ready."""
    path = deployment_of(namespace)
    first = cluster.apply(path, deployment(namespace, 1))
    wait(lambda: look(cluster, namespace, 1).ready)
    old = live_pods(cluster, namespace)[0]
    assert cluster.log(f"{pods_of(namespace)}/{old.metadata.name}", tail_lines=5)
    second = cluster.apply(path, deployment(namespace, 2, image="busybox"))
    assert second["metadata"]["generation"] == first["metadata"]["generation"] + 1
    serving: list[int] = []
    while not look(cluster, namespace, 2).ready:
        serving.append(sum(is_ready(pod) for pod in live_pods(cluster, namespace)))
    assert min(serving) == 1
    wait(lambda: len(cluster.list(pods_of(namespace))) == 1)
    status = msgspec.convert(cluster.get(path), Deployment).status
    assert (status.observed_generation, status.updated_replicas, status.available_replicas) == (
        second["metadata"]["generation"],
        1,
        1,
    )
    cluster.delete(path)
    wait(lambda: not cluster.list(pods_of(namespace)))


@pytest.mark.parametrize(
    ("container", "category", "words"),
    [
        ({"image": "nginx:does-not-exist"}, health.Category.IMAGE_PULL, "not found"),
        ({"command": ["false"]}, health.Category.CRASH_LOOP, "web keeps crashing: exit code 1"),
        (
            {"resources": {"limits": {"cpu": "10k"}}},
            health.Category.UNSCHEDULABLE,
            " nodes are available: 1 Insufficient cpu",
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "none"}}]},
            health.Category.CONFIG_ERROR,
            'web cannot be started: configmap "none" not found',
        ),
    ],
)
def test_problems(
    cluster: Cluster,
    namespace: str,
    container: dict[str, Any],
    category: health.Category,
    words: str,
) -> None:
    """A pod's problem has the same category and words."""
    cluster.apply(deployment_of(namespace), deployment(namespace, 1, **container))
    seen: list[health.PodProblem] = []

    def is_told() -> bool:
        """A crashing container is down and up by turns: the first look that tells counts."""
        problem = look(cluster, namespace, 1, ahead=problems.GRACE).problem
        seen.extend([problem] if problem else [])
        return bool(seen)

    wait(is_told)
    assert seen[0].category == category
    assert words in seen[0].message


def test_quota(cluster: Cluster, namespace: str) -> None:
    """Pods that a quota does not allow are refused, as the Deployment says."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": namespace},
        "spec": {"hard": {"requests.cpu": "10m"}},
    }
    cluster.apply(f"/api/v1/namespaces/{namespace}/resourcequotas/small", quota)
    wait(lambda: _is_enforced(cluster, namespace))
    asked = {"resources": {"limits": {"cpu": "20m"}}}
    cluster.apply(deployment_of(namespace), deployment(namespace, 1, **asked))
    wait(lambda: look(cluster, namespace, 1).problem)
    problem = look(cluster, namespace, 1).problem
    assert problem is not None
    assert problem.category is health.Category.REFUSED
    assert problem.message.endswith(
        "is forbidden: exceeded quota: small, requested: requests.cpu=20m, used: requests.cpu=0, "
        "limited: requests.cpu=10m"
    )


def _is_enforced(cluster: Cluster, namespace: str) -> bool:
    """Tell whether the quota is in force."""
    quota = cluster.get(f"/api/v1/namespaces/{namespace}/resourcequotas/small")
    return bool(quota["status"].get("hard")) if "status" in quota else True
