"""Inventory of the cluster: allocatable resources of its nodes, and their usage by pods.

Every pod on a node counts until it has finished: also pods that are waiting for their image, being
deleted, or not scheduled yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from k8s.api.client import Cluster
from k8s.api.errors import Unavailable
from k8s.inventory import (
    gpu_exporter,
    nodes,
    pod_requests,
    quantities,
)
from k8s.inventory.gpu_exporter import GpuFacts
from k8s.inventory.nodes import NodeObject
from k8s.inventory.pod_requests import InventoryPod
from k8s.inventory.quantities import ResourceAmounts
from k8s.naming import labels

_NODES = "/api/v1/nodes"
_PODS = "/api/v1/pods"
_NOT_FINISHED = "status.phase!=Succeeded,status.phase!=Failed"
_NOTHING = ResourceAmounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A pod of one of the provider's tasks on a node.

    Attributes:
        task_id: The task's id, from the pod's label.
        component: The value of the component's label.
        revision: The value of the revision's label.
        amounts: The resources that it takes.
        ending: Whether it is being deleted.
    """

    task_id: str
    component: str
    revision: str
    amounts: ResourceAmounts
    ending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node.

    Attributes:
        name: The node's name.
        machine_id: The id of its machine; empty when unknown.
        architecture: The processor architecture, such as `amd64`.
        withheld: The reason why tenants' pods may not run there (`cordoned`, `not ready`,
            `taint …`); empty: they may.
        gpus_only: Whether only pods that need a GPU may run there (taint `nvidia.com/gpu`).
        allocatable: The resources that it has for pods.
        used_by_others: The resources taken by pods that belong to none of the provider's tasks.
        tenants: The pods of the provider's tasks.
        gpu_labels: Its labels that name a GPU product, spelled as on the node (`NVIDIA-A4000`).
        products: GPUs by product, each by its canonical label (`gpus.label`), as far as known.
        facts: The facts that its exporter published, or None.
    """

    name: str
    machine_id: str = ""
    architecture: str = ""
    withheld: str = ""
    gpus_only: bool = False
    allocatable: ResourceAmounts = _NOTHING
    used_by_others: ResourceAmounts = _NOTHING
    tenants: tuple[Tenant, ...] = ()
    gpu_labels: tuple[str, ...] = ()
    products: tuple[tuple[str, int], ...] = ()
    facts: GpuFacts | None = None

    @property
    def used(self) -> ResourceAmounts:
        """The resources taken by all pods on it."""
        tenants = (tenant.amounts for tenant in self.tenants)
        return quantities.total((self.used_by_others, *tenants))

    def admits(self, request: ResourceAmounts) -> bool:
        """Return whether a pod with this request may run there, provided that it fits."""
        return not self.withheld and (request.gpus > 0 or not self.gpus_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The nodes, ordered by name."""

    nodes: tuple[Node, ...] = ()

    @property
    def schedulable(self) -> tuple[Node, ...]:
        """The nodes on which tenants' pods may run."""
        return tuple(node for node in self.nodes if not node.withheld)


def read(cluster: Cluster, *, facts: Mapping[str, GpuFacts] | None = None) -> Inventory:
    """Read the present inventory of a cluster.

    Args:
        cluster: The cluster to read.
        facts: The exporters' facts by node, when they are known already; None: read them.

    Raises:
        ClusterError: The API server is unavailable, refuses, or answers nonsense.
    """
    try:
        known_facts = gpu_exporter.read(cluster) if facts is None else facts
        node_objects = msgspec.convert(cluster.list(_NODES), list[NodeObject])
        pods = msgspec.convert(cluster.list(_PODS, fields=_NOT_FINISHED), list[InventoryPod])
        return take(node_objects, pods, known_facts)
    except (msgspec.ValidationError, ValueError) as error:
        raise Unavailable(f"the API server's nodes or pods make no sense: {error}") from error


def take(
    objects: Iterable[NodeObject], pods: Iterable[InventoryPod], facts: Mapping[str, GpuFacts]
) -> Inventory:
    """Take the inventory of these nodes and pods (of all namespaces).

    Raises:
        ValueError: A quantity is malformed.
    """
    node_objects = sorted(objects, key=lambda node: node.metadata.name)
    others: dict[str, list[ResourceAmounts]] = {node.metadata.name: [] for node in node_objects}
    tenants: dict[str, list[Tenant]] = {node.metadata.name: [] for node in node_objects}
    pending: list[tuple[InventoryPod, ResourceAmounts]] = []
    for pod in pods:
        if pod.finished:
            continue
        request = pod_requests.effective(pod)
        name = pod.spec.node_name or pod.status.nominated_node_name
        if name in others and _is_tenants(pod):
            tenants[name].append(_tenant(pod, request))
        elif name in others:
            others[name].append(request)
        elif not name and not _is_tenants(pod) and not pod.unschedulable and not pod.deleting:
            pending.append((pod, request))
    counted = [
        _node(node, others[node.metadata.name], tenants[node.metadata.name], facts)
        for node in node_objects
    ]
    return Inventory(nodes=tuple(_place_pending(counted, node_objects, pending)))


def _is_tenants(pod: InventoryPod) -> bool:
    pod_labels = pod.metadata.labels
    return bool(pod_labels.get(labels.TASK)) and pod_labels.get(labels.MANAGED_BY) == labels.MANAGER


def _tenant(pod: InventoryPod, request: ResourceAmounts) -> Tenant:
    pod_labels = pod.metadata.labels
    return Tenant(
        task_id=pod_labels[labels.TASK],
        component=pod_labels.get(labels.COMPONENT, ""),
        revision=pod_labels.get(labels.REVISION, ""),
        amounts=request,
        ending=pod.deleting,
    )


def _node(
    node: NodeObject,
    others: Iterable[ResourceAmounts],
    tenants: Iterable[Tenant],
    facts: Mapping[str, GpuFacts],
) -> Node:
    node_facts = facts.get(node.metadata.name)
    allocatable = quantities.parse_allocatable(node.status.allocatable or {})
    gpu_labels = nodes.gpu_labels(node)
    return Node(
        name=node.metadata.name,
        machine_id=node.status.node_info.machine_id,
        architecture=node.status.node_info.architecture,
        withheld=nodes.withheld_reason(node),
        gpus_only=nodes.is_gpu_only(node),
        allocatable=allocatable,
        used_by_others=quantities.total(others),
        tenants=tuple(tenants),
        gpu_labels=gpu_labels,
        products=nodes.products(node, allocatable.gpus, gpu_labels, node_facts),
        facts=node_facts,
    )


def _place_pending(
    counted: Iterable[Node],
    node_objects: Iterable[NodeObject],
    pending: Iterable[tuple[InventoryPod, ResourceAmounts]],
) -> list[Node]:
    """Count each pod that is not scheduled yet on the first node where it fits."""
    by_name = {node.name: node for node in counted}
    node_labels = {node.metadata.name: node.metadata.labels for node in node_objects}
    for pod, request in pending:
        selector = (pod.spec.node_selector or {}).items()
        for name, node in by_name.items():
            selected = all(node_labels[name].get(key) == value for key, value in selector)
            if node.admits(request) and selected and request.fits(node.allocatable - node.used):
                by_name[name] = replace(node, used_by_others=node.used_by_others + request)
                break
    return list(by_name.values())
