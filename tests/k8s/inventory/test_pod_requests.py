"""What pods take of their nodes, as the scheduler counts."""

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
    """What a pod of this spec takes."""
    return pod_requests.effective(msgspec.convert({"metadata": {}, "spec": spec}, InventoryPod))


def test_containers_add_up() -> None:
    """To the thousandth of a core, GPUs included."""
    found = taken(containers=[container(cpu="100m", gpu="1"), container(cpu="33m", gpu="2")])
    assert found == ResourceAmounts(cpu_millis=133, gpus=3, pods=1)


def test_the_largest_init_container_counts_when_it_is_larger() -> None:
    """They run one after the other, before the others."""
    init = [container(cpu="3", memory="1Mi"), container(cpu="1", memory="8Mi")]
    found = taken(initContainers=init, containers=[container(cpu="2", memory="4Mi")])
    assert found == ResourceAmounts(cpu_millis=3000, memory_bytes=8 << 20, pods=1)


def test_sidecars_stay_beside_what_starts_after_them() -> None:
    """A restartable init container counts with the containers and with later init containers."""
    init = [container(cpu="5"), container("Always", cpu="2"), container(cpu="4")]
    assert taken(initContainers=init, containers=[container(cpu="1")]).cpu_millis == 6000
    assert taken(initContainers=init, containers=[container(cpu="7")]).cpu_millis == 9000


def test_overhead_comes_on_top() -> None:
    """A RuntimeClass's own share."""
    found = taken(containers=[container(cpu="1")], overhead={"cpu": "250m", "memory": "1Mi"})
    assert found == ResourceAmounts(cpu_millis=1250, memory_bytes=1 << 20, pods=1)


def test_requests_of_the_pod_as_a_whole() -> None:
    """Take the place of the containers' sum, for what they name."""
    whole = {"requests": {"cpu": "3"}}
    found = taken(containers=[container(cpu="1", memory="5Mi")], resources=whole)
    assert found == ResourceAmounts(cpu_millis=3000, memory_bytes=5 << 20, pods=1)


def test_a_limit_stands_for_a_request_that_is_left_out() -> None:
    """As the API server fills it in."""
    limited = {"resources": {"limits": {"cpu": "2", "memory": "1Mi"}, "requests": {"cpu": "1"}}}
    assert taken(containers=[limited]) == ResourceAmounts(
        cpu_millis=1000, memory_bytes=1 << 20, pods=1
    )


def test_containers_may_ask_for_nothing() -> None:
    """They take a pod's place all the same."""
    assert taken(containers=[{}, {"resources": {}}, {"resources": None}]) == ResourceAmounts(pods=1)


@pytest.mark.parametrize("name", ["everything", "single", "hostile"])
def test_what_is_rendered_takes_what_the_workload_says(name: str) -> None:
    """The sum of a component's containers is what its Deployment's pods take."""
    stored = ROOT / "tests" / "k8s" / "workloads" / f"{name}.json"
    workload = msgspec.json.decode(stored.read_bytes(), type=Workload)
    capabilities = Capabilities(node_ports=True, load_balancers=True, storage_classes={"*": ""})
    found = pod_requests.by_component(render.workload(workload, capabilities))
    assert len(found) == len(workload.components)
    for component, amounts in zip(workload.components, found.values(), strict=True):
        resources = [one.resources for one in component.containers]
        assert amounts.cpu_millis == sum(one.cpu_millis for one in resources)
        assert amounts.memory_bytes == sum(one.memory_bytes for one in resources)
        assert amounts.storage_bytes == sum(one.storage_bytes for one in resources)
        assert amounts.gpus == sum(one.gpu.count for one in resources if one.gpu)
