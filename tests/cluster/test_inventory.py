"""The inventory of a real cluster's nodes, and the pods that take of it."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger
from k8s import render
from k8s.api.client import Cluster
from k8s.apply import apply
from k8s.inventory import gpu_exporter, inventory, pod_requests
from k8s.inventory.gpu_exporter import GpuFacts
from k8s.inventory.inventory import Inventory
from k8s.inventory.quantities import ResourceAmounts
from k8s.naming import labels, names
from k8s.workload import Capabilities
from tests.support import workloads

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"
)

FACTS = {
    "gpu": {
        "driver_version": "535.129.03",
        "cuda_version": "12020",
        "attached_gpus": 1,
        "details": [{"product_name": "NVIDIA A4000", "fb_memory_usage": {"total": "16376 MiB"}}],
    }
}


def ours(seen: Inventory, task_id: str) -> list[ResourceAmounts]:
    """The amounts that each pod of a task takes."""
    tenants = (pod for node in seen.nodes for pod in node.tenants)
    return [pod.amounts for pod in tenants if pod.task_id == task_id]


def test_what_is_rendered_is_what_is_taken(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """A task's pods count as they were reserved, Pending ones too, and are where that was."""
    before = inventory.read(cluster, facts={})
    component = workloads.component("web", "sleep 1000")
    missing = replace(component.containers[0], image=f"missing.example/{secrets.token_hex(4)}")
    second = replace(component, name="db", containers=(missing,))
    workload = workloads.of(wallets(), component, second)
    slots = placement.place(
        placement.demands(workload), before, Ledger(), task_id=workload.task_id, revision=1
    )
    workload = placement.steered(workload, before, slots)
    apply.deploy(cluster, workload, Capabilities())
    wanted = list(pod_requests.by_component(render.workload(workload, Capabilities())).values())

    def taken() -> list[ResourceAmounts] | None:
        found = ours(inventory.read(cluster, facts={}), workload.task_id)
        return found if len(found) == len(wanted) else None

    assert workloads.eventually(taken, "both pods are on a node") == wanted
    assert {slot.node for slot in slots} <= {one.name for one in before.schedulable}
    assert wanted[0] == ResourceAmounts(
        cpu_millis=10, memory_bytes=32 << 20, storage_bytes=64 << 20, pods=1
    )
    path = f"/api/v1/namespaces/{names.namespace(workload.wallet)}/pods"
    for pod in cluster.list(path, selector=labels.task_selector(workload.task_id)):
        preferred = pod["spec"]["affinity"]["nodeAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        [fields] = preferred[0]["preference"]["matchFields"]
        assert fields["values"] == [pod["spec"]["nodeName"]]


@pytest.fixture
def exporting(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Starts a pod that stands for the exporter's and prints a text; returns its name."""
    made: list[str] = []

    def start(text: str) -> str:
        name = f"resource-exporter-{secrets.token_hex(4)}"
        manifest: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": gpu_exporter.NAMESPACE,
                "labels": {"app": "resource-exporter"},
            },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [
                    {
                        "name": "exporter",
                        "image": workloads.IMAGE,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", 'echo starting; echo "$TEXT"; sleep 1000'],
                        "env": [{"name": "TEXT", "value": text}],
                    }
                ],
            },
        }
        cluster.apply(f"/api/v1/namespaces/{gpu_exporter.NAMESPACE}/pods/{name}", manifest)
        made.append(name)
        return name

    yield start
    for name in made:
        cluster.delete(f"/api/v1/namespaces/{gpu_exporter.NAMESPACE}/pods/{name}")


def test_what_the_exporter_tells(cluster: Cluster, exporting: Callable[[str], str]) -> None:
    """Facts come from the log of its pod, for the pod's node; garbage is no news."""
    name = exporting('{"gpu": {"details": [')
    path = f"/api/v1/namespaces/{gpu_exporter.NAMESPACE}/pods/{name}"

    def runs() -> bool | None:
        return cluster.get(path)["status"].get("phase") == "Running" or None

    workloads.eventually(runs, "the exporter runs")
    assert all(node.facts is None for node in inventory.read(cluster).nodes)
    exporting(json.dumps(FACTS))

    def told() -> dict[str, GpuFacts] | None:
        return gpu_exporter.read(cluster) or None

    [(node, facts)] = workloads.eventually(told, "the exporter tells").items()
    assert facts == gpu_exporter.parse(json.dumps(FACTS))
    seen = inventory.read(cluster)
    assert next(one for one in seen.nodes if one.name == node).facts == facts
