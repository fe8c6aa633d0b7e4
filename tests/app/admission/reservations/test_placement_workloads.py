"""The demands of a workload's pods."""

from dataclasses import replace

from app.admission.reservations import placement
from k8s.inventory.quantities import ResourceAmounts
from k8s.workload import Component, Container, Gpu, Resources, Volume, Workload
from tests.support.placing import GI, held, inventory, node


def container(cpu: int, gpu: Gpu | None = None) -> Container:
    """A container of so many thousandths of a core."""
    resources = Resources(cpu_millis=cpu, memory_bytes=GI, storage_bytes=2 * GI, gpu=gpu)
    return Container(name=f"c{cpu}", image="x", resources=resources)


def workload(*components: Component) -> Workload:
    """A workload of these components."""
    return Workload(task_id="t", space_uuid="s", space_name="S", wallet="0x", components=components)


def test_what_a_workload_needs() -> None:
    """GPUs of several containers add up, each of its product; components by their labels."""
    first = Component(
        name="Web!",
        replicas=2,
        containers=(
            container(100, Gpu(count=1, models=("NVIDIA-A4000",))),
            container(250, Gpu(count=2)),
        ),
    )
    claim = Volume(name="data", size_bytes=1, kind="claim")
    second = Component(name="db", containers=(container(1),), volumes=(claim,))
    web, database = placement.demands(workload(first, second))
    assert web.amounts == ResourceAmounts(
        cpu_millis=350, memory_bytes=2 * GI, storage_bytes=4 * GI, gpus=3, pods=1
    )
    assert (web.replicas, web.models, web.succeeds) == (2, (("NVIDIA-A4000",),), False)
    assert web.component.startswith("web-")
    assert (database.component, database.succeeds) == ("db", True)


def test_products_are_rendered_as_nodes_spell_them() -> None:
    """A tenant's `rtxa4000` selects nodes that are labelled `NVIDIA-A4000`, and prefers its own."""
    wanted = workload(
        Component(name="web", containers=(container(1, Gpu(count=1, models=("rtxa4000",))),)),
        Component(name="db", containers=(container(1, Gpu(count=1)),)),
    )
    seen = inventory(
        node("a", gpus=1),
        replace(node("b", gpus=1), gpu_labels=("NVIDIA-RTX-A4000", "NVIDIA-T4")),
        replace(node("c", gpus=1), gpu_labels=("NVIDIA-H100",)),
    )
    slots = (held("x", "b"),)
    web, database = placement.steered(wanted, seen, slots).components
    assert web.containers[0].resources.gpu == Gpu(
        count=1, models=("NVIDIA-A4000", "NVIDIA-RTX-A4000")
    )
    assert (web.nodes, database.nodes) == (("b",), ())
    assert database.containers[0].resources.gpu == Gpu(count=1)
