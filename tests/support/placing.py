"""Nodes, demands and slots for tests of placement."""

from dataclasses import replace

import pytest

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger, Slot
from app.admission.reservations.placement import Demand, NoRoom
from k8s.inventory.inventory import Inventory, Node, Tenant
from k8s.inventory.quantities import ResourceAmounts

GI = 1 << 30
HAS = ResourceAmounts(cpu_millis=8000, memory_bytes=32 * GI, storage_bytes=100 * GI, pods=10)


def node(name: str, **amounts: int) -> Node:
    """A node of 8 cores, 32 GiB, 100 GiB, 10 pods; with GPUs it is labelled NVIDIA-A4000."""
    return Node(
        name=name,
        allocatable=replace(HAS, **amounts),
        gpu_labels=("NVIDIA-A4000",) if amounts.get("gpus") else (),
    )


def inventory(*nodes: Node) -> Inventory:
    """These nodes."""
    return Inventory(nodes=nodes)


def demand(
    cpu: float = 1, gpus: int = 0, *, replicas: int = 1, model: str = "", component: str = "web"
) -> Demand:
    """Pods of so much each."""
    return Demand(
        component=component,
        replicas=replicas,
        amounts=ResourceAmounts(cpu_millis=int(cpu * 1000), gpus=gpus, pods=1),
        models=((model,),) if model else (),
    )


def placed(
    seen: Inventory, *wanted: Demand, book: Ledger | None = None, before: tuple[Slot, ...] = ()
) -> list[str]:
    """The nodes of the slots that are found for revision 2 of task `t`, in order."""
    slots = placement.place(wanted, seen, book or Ledger(), task_id="t", revision=2, before=before)
    return sorted(slot.node for slot in slots)


def refused(seen: Inventory, *wanted: Demand, book: Ledger | None = None) -> str:
    """Why there is no room."""
    with pytest.raises(NoRoom) as caught:
        placed(seen, *wanted, book=book)
    return str(caught.value)


def held(name: str, on: str, *, cpu: float = 1, gpus: int = 0) -> Slot:
    """A slot that somebody has."""
    amounts = ResourceAmounts(cpu_millis=int(cpu * 1000), gpus=gpus, pods=1)
    return Slot(name=name, component="web", node=on, amounts=amounts)


def pod(task_id: str, *, revision: int = 1, cpu: float = 1, ending: bool = False) -> Tenant:
    """A pod of a task."""
    return Tenant(
        task_id=task_id,
        component="web",
        revision=str(revision),
        amounts=ResourceAmounts(cpu_millis=int(cpu * 1000), pods=1),
        ending=ending,
    )
