"""The bodies of reports, word for word."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.admission.reservations.free import free
from app.admission.reservations.ledger import Ledger, Slot
from app.lagrange import report_payloads
from k8s.inventory.gpu_exporter import GpuDetail, GpuFacts, Usage
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts

PROVIDER = report_payloads.Provider(
    name="cp-1", node_id="04ab", multi_address="/ip4/192.0.2.7/tcp/8085", region="Quebec-CA"
)
GIB = 1 << 30


def node(**fields: object) -> Node:
    """Return a node."""
    found = {
        "name": "node-1",
        "machine_id": "7f3a",
        "architecture": "amd64",
        "allocatable": ResourceAmounts(
            cpu_millis=64000, memory_bytes=int(62.351 * GIB), storage_bytes=900 * GIB, gpus=2
        ),
        "used_by_others": ResourceAmounts(
            cpu_millis=1250, memory_bytes=GIB, storage_bytes=0, gpus=1
        ),
    }
    return Node(**(found | fields))  # type: ignore[arg-type]  # whatever a test says.


def told(one: Node) -> Any:
    """Return the report of a node with everything free that is not used."""
    free = {} if one.withheld else {one.name: one.allocatable - one.used}
    return report_payloads.resources(PROVIDER, Inventory(nodes=(one,)), free)


def test_a_registration_and_a_heartbeat() -> None:
    """Their fields are v0.3.0's, the wallet address a number; a heartbeat is always Active."""
    assert json.dumps(report_payloads.registration(PROVIDER, "Inactive")) == (
        '{"name": "cp-1", "node_id": "04ab", "multi_address": "/ip4/192.0.2.7/tcp/8085",'
        ' "autobid": 1, "wallet_address": 0, "status": "Inactive"}'
    )
    assert report_payloads.heartbeat(PROVIDER) == {"node_id": "04ab", "status": "Active"}


def test_the_resources_of_a_cluster() -> None:
    """A summary has the shapes and the words of v0.3.0, GPUs as their driver reports them."""
    usage = Usage(total="16376 MiB", used="0 MiB", free="16376 MiB")
    gpu = GpuDetail(product_name="NVIDIA A4000", fb_memory_usage=usage)
    facts = GpuFacts(
        driver_version="535.1", cuda_version="12.2", attached_gpus=2, details=(gpu, gpu)
    )
    nothing = {"total": "", "used": "", "free": ""}
    cores = {"total": "64", "used": "2", "free": "62"}
    detail = {
        "product_name": "NVIDIA A4000",
        "fb_memory_usage": {"total": "16376 MiB", "used": "0 MiB", "free": "16376 MiB"},
        "bar1_memory_usage": nothing,
    }
    assert told(node(facts=facts)) == {
        "node_id": "04ab",
        "region": "Quebec-CA",
        "cluster_info": [
            {
                "machine_id": "7f3a",
                "model": "amd64",
                "cpu": cores,
                "vcpu": cores,
                "memory": {"total": "62.35 GiB", "used": "1.00 GiB", "free": "61.35 GiB"},
                "gpu": {
                    "driver_version": "535.1",
                    "cuda_version": "12.2",
                    "attached_gpus": 2,
                    "details": [detail | {"status": "occupied"}, detail | {"status": "available"}],
                },
                "storage": {"total": "900.00 GiB", "used": "0.00 GiB", "free": "900.00 GiB"},
            }
        ],
    }


def test_gpus_without_an_exporter() -> None:
    """GPUs are reported by their label without an exporter; a node without GPUs has none."""
    gpu = told(node(products=(("NVIDIA-A4000", 2),)))["cluster_info"][0]["gpu"]
    assert (gpu["driver_version"], gpu["attached_gpus"]) == ("", 2)
    assert [(one["product_name"], one["status"]) for one in gpu["details"]] == [
        ("NVIDIA A4000", "occupied"),
        ("NVIDIA A4000", "available"),
    ]
    bare = told(node(allocatable=ResourceAmounts()))
    assert bare["cluster_info"][0]["gpu"]["details"] == []


def test_gpus_that_the_exporter_leaves_out() -> None:
    """An exporter that reports one GPU of two does not hide the other."""
    facts = GpuFacts(attached_gpus=1, details=(GpuDetail(product_name="NVIDIA RTX A4000"),))
    gpu = told(node(facts=facts, products=(("NVIDIA-A4000", 2),)))["cluster_info"][0]["gpu"]
    assert gpu["attached_gpus"] == 2
    assert [(one["product_name"], one["status"]) for one in gpu["details"]] == [
        ("NVIDIA RTX A4000", "occupied"),
        ("NVIDIA A4000", "available"),
    ]


def test_what_is_reserved_is_reported_as_used() -> None:
    """The reported free resources are those of `reservations.free`: all that a job can get."""
    amounts = ResourceAmounts(cpu_millis=2750, memory_bytes=GIB, gpus=1, pods=1)
    slot = Slot(name="x", component="web", node="node-1", amounts=amounts)
    seen = Inventory(nodes=(node(products=(("NVIDIA-A4000", 2),)), node(name="n", withheld="x")))
    left = free(seen, Ledger({"task:1": (slot,)}))
    one, other = report_payloads.resources(PROVIDER, seen, left)["cluster_info"]
    assert left["node-1"].cpu_millis == 60000
    assert one["cpu"] == {"total": "64", "used": "4", "free": "60"}
    assert one["memory"] == {"total": "62.35 GiB", "used": "2.00 GiB", "free": "60.35 GiB"}
    assert {one["status"] for one in one["gpu"]["details"]} == {"occupied"}
    assert other["cpu"]["free"] == "0"


def test_a_node_that_tenants_do_not_get_to() -> None:
    """A cordoned node is reported with nothing free."""
    (machine,) = told(node(withheld="cordoned"))["cluster_info"]
    assert machine["cpu"] == {"total": "64", "used": "64", "free": "0"}
    assert machine["memory"]["free"] == "0.00 GiB"


@given(total=st.integers(0, 10**6), used=st.integers(0, 2 * 10**6))
def test_cores_add_up(total: int, used: int) -> None:
    """Whole cores: total is used and free together, and no part of a core is sold as one."""
    one = node(
        allocatable=ResourceAmounts(cpu_millis=total),
        used_by_others=ResourceAmounts(cpu_millis=used),
    )
    cpu = told(one)["cluster_info"][0]["cpu"]
    cores = {part: int(text) for part, text in cpu.items()}
    assert cores["total"] == cores["used"] + cores["free"] == total // 1000
    assert 0 <= cores["free"] * 1000 <= max(total - used, 0)
