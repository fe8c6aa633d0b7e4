"""Rendered workloads run on the simulated API server, applied as on a real one."""

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from k8s.api.client import Cluster
from k8s.api.objects import Deployment, Pod
from k8s.apply import apply
from k8s.health import health
from k8s.naming import labels
from k8s.workload import Capabilities, Component, Container, Gpu, Port, Resources, Volume, Workload

SMALL = Resources(cpu_millis=100, memory_bytes=64 << 20, storage_bytes=1 << 30)
TASK = "6f1c1f0a-0a4e-4d0e-9c39-0d5a0d2a8b11"
NAMESPACE = "ns-0x00000000000000000000000000000000000000aa"


def workload(*, image: str = "nginx", revision: int = 1) -> Workload:
    """A web server with a GPU, and a database with a volume that outlives it."""
    web = Container(
        name="web",
        image=image,
        resources=Resources(
            cpu_millis=500, memory_bytes=1 << 30, storage_bytes=1 << 30, gpu=Gpu(count=1)
        ),
        ports=(Port(number=80, service_port=80, public="host", hosts=("a.example.com",)),),
    )
    database = Container(
        name="db",
        image="redis",
        resources=SMALL,
        ports=(Port(number=6379, service_port=6379, clients=("web",)),),
    )
    data = Volume(name="data", size_bytes=1 << 30, kind="claim", storage_class="standard")
    return Workload(
        task_id=TASK,
        space_uuid="1d2c3b4a-0a4e-4d0e-9c39-0d5a0d2a8b11",
        space_name="A space",
        wallet="0x00000000000000000000000000000000000000aa",
        revision=revision,
        components=(
            Component(name="web", containers=(web,), replicas=2),
            Component(name="db", containers=(database,), volumes=(data,)),
        ),
    )


def look(cluster: Cluster, revision: int) -> health.Health:
    """The workload's health."""
    selector = labels.task_selector(TASK)
    pods = cluster.list("/api/v1/pods", selector=selector)
    deployments = cluster.list("/apis/apps/v1/deployments", selector=selector)
    return health.assess(
        [msgspec.convert(one, Pod) for one in pods],
        [msgspec.convert(one, Deployment) for one in deployments],
        components={"web": 2, "db": 1},
        revision=revision,
        now=datetime.now(UTC),
    )


def until(cluster: Cluster, revision: int) -> health.Health:
    """The first verdict that says something."""
    deadline = time.monotonic() + 15
    while True:
        found = look(cluster, revision)
        if found.ready or found.problem:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.fixture
def cluster(simulated: Any) -> Cluster:
    """The simulated one."""
    found: Cluster = simulated.cluster
    return found


def test_life_of_workload(cluster: Cluster) -> None:
    """It comes up, fails to be replaced by a broken version, and leaves nothing."""
    capabilities = Capabilities(domain="example.com", storage_classes={"*": "standard"})
    apply.deploy(cluster, workload(), capabilities)
    assert until(cluster, 1) == health.Health(ready=True, problem=None)
    apply.deploy(cluster, workload(image="nginx:missing", revision=2), capabilities)
    failed = until(cluster, 2)
    assert failed.problem is not None
    assert failed.problem.category is health.Category.IMAGE_PULL
    assert look(cluster, 1).ready is False, "the database has been replaced"
    apply.remove(cluster, namespace=NAMESPACE, task_id=TASK)
    deadline = time.monotonic() + 10
    while cluster.list("/api/v1/pods", selector=labels.task_selector(TASK)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
