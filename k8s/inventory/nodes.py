"""What the API server says of nodes: what they have, whom they let in, which GPUs they name."""

import msgspec

from k8s.api.objects import Condition, Object, Part
from k8s.inventory import gpus
from k8s.inventory.gpu_exporter import GpuFacts

GPU_TAINT = "nvidia.com/gpu"
_KEEPING_AWAY = {"NoSchedule", "NoExecute"}
_TOLD_PRODUCT = "nvidia.com/gpu.product"


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
    """A v1 Node, as an inventory looks at it."""

    spec: _NodeSpec = _NodeSpec()
    status: _NodeStatus = _NodeStatus()


def withheld(one: NodeObject) -> str:
    """Why no pod of a tenant gets to the node; empty: they do, see `is_for_gpus_only`."""
    if one.deleting:
        return "being removed"
    if one.spec.unschedulable:
        return "cordoned"
    ready = next((c for c in one.status.conditions or () if c.type == "Ready"), None)
    if ready is None or ready.status != "True":
        return "not ready"
    taints = [taint for taint in _taints(one) if taint != GPU_TAINT]
    return f"taint {taints[0]}" if taints else ""


def is_for_gpus_only(one: NodeObject) -> bool:
    """Whether only pods that need a GPU, which tolerate the usual taint of such nodes, get there.

    The taint is the name of the resource, as for the plugin ExtendedResourceToleration.
    """
    return GPU_TAINT in _taints(one)


def _taints(one: NodeObject) -> list[str]:
    """The keys of the taints that keep pods away."""
    return [taint.key for taint in one.spec.taints or () if taint.effect in _KEEPING_AWAY]


def gpu_labels(one: NodeObject) -> tuple[str, ...]:
    """The labels that workloads select GPUs by: `<product>=true`."""
    told = one.metadata.labels.items()
    return tuple(sorted(key for key, value in told if value == "true" and gpus.is_product(key)))


def products(
    one: NodeObject, count: int, labels: tuple[str, ...], told: GpuFacts | None
) -> tuple[tuple[str, int], ...]:
    """How many of each product: as the driver tells when that is all of them, else by the label."""
    if not count:
        return ()
    counted: dict[str, int] = {}
    for detail in told.details if told else ():
        name = gpus.label(detail.product_name)
        counted[name] = counted.get(name, 0) + 1
    if sum(counted.values()) == count:
        return tuple(sorted(counted.items()))
    named = (*labels, one.metadata.labels.get(_TOLD_PRODUCT, ""), *counted)
    name = next((gpus.label(name) for name in named if name), gpus.MAKER)
    return ((name, count),)
