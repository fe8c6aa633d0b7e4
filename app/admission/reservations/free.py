"""Free room on each node: allocatable, less its pods, less the slots without a pod."""

from collections.abc import Iterable, Mapping

from app.admission.reservations.ledger import Ledger, Slot
from k8s.inventory import quantities
from k8s.inventory.inventory import Inventory
from k8s.inventory.quantities import ResourceAmounts


def free(inventory: Inventory, ledger: Ledger) -> dict[str, ResourceAmounts]:
    """Return the free room on each node that takes tenants' pods; never below zero.

    A pod of ours counts where it is, whatever was reserved for it, and its slot no more; a slot
    whose pod is not there yet counts where it was reserved.
    """
    open_slots = _open(inventory, ledger)
    return {
        node.name: quantities.maximum(
            node.allocatable - node.used - quantities.total(open_slots.get(node.name, ())),
            ResourceAmounts(),
        )
        for node in inventory.schedulable
    }


def reserved(inventory: Inventory, ledger: Ledger) -> dict[str, ResourceAmounts]:
    """Return what is reserved on each node for pods that are not there yet."""
    open_slots = _open(inventory, ledger)
    return {node.name: quantities.total(open_slots.get(node.name, ())) for node in inventory.nodes}


def located(inventory: Inventory, ledger: Ledger) -> dict[str, str]:
    """Return the node of each slot's pod, by the slot's name, of those that have one.

    A slot has the pod that is on its node; what is left over of pods and slots is matched as it
    comes, since the scheduler may have put a pod elsewhere.
    """
    nodes_by_slot: dict[str, str] = {}
    pods = _pods(inventory)
    for name, held in sorted(ledger.held.items()):
        for component in dict.fromkeys(slot.component for slot in held):
            slots = [slot for slot in held if slot.component == component]
            nodes = list(pods.get((name, component), ()))
            nodes_by_slot |= _matched(slots, nodes, nodes_by_slot)
    return nodes_by_slot


def _pods(inventory: Inventory) -> dict[tuple[str, str], list[str]]:
    """The nodes of our tasks' pods that are to stay, by holder and component."""
    pods: dict[tuple[str, str], list[str]] = {}
    for node in inventory.nodes:
        for pod in node.tenants:
            if not pod.ending:
                key = f"{pod.task_id}:{pod.revision}", pod.component
                pods.setdefault(key, []).append(node.name)
    return pods


def _matched(slots: list[Slot], nodes: list[str], known: Mapping[str, str]) -> dict[str, str]:
    matched: dict[str, str] = {}
    for slot in slots:
        if slot.node in nodes:
            nodes.remove(slot.node)
            matched[slot.name] = slot.node
    rest = sorted(
        (slot for slot in slots if slot.name not in matched), key=lambda slot: slot.name in known
    )
    for slot, node in zip(rest, nodes, strict=False):
        matched[slot.name] = node
    return matched


def _open(inventory: Inventory, ledger: Ledger) -> dict[str, Iterable[ResourceAmounts]]:
    """Amounts of the slots without a pod on each node; a slot of two holders counts once."""
    taken = located(inventory, ledger)
    by_node: dict[str, dict[str, ResourceAmounts]] = {}
    for held in ledger.held.values():
        for slot in held:
            if slot.name not in taken:
                open_slots = by_node.setdefault(slot.node, {})
                open_slots[slot.name] = quantities.maximum(
                    open_slots.get(slot.name, ResourceAmounts()), slot.amounts
                )
    return {node: slots.values() for node, slots in by_node.items()}
