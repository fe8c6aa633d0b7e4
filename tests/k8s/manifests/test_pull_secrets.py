"""Images for which a pod gets the operator's credentials."""

from dataclasses import replace

import pytest

from k8s import render
from k8s.manifests import pull_secrets
from k8s.workload import Capabilities, Component, Container, Resources, Workload

SPACE = "4f1e7a52-58a4-4e0d-9f0e-1f51d3bb8a11"
OTHER = "5b444d14-7b30-4620-b16b-cbe801fa5792"
DIGEST = "sha256:" + "ab" * 32
PLACE = "registry.example.com:5000/team/lagrange"
RESOURCES = Resources(cpu_millis=10, memory_bytes=1 << 20, storage_bytes=1 << 20)


def workload(image: str) -> Workload:
    """A Space of one service."""
    container = Container(name="web", image=image, resources=RESOURCES)
    return Workload(
        task_id=OTHER,
        space_uuid=SPACE,
        space_name="a Space",
        wallet="0x" + "ab" * 20,
        components=(Component(name="web", containers=(container,)),),
    )


def named(image: str, capabilities: Capabilities) -> list[dict[str, str]]:
    """Return the Secrets that the pods of a workload with this image name."""
    [deployment] = [
        manifest
        for manifest in render.workload(workload(image), capabilities)
        if manifest["kind"] == "Deployment"
    ]
    secrets: list[dict[str, str]] = deployment["spec"]["template"]["spec"].get(
        "imagePullSecrets", []
    )
    return secrets


@pytest.mark.parametrize("rest", [f"{SPACE}@{DIGEST}", f"text_to_image:v1.0@{DIGEST}"])
def test_own_images(rest: str) -> None:
    """Pods that run what was built for the Space, or by the operator, name the Secret."""
    capabilities = Capabilities(private_images=PLACE)
    assert named(f"{PLACE}/{rest}", capabilities) == [{"name": pull_secrets.NAME}]
    assert pull_secrets.is_needed(workload(f"{PLACE}/{rest}"), capabilities)


@pytest.mark.parametrize(
    "image",
    [
        f"{PLACE}/{OTHER}@{DIGEST}",
        f"{PLACE}/{OTHER.upper()}:tag",
        f"{PLACE}/{OTHER}/{SPACE}@{DIGEST}",
        f"{PLACE}/{SPACE}:tag",
        f"{PLACE}-2/{SPACE}@{DIGEST}",
        f"registry.example.com:5000/team/secret/{SPACE}@{DIGEST}",
        f"docker.io/{PLACE}/{SPACE}@{DIGEST}",
        "nginx:1.27",
    ],
)
def test_others_images(image: str) -> None:
    """A file that names another Space's image does not get it pulled with the credentials."""
    capabilities = Capabilities(private_images=PLACE)
    assert named(image, capabilities) == []
    assert not pull_secrets.is_needed(workload(image), capabilities)


@pytest.mark.parametrize(
    "beside",
    [f"{PLACE}/{OTHER}@{DIGEST}", "Registry.Example.com:5000/anything:latest"],
)
def test_beside_others_images(beside: str) -> None:
    """Credentials apply to a whole pod: one image that they are not for, and the pod gets none."""
    capabilities = Capabilities(private_images=PLACE)
    space = workload(f"{PLACE}/{SPACE}@{DIGEST}")
    [component] = space.components
    [own] = component.containers
    for image, needed in ((beside, False), ("nginx", True)):
        containers = (own, replace(own, name="second", image=image))
        both = replace(space, components=(replace(component, containers=containers),))
        assert pull_secrets.is_needed(both, capabilities) is needed


def test_docker_hub() -> None:
    """An image that names no registry is Docker Hub's."""
    capabilities = Capabilities(private_images="docker.io/team/lagrange")
    space = workload(f"docker.io/team/lagrange/{SPACE}@{DIGEST}")
    assert pull_secrets.is_needed(space, capabilities)
    [component] = space.components
    [own] = component.containers
    for image in ("team/secret", "index.docker.io/team/secret", "nginx"):
        containers = (own, replace(own, name="second", image=image))
        both = replace(space, components=(replace(component, containers=containers),))
        assert not pull_secrets.is_needed(both, capabilities)


def test_a_registry_without_credentials() -> None:
    """Nothing is named where none are needed."""
    assert named(f"{PLACE}/{SPACE}@{DIGEST}", Capabilities()) == []
    assert named(f"/{SPACE}@{DIGEST}", Capabilities()) == []


def test_the_secret_changes_with_each_deployment() -> None:
    """So that who would remove it notices that it is needed anew; its content is not shown."""
    credentials = pull_secrets.Credentials(b'{"auths": {"x": {"auth": "hunter2"}}}')
    first = workload("nginx")
    again = replace(first, revision=first.revision + 1)
    assert pull_secrets.secret(first, credentials) == pull_secrets.secret(first, credentials)
    assert pull_secrets.secret(first, credentials) != pull_secrets.secret(again, credentials)
    assert "hunter2" not in repr(credentials)
