"""What has to run for a Space that is built from its Dockerfile."""

import pytest

from app import planning
from app.dockerfile import Dockerfile
from k8s import render
from k8s.workload import Gpu, Offer, Port, Resources

HARDWARE = Resources(
    cpu_millis=4000,
    memory_bytes=32 << 30,
    storage_bytes=30 << 30,
    gpu=Gpu(count=2, models=("NVIDIA-A4000",)),
)


def names(space_name: str = "My Space") -> planning.Names:
    """Return names of a Space."""
    return planning.Names(
        task_id="7bbca25b-4f51-4b2a-9cc1-0ee6e4a31e55",
        task_uuid="5a9b4b36-8a5a-4f0b-8f4e-3a1d6c1c2d11",
        space_uuid="0b7a9f94-2d7e-4b36-9d0e-0f3f3a7ad1f2",
        space_name=space_name,
        wallet="0x" + "ab" * 20,
        host="abcdefghij.example.com",
        revision=3,
    )


def test_one_service_with_all_of_the_order() -> None:
    """It is called after the Space, has the image, the port with the host name, and the GPUs."""
    image = "registry.example.com/lagrange/x@sha256:0"
    file = Dockerfile(8080, ("a warning",))
    plan = planning.plan_image(names(), image, file, hardware=HARDWARE)
    [component] = plan.workload.components
    [container] = component.containers
    assert component.name == container.name
    assert container.image == image
    assert container.resources == HARDWARE
    assert container.ports == (
        Port(number=8080, service_port=8080, public="host", hosts=("abcdefghij.example.com",)),
    )
    assert (plan.workload.revision, plan.workload.space_name) == (3, "My Space")
    assert plan.warnings == ("a warning",)


@pytest.mark.parametrize("name", ["web", "My Space", "Ünïcödé", "-", "../..", "x" * 300, "${name}"])
def test_every_name_of_a_space_can_be_rendered(name: str) -> None:
    """Whatever a Space is called, its objects have names, and its own name is kept beside."""
    plan = planning.plan_image(names(name), "image", Dockerfile(80), hardware=None)
    manifests = render.workload(plan.workload, Offer(domain="example.com"))
    kinds = [one["kind"] for one in manifests]
    assert {"Deployment", "Service", "Ingress"} <= set(kinds)
    assert plan.workload.space_name == name
