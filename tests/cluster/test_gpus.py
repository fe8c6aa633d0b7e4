"""Jobs for GPUs on a real scheduler, on a node whose pods only seem to run."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.demo.fake_lagrange import Job
from k8s.api.client import Cluster
from k8s.inventory import inventory
from k8s.inventory.quantities import ResourceAmounts
from k8s.naming import labels, names
from tests.support import cluster_program
from tests.support.provider import Provider, running
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.timeout(240),
]

HARDWARE = "Nvidia RTX {model} · 1 vCPU · 1 GiB"
DEPLOY = """
version: "2.0"
services:
  train: {image: train:1}
  serve:
    image: serve:1
    expose: [{port: 80, to: [{global: true}]}]
profiles:
  compute:
    half:
      resources:
        cpu: {units: 100m}
        memory: {size: 64Mi}
        storage: {size: 64Mi}
        gpu: {units: 2, attributes: {vendor: {nvidia: [{model: MODEL}]}}}
deployment:
  train: {lagrange: {profile: half, count: 1}}
  serve: {lagrange: {profile: half, count: 1}}
"""


@pytest.fixture
def model(cluster: Cluster) -> Iterator[str]:
    """A GPU model of which one node, tainted as such nodes are, has five; others have none."""
    model = f"A{secrets.randbelow(90000) + 10000}"
    name = f"gpu-{model.lower()}"
    has = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "nvidia.com/gpu": "5"}
    node: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {f"NVIDIA-{model}": "true"},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
    }
    path = f"/api/v1/nodes/{name}"
    cluster.apply(path, node)
    cluster.apply(
        f"{path}/status", node | {"status": {"allocatable": {**has, "pods": "50"}, "capacity": has}}
    )
    try:
        if not _becomes_ready(cluster, name):
            cluster_program.prepare(
                *("fake-nodes", "1", "--taint"), needs="kwok, which plays nodes without a kubelet"
            )
            assert _becomes_ready(cluster, name)
        yield model
    finally:
        cluster.delete(path)


def _becomes_ready(cluster: Cluster, name: str) -> bool:
    """Wait some seconds for whoever plays the kubelet."""

    def ready() -> bool:
        nodes = {node.name: node for node in inventory.read(cluster).nodes}
        return name in nodes and nodes[name].admits(ResourceAmounts(gpus=5))

    with suppress(AssertionError):
        eventually("the node is ready", ready, seconds=15)
        return True
    return False


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    """A provider on the cluster that KUBECONFIG names."""
    with running(tmp_path / "provider", Kubeconfig=os.environ["KUBECONFIG"]) as found:
        yield found


def ordered(provider: Provider, folder: Path, model: str, wallet: str) -> Job:
    """A job of two pods, each of which needs two GPUs of the model."""
    folder.mkdir(exist_ok=True)
    (folder / "deploy.yaml").write_text(DEPLOY.replace("MODEL", model.lower()))
    hardware = HARDWARE.format(model=model)
    space = provider.lagrange.add_space(folder, wallet=wallet, hardware=hardware, gpus=4)
    job = provider.lagrange.job(space, 900)
    answer = provider.lagrange.assign(provider.url, job)
    assert answer.status == 202, answer.body
    return job


def test_gpus_are_sold_once(
    provider: Provider, cluster: Cluster, wallets: Callable[[], str], tmp_path: Path, model: str
) -> None:
    """Both pods run on the node with the GPUs; who comes next is told what is left."""
    wallet = wallets()
    job = ordered(provider, tmp_path / "first", model, wallet)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    path = f"/api/v1/namespaces/{names.namespace(wallet)}/pods"
    pods = cluster.list(path, selector=labels.task_selector(provider.task(job).id))
    assert {pod["spec"]["nodeName"] for pod in pods} == {f"gpu-{model.lower()}"}
    limits = [one["resources"]["limits"] for pod in pods for one in pod["spec"]["containers"]]
    assert [one["nvidia.com/gpu"] for one in limits] == ["2", "2"]
    late = ordered(provider, tmp_path / "second", model, wallets())
    failed = provider.lagrange.wait_for(late.uuid, "failed", timeout_seconds=30)
    why = f"no_room: needs 2 × NVIDIA-{model}, 1 free on node gpu-{model.lower()}"
    assert failed.body["reason"] == why
