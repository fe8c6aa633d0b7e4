"""Effective requests of pods, counted as the scheduler counts them."""

from typing import Any

import msgspec
import pytest

from k8s import render
from k8s.inventory import pod_requests
from k8s.inventory.pod_requests import InventoryPod
from k8s.inventory.quantities import ResourceAmounts
from k8s.workload import Capabilities, Workload
from tests.support.documents import ROOT


def container(restart: str = "", **requests: str) -> dict[str, Any]:
    """A container that asks for these; `gpu` is NVIDIA's."""
    named = {name.replace("gpu", "nvidia.com/gpu"): amount for name, amount in requests.items()}
    return {"resources": {"requests": named}, **({"restartPolicy": restart} if restart else {})}


def taken(**spec: Any) -> ResourceAmounts:
    """Return the effective request of a pod with this spec."""
    return pod_requests.effective(msgspec.convert({"metadata": {}, "spec": spec}, InventoryPod))


def test_containers_add_up() -> None:
    """Requests of containers add up to the thousandth of a core, GPUs included."""
    request = taken(containers=[container(cpu="100m", gpu="1"), container(cpu="33m", gpu="2")])
    assert request == ResourceAmounts(cpu_millis=133, gpus=3, pods=1)


def test_the_largest_init_container_counts_when_it_is_larger() -> None:
    """Init containers run one after the other, before the others."""
    init = [container(cpu="3", memory="1Mi"), container(cpu="1", memory="8Mi")]
    request = taken(initContainers=init, containers=[container(cpu="2", memory="4Mi")])
    assert request == ResourceAmounts(cpu_millis=3000, memory_bytes=8 << 20, pods=1)


def test_sidecars_stay_beside_what_starts_after_them() -> None:
    """A restartable init container counts with the containers and with later init containers."""
    init = [container(cpu="5"), container("Always", cpu="2"), container(cpu="4")]
    assert taken(initContainers=init, containers=[container(cpu="1")]).cpu_millis == 6000
    assert taken(initContainers=init, containers=[container(cpu="7")]).cpu_millis == 9000


def test_overhead_comes_on_top() -> None:
    """The overhead of a RuntimeClass comes on top."""
    request = taken(containers=[container(cpu="1")], overhead={"cpu": "250m", "memory": "1Mi"})
    assert request == ResourceAmounts(cpu_millis=1250, memory_bytes=1 << 20, pods=1)


def test_requests_of_the_pod_as_a_whole() -> None:
    """Requests of the pod replace the sum of its containers, for the resources named."""
    whole = {"requests": {"cpu": "3"}}
    request = taken(containers=[container(cpu="1", memory="5Mi")], resources=whole)
    assert request == ResourceAmounts(cpu_millis=3000, memory_bytes=5 << 20, pods=1)


def test_a_limit_stands_for_a_request_that_is_left_out() -> None:
    """A missing request equals the limit, as the API server fills it in."""
    limited = {"resources": {"limits": {"cpu": "2", "memory": "1Mi"}, "requests": {"cpu": "1"}}}
    assert taken(containers=[limited]) == ResourceAmounts(
        cpu_millis=1000, memory_bytes=1 << 20, pods=1
    )


def test_containers_may_ask_for_nothing() -> None:
    """Containers without requests still count as one pod."""
    assert taken(containers=[{}, {"resources": {}}, {"resources": None}]) == ResourceAmounts(pods=1)


@pytest.mark.parametrize("name", ["everything", "single", "hostile"])
def test_what_is_rendered_takes_what_the_workload_says(name: str) -> None:
    """The sum of a component's containers is what its Deployment's pods take."""
    stored = ROOT / "tests" / "k8s" / "workloads" / f"{name}.json"
    workload = msgspec.json.decode(stored.read_bytes(), type=Workload)
    capabilities = Capabilities(node_ports=True, load_balancers=True, storage_classes={"*": ""})
    requests = pod_requests.by_component(render.workload(workload, capabilities))
    assert len(requests) == len(workload.components)
    for component, amounts in zip(workload.components, requests.values(), strict=True):
        resources = [c.resources for c in component.containers]
        assert amounts.cpu_millis == sum(r.cpu_millis for r in resources)
        assert amounts.memory_bytes == sum(r.memory_bytes for r in resources)
        assert amounts.storage_bytes == sum(r.storage_bytes for r in resources)
        assert amounts.gpus == sum(r.gpu.count for r in resources if r.gpu)
