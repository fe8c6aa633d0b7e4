"""What the cluster's nodes have, and what of it is taken.

Everything that is on a node counts, and what is about to be: pods that wait for their image, that
are being ended, that the scheduler has not got to yet. What has ended does not.
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
_NOT_OVER = "status.phase!=Succeeded,status.phase!=Failed"
_NOTHING = ResourceAmounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A pod of one of our tasks on a node.

    Attributes:
        task_id: The task's id, as the pod's label has it.
        component: The value of the component's label.
        revision: The value of the revision's label.
        amounts: What it takes.
        ending: Whether it is being ended.
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
        name: Its name.
        machine_id: Its machine's, empty when not told.
        architecture: Such as `amd64`.
        withheld: Why tenants' pods do not get there (`cordoned`, `not ready`, `taint …`); empty:
            they do.
        gpus_only: Whether only those of them get there that need a GPU (taint `nvidia.com/gpu`).
        allocatable: What it has for pods.
        used_by_others: What pods take that are not of our tasks.
        tenants: The pods of our tasks.
        gpu_labels: Its labels that name a GPU product, as it spells them (`NVIDIA-A4000`).
        products: GPUs by product, each by its usual label (`gpus.label`), as far as it is known.
        facts: What its exporter tells; None: nothing.
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
        """What all pods on it take."""
        return quantities.total((self.used_by_others, *(one.amounts for one in self.tenants)))

    def admits(self, taken: ResourceAmounts) -> bool:
        """Whether a pod that takes this gets there, if there is room."""
        return not self.withheld and (taken.gpus > 0 or not self.gpus_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The nodes, by name in order."""

    nodes: tuple[Node, ...] = ()

    @property
    def schedulable(self) -> tuple[Node, ...]:
        """The nodes that tenants' pods get to."""
        return tuple(node for node in self.nodes if not node.withheld)


def read(cluster: Cluster, *, facts: Mapping[str, GpuFacts] | None = None) -> Inventory:
    """Return what the cluster has now.

    Args:
        cluster: Where.
        facts: The exporters' facts by node, when they are known already; None: they are read.

    Raises:
        ClusterError: The API server is away, refuses, or answers nonsense.
    """
    try:
        known = gpu_exporter.read(cluster) if facts is None else facts
        there = msgspec.convert(cluster.list(_NODES), list[NodeObject])
        pods = msgspec.convert(cluster.list(_PODS, fields=_NOT_OVER), list[InventoryPod])
        return take(there, pods, known)
    except (msgspec.ValidationError, ValueError) as error:
        raise Unavailable(f"the API server's nodes or pods make no sense: {error}") from error


def take(
    objects: Iterable[NodeObject], pods: Iterable[InventoryPod], facts: Mapping[str, GpuFacts]
) -> Inventory:
    """Return the inventory of these nodes and pods (of all namespaces).

    Raises:
        ValueError: A quantity is none.
    """
    there = sorted(objects, key=lambda one: one.metadata.name)
    others: dict[str, list[ResourceAmounts]] = {one.metadata.name: [] for one in there}
    tenants: dict[str, list[Tenant]] = {one.metadata.name: [] for one in there}
    waiting: list[tuple[InventoryPod, ResourceAmounts]] = []
    for pod in pods:
        if pod.over:
            continue
        taken = pod_requests.effective(pod)
        where = pod.spec.node_name or pod.status.nominated_node_name
        if where in others and _is_tenants(pod):
            tenants[where].append(_tenant(pod, taken))
        elif where in others:
            others[where].append(taken)
        elif not where and not _is_tenants(pod) and not pod.put_off and not pod.deleting:
            waiting.append((pod, taken))
    found = [
        _node(one, others[one.metadata.name], tenants[one.metadata.name], facts) for one in there
    ]
    return Inventory(nodes=tuple(_with_waiting(found, there, waiting)))


def _is_tenants(pod: InventoryPod) -> bool:
    told = pod.metadata.labels
    return bool(told.get(labels.TASK)) and told.get(labels.MANAGED_BY) == labels.MANAGER


def _tenant(pod: InventoryPod, taken: ResourceAmounts) -> Tenant:
    told = pod.metadata.labels
    return Tenant(
        task_id=told[labels.TASK],
        component=told.get(labels.COMPONENT, ""),
        revision=told.get(labels.REVISION, ""),
        amounts=taken,
        ending=pod.deleting,
    )


def _node(
    one: NodeObject,
    others: Iterable[ResourceAmounts],
    tenants: Iterable[Tenant],
    facts: Mapping[str, GpuFacts],
) -> Node:
    told = facts.get(one.metadata.name)
    allocatable = quantities.parse_allocatable(one.status.allocatable or {})
    named = nodes.gpu_labels(one)
    return Node(
        name=one.metadata.name,
        machine_id=one.status.node_info.machine_id,
        architecture=one.status.node_info.architecture,
        withheld=nodes.withheld(one),
        gpus_only=nodes.is_for_gpus_only(one),
        allocatable=allocatable,
        used_by_others=quantities.total(others),
        tenants=tuple(tenants),
        gpu_labels=named,
        products=nodes.products(one, allocatable.gpus, named, told),
        facts=told,
    )


def _with_waiting(
    counted: Iterable[Node],
    there: Iterable[NodeObject],
    waiting: Iterable[tuple[InventoryPod, ResourceAmounts]],
) -> list[Node]:
    """Count what the scheduler has not got to yet where it fits first."""
    found = {node.name: node for node in counted}
    told = {one.metadata.name: one.metadata.labels for one in there}
    for pod, taken in waiting:
        wanted = (pod.spec.node_selector or {}).items()
        for name, node in found.items():
            selected = all(told[name].get(key) == value for key, value in wanted)
            if node.admits(taken) and selected and taken.fits(node.allocatable - node.used):
                found[name] = replace(node, used_by_others=node.used_by_others + taken)
                break
    return list(found.values())
