"""The inventory of nodes and pods as the API server describes them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.inventory import gpu_exporter, inventory
from k8s.inventory.gpu_exporter import GpuDetail, GpuFacts, Usage
from k8s.inventory.inventory import Inventory, Node, Tenant
from k8s.inventory.nodes import NodeObject
from k8s.inventory.pod_requests import InventoryPod
from k8s.inventory.quantities import ResourceAmounts
from k8s.naming import labels

GI = 1 << 30
# As `filswan/resource-exporter` prints it, driver and sizes of a real machine.
DOCUMENT = {
    "gpu": {
        "driver_version": "535.129.03",
        "cuda_version": "12020",
        "attached_gpus": 2,
        "details": [
            {
                "product_name": "NVIDIA A4000",
                "fb_memory_usage": {"total": "16376 MiB", "used": "5 MiB", "free": "16371 MiB"},
                "bar1_memory_usage": {"total": "256 MiB", "used": "1 MiB", "free": "255 MiB"},
            }
        ]
        * 2,
    },
    "cpu_name": "INTEL",
}


def node(name: str = "node-1", **changes: Any) -> dict[str, Any]:
    """A node that takes pods: 4 cores, 8 GiB of memory, 100 GiB of storage, 2 GPUs."""
    allocatable = {
        "cpu": "3920m",
        "memory": "8Gi",
        "ephemeral-storage": "100Gi",
        "nvidia.com/gpu": "2",
        "pods": "110",
        "hugepages-2Mi": "0",
    }
    return {
        "metadata": {"name": name, "labels": {"NVIDIA-A4000": "true", **changes.get("labels", {})}},
        "spec": changes.get("spec", {}),
        "status": {
            "allocatable": allocatable | changes.get("allocatable", {}),
            "conditions": changes.get("conditions", [{"type": "Ready", "status": "True"}]),
            "nodeInfo": {"machineID": "abc", "architecture": "amd64"},
        },
    }


def pod(on: str = "node-1", *, ours: str = "", **changes: Any) -> dict[str, Any]:
    """A pod of 100m CPU and 1 GiB of memory; `ours`: of this task."""
    pod_labels = {labels.TASK: ours, labels.MANAGED_BY: labels.MANAGER, labels.COMPONENT: "web"}
    pod_labels[labels.REVISION] = "1"
    requests = {"cpu": "100m", "memory": "1Gi", **changes.get("requests", {})}
    return {
        "metadata": {
            "name": "p",
            "labels": pod_labels if ours else {},
            **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if changes.get("ending") else {}),
        },
        "spec": {
            "containers": [{"resources": {"requests": requests}}],
            **({"nodeName": on} if on else {}),
            **changes.get("spec", {}),
        },
        "status": {"phase": "Running", **changes.get("status", {})},
    }


def taken(
    *pods: dict[str, Any], nodes: Any = None, facts: dict[str, GpuFacts] | None = None
) -> Inventory:
    """Take the inventory of these nodes and pods."""
    return inventory.take(
        msgspec.convert(nodes or [node()], list[NodeObject]),
        msgspec.convert(list(pods), list[InventoryPod]),
        facts or {},
    )


def test_a_node() -> None:
    """Allocatable and used resources of a node are exact."""
    [counted] = taken(pod(), pod(requests={"cpu": "33m", "nvidia.com/gpu": "1"})).nodes
    assert counted == Node(
        name="node-1",
        machine_id="abc",
        architecture="amd64",
        allocatable=ResourceAmounts(
            cpu_millis=3920, memory_bytes=8 * GI, storage_bytes=100 * GI, gpus=2, pods=110
        ),
        used_by_others=ResourceAmounts(cpu_millis=133, memory_bytes=2 * GI, gpus=1, pods=2),
        gpu_labels=("NVIDIA-A4000",),
        products=(("NVIDIA-A4000", 2),),
    )


@pytest.mark.parametrize(
    ("document", "counts"),
    [
        (pod(), True),
        (pod(status={"phase": "Pending"}), True),
        (pod(ending=True), True),
        (pod(status={"phase": "Unknown"}), True),
        (pod(status={"phase": "Succeeded"}), False),
        (pod(status={"phase": "Failed"}), False),
        (pod("elsewhere"), False),
        (pod("", status={"phase": "Pending"}), True),
        (pod("", status={"phase": "Pending", "nominatedNodeName": "node-1"}), True),
        (pod("", status={"phase": "Pending"}, spec={"nodeSelector": {"ssd": "true"}}), False),
        (pod("", status={"phase": "Pending"}, requests={"cpu": "64"}), False),
        (
            pod("", status={"conditions": [{"type": "PodScheduled", "status": "False"}]}),
            False,
        ),
    ],
)
def test_which_pods_count(document: dict[str, Any], *, counts: bool) -> None:
    """Pods count that are on a node, being deleted or about to be scheduled, not finished ones."""
    assert taken(document).nodes[0].used_by_others.pods == int(counts)


def test_what_waits_for_the_scheduler_takes_the_first_room() -> None:
    """Pending pods are placed in turn; one that does not fit on a node counts on the next."""
    waiting = [pod("", status={"phase": "Pending"}, requests={"cpu": "3"}) for _ in range(3)]
    result = taken(*waiting, nodes=[node("a"), node("b")])
    assert [counted.used.cpu_millis for counted in result.nodes] == [3000, 3000]


def test_our_tasks_pods_are_told_apart() -> None:
    """Pods are assigned by task, component and revision; a task label alone is not enough."""
    strange = pod()
    strange["metadata"]["labels"] = {labels.TASK: "t"}
    [counted] = taken(pod(ours="t"), pod(ours="t", ending=True), strange).nodes
    amounts = ResourceAmounts(cpu_millis=100, memory_bytes=GI, pods=1)
    assert counted.tenants == (
        Tenant(task_id="t", component="web", revision="1", amounts=amounts),
        Tenant(task_id="t", component="web", revision="1", amounts=amounts, ending=True),
    )
    assert counted.used_by_others == amounts
    assert counted.used.pods == 3


def test_nodes_for_gpus_only() -> None:
    """The usual taint of GPU nodes keeps those away that need none, waiting ones included."""
    taints = [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]
    [counted] = taken(pod(on=""), nodes=[node(spec={"taints": taints})]).nodes
    assert (counted.withheld, counted.gpus_only, counted.used.pods) == ("", True, 0)
    assert not counted.admits(ResourceAmounts(cpu_millis=1))
    assert counted.admits(ResourceAmounts(gpus=1))


@pytest.mark.parametrize(
    ("changes", "withheld"),
    [
        ({}, ""),
        ({"spec": {"unschedulable": True}}, "cordoned"),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, "not ready"),
        ({"conditions": [{"type": "Ready", "status": "Unknown"}]}, "not ready"),
        ({"conditions": None}, "not ready"),
        ({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, "taint a"),
        ({"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}, "taint a"),
        ({"spec": {"taints": [{"key": "a", "effect": "PreferNoSchedule"}]}}, ""),
    ],
)
def test_nodes_that_are_not_offered(changes: dict[str, Any], withheld: str) -> None:
    """Withheld nodes stay in the inventory, with the reason."""
    result = taken(nodes=[node(**changes)])
    assert result.nodes[0].withheld == withheld
    assert bool(result.schedulable) is (withheld == "")


@pytest.mark.parametrize(
    ("changes", "details", "products"),
    [
        ({}, [], (("NVIDIA-A4000", 2),)),
        ({}, ["NVIDIA A4000", "NVIDIA T4"], (("NVIDIA-A4000", 1), ("NVIDIA-T4", 1))),
        ({}, ["NVIDIA T4"], (("NVIDIA-A4000", 2),)),
        (
            {"labels": {"NVIDIA-A4000": "no", "nvidia.com/gpu.product": "NVIDIA-RTX-A5000"}},
            [],
            (("NVIDIA-A5000", 2),),
        ),
        ({"labels": {"NVIDIA-A4000": "no"}}, ["Tesla T4"], (("NVIDIA-T4", 2),)),
        ({"labels": {"NVIDIA-A4000": "no"}}, [], (("NVIDIA", 2),)),
        ({"allocatable": {"nvidia.com/gpu": "0"}}, ["NVIDIA A4000"], ()),
    ],
)
def test_gpus_by_product(changes: Any, details: list[str], products: Any) -> None:
    """The driver's facts decide if they cover all GPUs; else the label, else as far as known."""
    facts = GpuFacts(details=tuple(GpuDetail(product_name=name) for name in details))
    [counted] = taken(nodes=[node(**changes)], facts={"node-1": facts}).nodes
    assert counted.products == products


def test_an_inventory_survives_being_written_down() -> None:
    """The inventory survives encoding as JSON, which takes it to other processes."""
    facts = gpu_exporter.parse(json.dumps(DOCUMENT))
    assert facts
    result = taken(pod(ours="t"), pod(), facts={"node-1": facts})
    assert msgspec.json.decode(msgspec.json.encode(result), type=Inventory) == result


def test_facts_of_the_exporter() -> None:
    """The newest document of its log, whatever else it wrote."""
    older = json.dumps({"gpu": {"driver_version": "1"}})
    lines = ["The node collect gpu info failed", older, json.dumps(DOCUMENT), '{"gpu": {"dri', ""]
    facts = gpu_exporter.parse("\n".join(lines))
    assert facts is not None
    assert (facts.driver_version, facts.cuda_version, facts.attached_gpus) == (
        "535.129.03",
        "12020",
        2,
    )
    assert facts.details[1] == GpuDetail(
        product_name="NVIDIA A4000",
        fb_memory_usage=Usage(total="16376 MiB", used="5 MiB", free="16371 MiB"),
        bar1_memory_usage=Usage(total="256 MiB", used="1 MiB", free="255 MiB"),
    )


@pytest.mark.parametrize(
    ("gpu", "facts"),
    [
        ({}, GpuFacts()),
        ({"details": None, "attached_gpus": "3"}, GpuFacts(attached_gpus=3)),
        (
            {"details": "x", "attached_gpus": -1, "cuda_version": 12.2},
            GpuFacts(cuda_version="12.2"),
        ),
        (
            {"details": [{}, 1, None, {"product_name": "T4\n", "fb_memory_usage": [1]}]},
            GpuFacts(attached_gpus=1, details=(GpuDetail(product_name="T4"),)),
        ),
    ],
)
def test_partial_facts(gpu: Any, facts: GpuFacts) -> None:
    """Values that are understood count, others are left out."""
    assert gpu_exporter.parse(json.dumps({"gpu": gpu})) == facts


@pytest.mark.parametrize("log", ["", "x", "[]", '{"gpu": 1}', '{"gpu": null}', "[" * 5000, "\x00"])
def test_garbage_tells_nothing(log: str) -> None:
    """Garbage in the log is ignored."""
    assert gpu_exporter.parse(log) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
detail = st.dictionaries(
    st.sampled_from(["product_name", "fb_memory_usage", "bar1_memory_usage"]), json_values
)
gpu_documents = st.dictionaries(
    st.sampled_from(["driver_version", "cuda_version", "attached_gpus", "details"]),
    json_values | st.lists(detail | json_values),
)


@given(gpu_documents)
def test_whatever_the_exporter_says(gpu: Any) -> None:
    """Any output of the exporter becomes facts of bounded size."""
    facts = gpu_exporter.parse(json.dumps({"gpu": gpu}))
    assert facts is None or len(msgspec.json.encode(facts)) < 100_000
