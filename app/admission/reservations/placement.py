"""Finding room for pods: each on one node, the largest first, where the least is left over.

A version that takes the place of another has its pods beside the other's, as far as both run at
once. A rolling update starts one pod more than there are and ends an old one for each new one that
is ready; so one new pod of each component gets room of its own, and the others inherit the slots of
those that they replace, where they are not larger. Where the old pods have to go first (their
volumes can be used only once), all slots are inherited. A slot that two versions hold counts once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from app.admission.reservations import free as free_room
from app.admission.reservations import shortage
from app.admission.reservations.ledger import Ledger, Slot, Slots
from app.store import redis_keys
from k8s.inventory import gpus
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import NAMES, ResourceAmounts, total
from k8s.naming import names
from k8s.workload import Component, Container, Resources, Workload

_MOST_LABELS = 16
Models = tuple[tuple[str, ...], ...]


class NoRoom(Exception):
    """A pod fits on no node; the text says what it needs and what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Requests of the pods of one component.

    Attributes:
        component: The value of their label.
        replicas: Their number.
        amounts: The requests of each.
        models: For each container that needs GPUs of certain products, those products.
        succeeds: The pods before them are ended first, instead of one by one.
    """

    component: str
    replicas: int
    amounts: ResourceAmounts
    models: Models = ()
    succeeds: bool = False


def demands(
    workload: Workload, rendered: Mapping[str, ResourceAmounts] | None = None
) -> tuple[Demand, ...]:
    """Return the demands of a workload.

    Args:
        workload: The workload.
        rendered: Requests of a pod of each component as it is rendered, by the component's label;
            None: the sum of its containers, which it is unless a template adds to it.
    """
    plain = map(demand_of, workload.components)
    if rendered is None:
        return tuple(plain)
    return tuple(
        replace(demand, amounts=rendered.get(demand.component, demand.amounts)) for demand in plain
    )


def encoded(workload: Workload) -> bytes:
    """Encode a workload's demands for `Change.demands`."""
    return msgspec.json.encode(demands(workload))


def decoded(content: str) -> tuple[Demand, ...]:
    """Return demands as `encoded` wrote them."""
    return msgspec.json.decode(content, type=tuple[Demand, ...])


def demand_of(component: Component) -> Demand:
    """Return the demand of a component: the sum of its containers."""
    return Demand(
        component=names.dns_label(component.name),
        replicas=component.replicas,
        amounts=total(
            (ResourceAmounts(pods=1), *(_amounts(part.resources) for part in component.containers))
        ),
        models=tuple(
            container.resources.gpu.models
            for container in component.containers
            if container.resources.gpu and container.resources.gpu.models
        ),
        succeeds=any(volume.kind == "claim" for volume in component.volumes),
    )


def _amounts(resources: Resources) -> ResourceAmounts:
    return ResourceAmounts(
        cpu_millis=resources.cpu_millis,
        memory_bytes=resources.memory_bytes,
        storage_bytes=resources.storage_bytes,
        gpus=resources.gpu.count if resources.gpu else 0,
    )


def place(
    wanted: Iterable[Demand],
    inventory: Inventory,
    ledger: Ledger,
    *,
    task_id: str,
    revision: int,
    before: Slots = (),
) -> Slots:
    """Return slots for all pods of a revision.

    Args:
        wanted: The demands of its components.
        inventory: The nodes.
        ledger: The reservations; those of this revision are given up.
        task_id: The task's.
        revision: The task's.
        before: The slots of the version that it takes the place of.

    Raises:
        NoRoom: A pod fits on no node.
    """
    others = ledger.without(task_id, revision)
    search = _Search(inventory, free_room.free(inventory, others))
    known = free_room.located(inventory, others)
    slots: list[Slot] = []
    prefix = redis_keys.holder(task_id, revision)
    for demand in sorted(wanted, key=search.rank, reverse=True):
        inherited = _inherited(demand, before, known, search)
        slots += inherited
        for number in range(len(inherited), demand.replicas):
            node = search.take(demand, number, beside=bool(slots))
            name = f"{prefix}:{demand.component}:{number}"
            slot = Slot(name=name, component=demand.component, node=node, amounts=demand.amounts)
            slots.append(slot)
    return tuple(slots)


def holds(wanted: Iterable[Demand], inventory: Inventory, slots: Slots) -> bool:
    """Tell whether slots are room for these pods alone, on nodes that still take them."""
    search = _Search(inventory, {})
    left = list(slots)
    for demand in wanted:
        own = [slot for slot in left if slot.component == demand.component]
        same = all(slot.amounts == demand.amounts for slot in own)
        suited = all(search.suits(demand, slot.node) for slot in own)
        if len(own) != demand.replicas or not same or not suited:
            return False
        left = [slot for slot in left if slot.component != demand.component]
    return not left


def _inherited(
    demand: Demand, before: Slots, known: Mapping[str, str], search: "_Search"
) -> list[Slot]:
    """The slots of pods that are ended as these start, but for the one that starts before that."""
    old_slots = [slot for slot in before if slot.component == demand.component]
    both = min(demand.replicas, len(old_slots))
    most = both if demand.succeeds else both - 1
    inherited: list[Slot] = []
    for old in old_slots:
        node = known.get(old.name, old.node)
        usable = search.suits(demand, node) and demand.amounts.fits(old.amounts)
        if usable and len(inherited) < most:
            inherited.append(
                Slot(name=old.name, component=old.component, node=node, amounts=demand.amounts)
            )
    return inherited


class _Search:
    """Nodes, and what is free on them as pods are placed."""

    def __init__(self, inventory: Inventory, free: Mapping[str, ResourceAmounts]) -> None:
        self._nodes = {node.name: node for node in inventory.schedulable}
        self._free = dict(free)
        self._largest = ResourceAmounts(
            **{
                name: max(
                    (getattr(node.allocatable, name) for node in inventory.schedulable), default=0
                )
                for name in NAMES
            }
        )

    def rank(self, demand: Demand) -> tuple[float, ...]:
        """Return the difficulty of placing it: the most demanding comes first."""
        suiting = sum(self.suits(demand, name) for name in self._nodes)
        return demand.amounts.gpus, -suiting, self._share(demand.amounts)

    def _share(self, part: ResourceAmounts) -> float:
        """Return its share of the largest node, in the resource that it takes most of."""
        shares = (getattr(part, name) / (getattr(self._largest, name) or 1) for name in NAMES)
        return float(max(shares))

    def suits(self, demand: Demand, node: str) -> bool:
        """Tell whether the node takes such pods, and has the GPU products that they need."""
        known = self._nodes.get(node)
        return known is not None and known.admits(demand.amounts) and carries(known, demand.models)

    def take(self, demand: Demand, number: int, *, beside: bool) -> str:
        """Return the node for a pod, and count the pod there.

        Raises:
            NoRoom: There is none.
        """
        fitting = [
            name
            for name in self._nodes
            if self.suits(demand, name) and demand.amounts.fits(self._free[name])
        ]
        if not fitting:
            raise NoRoom(self._reason(demand, number, beside=beside))
        best = min(fitting, key=lambda name: self._waste(demand, name))
        self._free[best] -= demand.amounts
        return best

    def _waste(self, demand: Demand, name: str) -> tuple[float, ...]:
        """Return the room left over; nodes with GPUs are kept for pods that need them."""
        left = self._free[name] - demand.amounts
        return left.gpus, self._share(left)

    def _reason(self, demand: Demand, number: int, *, beside: bool) -> str:
        suiting = {name: self._free[name] for name in self._nodes if self.suits(demand, name)}
        reason = shortage.shortage(
            demand.amounts, models=demand.models, free=suiting, nodes=len(self._nodes)
        )
        if not beside:
            return reason
        which = f"pod {number + 1} of {demand.replicas} of {demand.component}"
        return f"{reason}, for {which} beside the job's others"


def carries(node: Node, models: Models) -> bool:
    """Tell whether a node's labels name, for each container, a product that it takes."""
    return all(
        any(gpus.matches(model, label) for model in wanted for label in node.gpu_labels)
        for wanted in models
    )


def steered(workload: Workload, inventory: Inventory, slots: Slots) -> Workload:
    """Return the workload as it is rendered for its slots.

    Products are spelled as the labels of the nodes spell them, and each component prefers the nodes
    that it has slots on. Only prefers: a node that dies does not keep its pods from others.
    """
    return replace(
        workload,
        components=tuple(_steered(part, inventory, slots) for part in workload.components),
    )


def _steered(component: Component, inventory: Inventory, slots: Slots) -> Component:
    label = names.dns_label(component.name)
    preferred = sorted({slot.node for slot in slots if slot.component == label})
    models = demand_of(component).models
    nodes = [node for node in inventory.schedulable if carries(node, models)]
    return replace(
        component,
        nodes=tuple(preferred),
        containers=tuple(_spelled(container, nodes) for container in component.containers),
    )


def _spelled(container: Container, nodes: Iterable[Node]) -> Container:
    gpu = container.resources.gpu
    if gpu is None or not gpu.models:
        return container
    spellings = sorted(
        {
            label
            for node in nodes
            for label in node.gpu_labels
            if any(gpus.matches(model, label) for model in gpu.models)
        }
    )
    models = tuple(spellings[:_MOST_LABELS]) or gpu.models
    resources = replace(container.resources, gpu=replace(gpu, models=models))
    return replace(container, resources=resources)
