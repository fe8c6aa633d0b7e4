"""Objects that the contract tests put on a cluster."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from k8s.api.client import Cluster
from k8s.api.objects import Deployment, Pod
from k8s.health import health
from k8s.naming import labels


def wait(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace, "labels": {"team": data.get("team", "a")}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str, revision: int, **container: Any) -> dict[str, Any]:
    """A Deployment of one pod, which sleeps unless told otherwise."""
    marks = {labels.COMPONENT: "web", labels.REVISION: str(revision)}
    web = {
        "name": "web",
        "image": "busybox:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "echo hello; exec sleep 1000"],
        **container,
    }
    pod = {"terminationGracePeriodSeconds": 1, "containers": [web]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace, "labels": marks},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {labels.COMPONENT: "web"}},
            "template": {"metadata": {"labels": marks}, "spec": pod},
        },
    }


def pods_of(namespace: str) -> str:
    """The path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def deployment_of(namespace: str) -> str:
    """The path of a namespace's Deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/web"


def live_pods(cluster: Cluster, namespace: str) -> list[Pod]:
    """The pods that are not being deleted."""
    found = [msgspec.convert(one, Pod) for one in cluster.list(pods_of(namespace))]
    return [pod for pod in found if not pod.deleting]


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod is ready."""
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def look(
    cluster: Cluster, namespace: str, revision: int, *, ahead: timedelta = timedelta()
) -> health.Health:
    """The health of the Deployment, as judged so far ahead of time."""
    made = cluster.get(deployment_of(namespace))
    return health.assess(
        live_pods(cluster, namespace),
        [msgspec.convert(made, Deployment)],
        components={"web": 1},
        revision=revision,
        now=datetime.now(UTC) + ahead,
    )
