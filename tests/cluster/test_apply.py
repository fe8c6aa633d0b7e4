"""Objects on a real cluster: applied, pruned, taken back and removed."""

import os
import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from k8s import render
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import (
    Conflict,
    NotFound,
    Refused,
    Unavailable,
)
from k8s.apply import apply
from k8s.inventory.capabilities import (
    has_http_routes,
    missing_storage_classes,
    node_networks,
    resolve,
)
from k8s.naming import names
from k8s.workload import Capabilities, Workload
from tests.support import workloads

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"
)


@pytest.mark.parametrize("name", ["single", "everything", "hostile"])
def test_the_api_server_takes_what_is_rendered(
    cluster: Cluster, wallets: Callable[[], str], name: str
) -> None:
    """Every object of every stored workload passes a server-side dry run."""
    workload = workloads.stored(name, wallets())
    capabilities = Capabilities(
        node_ports=True, load_balancers=True, blocked_networks=("203.0.113.7/32",)
    )
    manifests = render.workload(workload, capabilities)
    cluster.apply(url_paths.object_path(manifests[0]), manifests[0])
    for manifest in manifests:
        cluster.apply(url_paths.object_path(manifest), manifest, dry_run=True)
    if not has_http_routes(cluster):
        return
    for manifest in render.workload(workload, replace(capabilities, gateway="default/public")):
        if manifest["kind"] == "HTTPRoute":
            cluster.apply(url_paths.object_path(manifest), manifest, dry_run=True)


def _paused(workload: Workload) -> Workload:
    """The same, without pods."""
    return replace(
        workload, components=tuple(replace(one, replicas=0) for one in workload.components)
    )


def _bad(manifests: list[render.Manifest]) -> render.Manifest:
    """A ConfigMap that the API server refuses."""
    found = next(one for one in manifests if one["kind"] == "ConfigMap")
    return found | {"metadata": found["metadata"] | {"name": "bad"}, "data": {"no key": "x"}}


def test_a_refused_object_takes_back_the_others(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Nothing of a task is left when one of its objects is refused, and its reason is told."""
    workload = _paused(workloads.stored("everything", wallets()))
    manifests = render.workload(workload, Capabilities(node_ports=True, load_balancers=True))
    with pytest.raises(Refused, match="no key") as refused:
        apply._Journal(cluster, apply._go_on).apply([*manifests, _bad(manifests)])
    assert refused.value.status == 422
    assert refused.value.__notes__ == ["refused: ConfigMap/bad"]
    workloads.eventually(lambda: not workloads.left(cluster, workload) or None, "the rollback")
    quota = url_paths.collection("ResourceQuota", names.namespace(workload.wallet))
    assert len(cluster.list(quota)) == 1


def test_a_refused_redeployment_keeps_what_was_there(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Only what the refused call created is taken back."""
    workload = _paused(workloads.stored("single", wallets()))
    apply.deploy(cluster, workload, Capabilities())
    before = workloads.left(cluster, workload)
    more = replace(
        _paused(workloads.stored("everything", workload.wallet)), task_id=workload.task_id
    )
    manifests = render.workload(more, Capabilities(node_ports=True, load_balancers=True))
    with pytest.raises(Refused):
        apply._Journal(cluster, apply._go_on).apply([*manifests, _bad(manifests)])
    workloads.eventually(
        lambda: workloads.left(cluster, workload) == before or None, "the rollback"
    )


def test_prune_deletes_what_a_redeployment_lacks(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Services, files and components that a later revision dropped go; the others stay."""
    wallet = wallets()
    capabilities = Capabilities(node_ports=True, load_balancers=True)
    first = _paused(workloads.stored("everything", wallet))
    apply.deploy(cluster, first, capabilities)
    smaller = replace(first, components=first.components[1:2], revision=2)
    other = _paused(replace(workloads.stored("single", wallet)))
    apply.deploy(cluster, other, capabilities)
    web, *_ = smaller.components
    ports = tuple(replace(port, clients=()) for port in web.containers[1].ports)
    containers = (
        replace(web.containers[0], ports=()),
        replace(web.containers[1], ports=ports, files=()),
    )
    smaller = replace(smaller, components=(replace(web, containers=containers),))
    manifests = apply.deploy(cluster, smaller, capabilities)
    namespace = names.namespace(wallet)
    kept = {f"{one['kind']}/{one['metadata']['name']}" for one in manifests}

    def pruned() -> bool | None:
        apply.prune(cluster, manifests, namespace=namespace, task_id=first.task_id)
        return set(workloads.left(cluster, first)) <= kept or None

    workloads.eventually(pruned, "the prune")
    assert f"Deployment/deploy-{first.space_uuid}" in workloads.left(cluster, first)
    assert f"Deployment/deploy-{other.space_uuid}" in workloads.left(cluster, other)


def test_remove_leaves_what_another_task_took_over(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """A new task of the same Space takes the objects, and ending the old one does not end it."""
    old = _paused(workloads.stored("single", wallets()))
    apply.deploy(cluster, old, Capabilities())
    new = replace(old, task_id=workloads.new_uuid())
    apply.deploy(cluster, new, Capabilities())
    taken = workloads.left(cluster, new)
    assert taken
    workloads.gone(cluster, old)
    assert workloads.left(cluster, new) == taken
    workloads.gone(cluster, new)
    assert workloads.left(cluster, new) == []


def test_a_deletion_that_comes_late_does_nothing(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """An object that changed hands between the look and the deletion is not deleted."""
    old = _paused(workloads.stored("single", wallets()))
    apply.deploy(cluster, old, Capabilities())
    seen = apply._objects(cluster, names.namespace(old.wallet), old.task_id)
    new = replace(old, task_id=workloads.new_uuid())
    apply.deploy(cluster, new, Capabilities())
    for one in seen:
        apply._delete(cluster, one)
    assert len(workloads.left(cluster, new)) == len(seen)


def test_removal_of_what_never_was(cluster: Cluster) -> None:
    """A task without objects, or without a namespace even, is gone already."""
    namespace = names.namespace(f"0x{secrets.token_hex(20)}")
    assert apply.remove(cluster, namespace=namespace, task_id=workloads.new_uuid())


def test_cancelled_between_objects(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """An error of the checkpoint stops the call before the next write."""
    workload = _paused(workloads.stored("single", wallets()))
    writes = iter(range(6))

    def checkpoint() -> None:
        if next(writes, None) is None:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        apply.deploy(cluster, workload, Capabilities(), checkpoint=checkpoint)
    assert len(workloads.left(cluster, workload)) == 2
    workloads.gone(cluster, workload)


def test_an_object_that_is_being_deleted_is_waited_for(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Nothing is applied to an object that is about to vanish: try again."""
    workload = _paused(workloads.stored("everything", wallets()))
    capabilities = Capabilities(node_ports=True, load_balancers=True)
    manifests = apply.deploy(cluster, workload, capabilities)
    claim = next(one for one in manifests if one["kind"] == "PersistentVolumeClaim")
    claim["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.apply(url_paths.object_path(claim), claim)
    cluster.delete(url_paths.object_path(claim))
    with pytest.raises(Unavailable, match="still being deleted"):
        apply.deploy(cluster, workload, capabilities)
    claim["metadata"]["finalizers"] = []
    cluster.apply(url_paths.object_path(claim), claim)


def test_errors_tell_what_the_api_server_said(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Absent, refused and changed objects are told apart; a missing one is deleted already."""
    namespace = names.namespace(wallets())
    path = f"/api/v1/namespaces/{namespace}"
    with pytest.raises(NotFound, match=namespace):
        cluster.get(path)
    cluster.delete(path)
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    cluster.apply(path, manifest)
    with pytest.raises(Conflict):
        cluster.delete(path, uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(Refused) as refused:
        cluster.apply(path, manifest | {"spec": 1})
    assert "expected map" in refused.value.message


def test_quota_is_told_in_the_servers_words(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """An operator who offers no NodePorts bounds them to none on the cluster too."""
    workload = _paused(workloads.stored("single", wallets()))
    manifests = render.workload(workload, Capabilities())
    service = next(one for one in manifests if one["kind"] == "Service")
    service["spec"]["type"] = "NodePort"
    with pytest.raises(Refused, match="exceeded quota") as refused:
        apply._Journal(cluster, apply._go_on).apply(manifests)
    assert refused.value.status == 403


def test_what_the_cluster_has(cluster: Cluster) -> None:
    """The networks of nodes and services are blocked, and missing storage classes are named."""
    nodes = {
        address["address"]
        for node in cluster.list("/api/v1/nodes")
        for address in node["status"]["addresses"]
        if address["type"] == "InternalIP"
    }
    networks = node_networks(cluster)
    assert {f"{one}/32" for one in nodes if ":" not in one} <= set(networks)
    capabilities = resolve(cluster, Capabilities(blocked_networks=("192.0.2.0/24",)))
    assert set(capabilities.blocked_networks) == {"192.0.2.0/24", *networks}
    missing = missing_storage_classes(cluster, ["no-such-class"])
    assert missing == {"no-such-class"}
