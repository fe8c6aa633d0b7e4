"""The demonstration's questions to a cluster, on the simulated one."""

import queue
from typing import Any

import pytest

from app.demo import ingress
from app.demo import task_objects as view
from app.demo.pods import Pods
from app.demo.polling import Failed
from k8s.api.client import Cluster
from k8s.naming import labels
from tests.support.api_servers import Start

TASK = "6f1c1f0a-0a4e-4d0e-9c39-0d5a0d2a8b11"
NODE = "10.200.0.2"
OURS = {labels.MANAGED_BY: labels.MANAGER, labels.TASK: TASK, labels.COMPONENT: "web"}


@pytest.fixture(scope="module")
def cluster(start: Start) -> Cluster:
    """A simulated cluster without the Services of other tests."""
    return start().cluster


def make_namespace(cluster: Cluster, name: str) -> None:
    """Make a namespace."""
    path = f"/api/v1/namespaces/{name}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(path, manifest)


def make(cluster: Cluster, kind: str, namespace: str, name: str, **content: Any) -> str:
    """Make an object of the core group; return its path."""
    metadata = {"name": name, "namespace": namespace, "labels": content.pop("labels", {})}
    path = f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}"
    cluster.apply(path, {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})
    return path


def test_a_tenant_is_removed_with_all_that_it_has(cluster: Cluster) -> None:
    """The namespace goes with its objects; one that is absent is gone already."""
    make_namespace(cluster, "ns-removed")
    make(cluster, "ConfigMap", "ns-removed", "one", labels=OURS, data={})
    make(cluster, "ConfigMap", "ns-removed", "anothers", data={})
    assert view.shown(view.objects(cluster, "ns-removed", TASK)) == "1 ConfigMap"
    told: list[str] = []
    assert view.remove_tenant(cluster, "ns-removed", seconds=10, waiting=told.append)
    assert told[0] == "namespace ns-removed goes"
    assert view.shown(view.objects(cluster, "ns-removed", TASK)) == "none"
    assert not view.remove_tenant(cluster, "ns-removed", seconds=10, waiting=told.append)


def test_pods_are_told_as_they_come_and_go(cluster: Cluster) -> None:
    """Each change that matters is told once."""
    told: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    pods = Pods(cluster, "ns-pods", TASK, tell=lambda name, state: told.put((name, state)))
    make_namespace(cluster, "ns-pods")
    pods.start()
    limits = {"cpu": "1", "memory": "1Gi"}
    container = {"name": "web", "image": "nginx", "resources": {"limits": limits}}
    path = make(
        cluster, "Pod", "ns-pods", "web-x-abcde", labels=OURS, spec={"containers": [container]}
    )
    assert told.get(timeout=10) == ("web abcde", "starts on simulated-1")
    assert told.get(timeout=10) == ("web abcde", "ready")
    assert pods.progress == "1 of 1 pods are ready"
    cluster.delete(path)
    assert told.get(timeout=10) == ("web abcde", "gone")
    pods.stop()
    assert told.empty()
    assert pods.progress == "0 of 0 pods are ready"


def test_the_ingress_class_is_one_of_the_cluster(cluster: Cluster) -> None:
    """The configured class, else a sensible one; a class that is missing is told."""
    assert ingress.class_name(cluster, "") == "nginx"
    assert ingress.class_name(cluster, "nginx") == "nginx"
    with pytest.raises(Failed, match="has no IngressClass kong; it has nginx"):
        ingress.class_name(cluster, "kong")


def test_the_ingress_controller_is_looked_for_where_it_may_be(cluster: Cluster) -> None:
    """Services that serve port 80 to the world come before the nodes; tenants' own do not count."""
    make_namespace(cluster, "ns-ingress")
    spec = {
        "type": "NodePort",
        "selector": {"app": "x"},
        "ports": [{"port": 80, "nodePort": 30080}],
    }
    path = make(cluster, "Service", "ns-ingress", "controller", spec=spec)
    other = {**spec, "ports": [{"port": 80, "nodePort": 30081}]}
    make(cluster, "Service", "ns-ingress", "tenants", labels=OURS, spec=other)
    assert ingress.addresses(cluster, "ns-ingress", TASK) == [f"{NODE}:30080", NODE]
    cluster.delete(path)
    assert ingress.addresses(cluster, "ns-ingress", TASK) == [NODE]


def test_the_version_is_told(cluster: Cluster) -> None:
    """The first thing to know of a cluster."""
    assert view.version(cluster).startswith("Kubernetes v1.")
    assert view.version(cluster).endswith(", 1 node")
