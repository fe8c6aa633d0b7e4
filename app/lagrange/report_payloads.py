"""Bodies of the reports to Lagrange, exact on the wire (protocol section 4); without I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from k8s.inventory.gpu_exporter import GpuDetail, GpuFacts, Usage
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts

Status = Literal["Active", "Inactive"]
Body = dict[str, Any]

_GIB = 1 << 30
_MILLIS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The provider that reports.

    Attributes:
        name: Shown in the market.
        node_id: Hex of the provider's public key.
        multi_address: `/ip4/<address>/tcp/<port>`.
        region: `<region>-<country code>`, or empty.
    """

    name: str
    node_id: str
    multi_address: str
    region: str = ""


def registration(provider: Provider, status: Status) -> Body:
    """Return the body of `POST /cp`."""
    return {
        "name": provider.name,
        "node_id": provider.node_id,
        "multi_address": provider.multi_address,
        "autobid": 1,
        "wallet_address": 0,
        "status": status,
    }


def heartbeat(provider: Provider) -> Body:
    """Return the body of `POST /cp/heartbeat`; always active, whatever jobs are admitted."""
    return {"node_id": provider.node_id, "status": "Active"}


def resources(provider: Provider, seen: Inventory, free: Mapping[str, ResourceAmounts]) -> Body:
    """Return the ClusterResource: the body of `POST /cp/summary`, the answer to `GET /cp`.

    Args:
        provider: The provider that reports.
        seen: Its cluster.
        free: Free resources by node; a node that is left out has none.
    """
    return {
        "node_id": provider.node_id,
        "region": provider.region,
        "cluster_info": [
            _machine(node, free.get(node.name, ResourceAmounts())) for node in seen.nodes
        ],
    }


def _machine(node: Node, free: ResourceAmounts) -> Body:
    total = node.allocatable
    cores = _cores(total.cpu_millis, free.cpu_millis)
    return {
        "machine_id": node.machine_id,
        "model": node.architecture,
        "cpu": cores,
        "vcpu": cores,
        "memory": _gib(total.memory_bytes, free.memory_bytes),
        "gpu": _gpus(node, free.gpus),
        "storage": _gib(total.storage_bytes, free.storage_bytes),
    }


def _cores(total_millis: int, free_millis: int) -> Body:
    """Return whole cores, rounded down; total = used + free."""
    total, free = total_millis // _MILLIS, max(free_millis, 0) // _MILLIS
    return {"total": str(total), "used": str(total - free), "free": str(free)}


def _gib(total: int, free: int) -> Body:
    free = max(free, 0)
    parts = {"total": total, "used": total - free, "free": free}
    return {name: f"{size / _GIB:.2f} GiB" for name, size in parts.items()}


def _gpus(node: Node, free: int) -> Body:
    """Return GPUs as the driver reports them; for others, what the node's labels say."""
    facts = node.facts or GpuFacts()
    details = (*facts.details, *islice(_known(node), len(facts.details), None))
    occupied = len(details) - max(free, 0)
    return {
        "driver_version": facts.driver_version,
        "cuda_version": facts.cuda_version,
        "attached_gpus": max(facts.attached_gpus, len(details)),
        "details": [_gpu(gpu, occupied=number < occupied) for number, gpu in enumerate(details)],
    }


def _known(node: Node) -> Iterator[GpuDetail]:
    for product, count in node.products:
        for _ in range(count):
            yield GpuDetail(product_name=product.replace("-", " "))


def _gpu(gpu: GpuDetail, *, occupied: bool) -> Body:
    return {
        "product_name": gpu.product_name,
        "status": "occupied" if occupied else "available",
        "fb_memory_usage": _usage(gpu.fb_memory_usage),
        "bar1_memory_usage": _usage(gpu.bar1_memory_usage),
    }


def _usage(memory: Usage) -> Body:
    return {"total": memory.total, "used": memory.used, "free": memory.free}
