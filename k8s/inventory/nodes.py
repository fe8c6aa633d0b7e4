"""Node objects: their allocatable resources, taints and GPU products."""

import msgspec

from k8s.api.objects import Condition, Object, Part
from k8s.inventory import gpus
from k8s.inventory.gpu_exporter import GpuFacts

GPU_TAINT = "nvidia.com/gpu"
_REPELLING_EFFECTS = {"NoSchedule", "NoExecute"}
_PRODUCT_LABEL = "nvidia.com/gpu.product"


class _Taint(Part, frozen=True, kw_only=True):
    key: str = ""
    effect: str = ""


class _NodeSpec(Part, frozen=True, kw_only=True):
    unschedulable: bool = False
    taints: tuple[_Taint, ...] | None = None


class _NodeInfo(Part, frozen=True, kw_only=True):
    machine_id: str = msgspec.field(default="", name="machineID")
    architecture: str = ""


class _NodeStatus(Part, frozen=True, kw_only=True):
    allocatable: dict[str, str | int | float] | None = None
    conditions: tuple[Condition, ...] | None = None
    node_info: _NodeInfo = _NodeInfo()


class NodeObject(Object, frozen=True, kw_only=True):
    """A v1 Node, cut down to the fields that the inventory uses."""

    spec: _NodeSpec = _NodeSpec()
    status: _NodeStatus = _NodeStatus()


def withheld_reason(node: NodeObject) -> str:
    """Return why no tenant's pod may run on the node; empty: they may, see `is_gpu_only`."""
    if node.deleting:
        return "being removed"
    if node.spec.unschedulable:
        return "cordoned"
    ready = next((c for c in node.status.conditions or () if c.type == "Ready"), None)
    if ready is None or ready.status != "True":
        return "not ready"
    taints = [taint for taint in _taints(node) if taint != GPU_TAINT]
    return f"taint {taints[0]}" if taints else ""


def is_gpu_only(node: NodeObject) -> bool:
    """Return whether only pods that need a GPU may run there: they tolerate the usual taint.

    The taint is the name of the resource, as for the admission plugin ExtendedResourceToleration.
    """
    return GPU_TAINT in _taints(node)


def _taints(node: NodeObject) -> list[str]:
    """Return the keys of the taints that keep pods away."""
    return [taint.key for taint in node.spec.taints or () if taint.effect in _REPELLING_EFFECTS]


def gpu_labels(node: NodeObject) -> tuple[str, ...]:
    """Return the labels by which workloads select GPUs: `<product>=true`."""
    labels = node.metadata.labels.items()
    return tuple(sorted(key for key, value in labels if value == "true" and gpus.is_product(key)))


def products(
    node: NodeObject, count: int, labels: tuple[str, ...], facts: GpuFacts | None
) -> tuple[tuple[str, int], ...]:
    """Count GPUs by product: by the driver's facts if they cover all of them, else by the label."""
    if not count:
        return ()
    counts: dict[str, int] = {}
    for detail in facts.details if facts else ():
        name = gpus.label(detail.product_name)
        counts[name] = counts.get(name, 0) + 1
    if sum(counts.values()) == count:
        return tuple(sorted(counts.items()))
    named = (*labels, node.metadata.labels.get(_PRODUCT_LABEL, ""), *counts)
    name = next((gpus.label(name) for name in named if name), gpus.MAKER)
    return ((name, count),)
