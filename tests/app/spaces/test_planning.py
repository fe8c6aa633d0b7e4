"""Tests of planning: the workload of a Space, from its files, image or model."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.spaces import planning
from app.spaces.dockerfile import Dockerfile
from app.spaces.inference import ModelDescription
from k8s import render
from k8s.workload import Capabilities, Gpu, Mount, Port, Resources
from tests.support import spaces

HARDWARE = Resources(
    cpu_millis=4000,
    memory_bytes=32 << 30,
    storage_bytes=30 << 30,
    gpu=Gpu(count=2, models=("NVIDIA-A4000",)),
)


def names(space_name: str = "My Space") -> planning.WorkloadNames:
    """Return names of a Space."""
    return planning.WorkloadNames(
        task_id="7bbca25b-4f51-4b2a-9cc1-0ee6e4a31e55",
        task_uuid="5a9b4b36-8a5a-4f0b-8f4e-3a1d6c1c2d11",
        space_uuid="0b7a9f94-2d7e-4b36-9d0e-0f3f3a7ad1f2",
        space_name=space_name,
        wallet="0x" + "ab" * 20,
        host="abcdefghij.example.com",
        revision=3,
    )


def test_one_service_with_all_of_the_order() -> None:
    """It is named after the Space and gets the image, the port with the host name, and the GPUs."""
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


def test_a_model_gets_all_of_the_order() -> None:
    """Its image gets the model and the task; its cache is a part of the ordered storage."""
    model = ModelDescription("openai/whisper-tiny", "transformers", "automatic-speech-recognition")
    plan = planning.plan_model(names(), model, "an image", hardware=HARDWARE, cache_bytes=20 << 30)
    [component] = plan.workload.components
    [container] = component.containers
    assert (container.image, container.resources) == ("an image", HARDWARE)
    assert dict(container.env) == {
        "TASK": "automatic-speech-recognition",
        "MODEL_ID": "openai/whisper-tiny",
        "HF_HOME": "/data",
        "HUGGINGFACE_HUB_CACHE": "/data",
    }
    assert container.ports == (
        Port(number=80, service_port=80, public="host", hosts=("abcdefghij.example.com",)),
    )
    assert [(volume.name, volume.size_bytes) for volume in component.volumes] == [
        ("cache", 20 << 30)
    ]
    assert container.mounts == (Mount(volume="cache", path="/data"),)
    assert plan.workload.result_url == "abcdefghij.example.com"


def test_a_cache_is_no_larger_than_the_order() -> None:
    """The operator's limit is bounded by the ephemeral storage of the order."""
    model = ModelDescription("x", "transformers", "text-generation")
    hardware = replace(HARDWARE, storage_bytes=5 << 30)
    plan = planning.plan_model(names(), model, "an image", hardware=hardware, cache_bytes=20 << 30)
    assert plan.workload.components[0].volumes[0].size_bytes == 5 << 30


@pytest.mark.parametrize("name", ["web", "My Space", "Ünïcödé", "-", "../..", "x" * 300, "${name}"])
def test_every_name_of_a_space_can_be_rendered(name: str) -> None:
    """Whatever a Space's name, its objects get valid names, and its own name is kept."""
    plan = planning.plan_image(names(name), "image", Dockerfile(80), hardware=None)
    manifests = render.workload(plan.workload, Capabilities(domain="example.com"))
    kinds = [manifest["kind"] for manifest in manifests]
    assert {"Deployment", "Service", "Ingress"} <= set(kinds)
    assert plan.workload.space_name == name


def test_every_service_has_a_deployment_of_its_own(tmp_path: Path) -> None:
    """It has the replicas of the file, under a name of its own."""
    text = b"""
services:
  web: {image: "nginx:1", expose: [{port: 80, to: [{global: true}]}]}
  api: {image: "node:22", expose: [{port: 3000, to: [{service: web}]}]}
deployment:
  web: {lagrange: {count: 3}}
  api: {lagrange: {count: 2}}
"""
    files = spaces.stored(tmp_path / "files", {"deploy.yaml": text})
    plan = planning.plan(names(), files, "deploy.yaml", hardware=None, capabilities=Capabilities())
    replicas = {
        manifest["metadata"]["name"]: manifest["spec"]["replicas"]
        for manifest in render.workload(plan.workload, Capabilities())
        if manifest["kind"] == "Deployment"
    }
    space = names().space_uuid
    assert replicas == {f"deploy-{space}": 3, f"deploy-{space}-api": 2}
