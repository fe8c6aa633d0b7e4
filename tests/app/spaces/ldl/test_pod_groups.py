"""Tests of pod groups: the services that share a pod, and their order."""

from collections.abc import Callable

import pytest

from app.spaces.ldl import Deployment

Read = Callable[..., Deployment]
Lines = Callable[..., list[str]]


def file(services: str, deployment: str = "{}") -> str:
    """A file with these services and this `deployment`."""
    return f'version: "2.0"\nservices: {services}\ndeployment: {deployment}\n'


def test_dependencies_share_the_pod_in_their_order(read: Read) -> None:
    """Transitively too; the pod is named after the service that no other depends on."""
    text = file(
        "{alone: {image: a}, web: {image: a, depends-on: [api]}, db: {image: a}, "
        "api: {image: a, depends-on: [db]}}"
    )
    alone, shared = read(text).components
    assert alone.name == "alone"
    assert shared.name == "web"
    assert [container.name for container in shared.containers] == ["db", "api", "web"]


def test_a_dependency_runs_although_it_is_not_deployed(read: Read) -> None:
    """With as many replicas as the service that needs it."""
    text = file(
        "{web: {image: a, depends-on: [db]}, db: {image: a}}", "{web: {lagrange: {count: 2}}}"
    )
    (component,) = read(text).components
    assert component.replicas == 2
    assert [container.name for container in component.containers] == ["db", "web"]


@pytest.mark.parametrize(
    ("services", "deployment", "path"),
    [
        ("{a: {image: a, depends-on: [a]}}", "{}", "services.a.depends-on"),
        ("{a: {image: a, depends-on: [b]}}", "{}", "services.a.depends-on"),
        (
            "{a: {image: a, depends-on: [b]}, b: {image: a, depends-on: [a]}}",
            "{}",
            "services.a.depends-on",
        ),
        (
            "{a: {image: a, depends-on: [b]}, b: {image: a}}",
            "{a: {x: {count: 2}}, b: {x: {count: 1}}}",
            "deployment.b.x.count",
        ),
        (
            (
                "{a: {image: a, depends-on: [b], expose: [{port: 80}]}, "
                "b: {image: a, expose: [{port: 80, as: 81}]}}"
            ),
            "{}",
            "services.a.expose[0].port",
        ),
    ],
)
def test_contradictory_pods_are_refused(
    refusals: Lines, services: str, deployment: str, path: str
) -> None:
    """Cycles, unknown services, and counts and ports that conflict."""
    assert path in [line.split(": ")[0] for line in refusals(file(services, deployment))]


def test_volumes_of_one_pod_have_different_names(read: Read) -> None:
    """Two services may give their storages the same name."""
    service = "image: a, params: {storage: {data: {mount: /data}}}"
    resources = "{resources: {storage: [{name: data, size: 1Gi}]}}"
    text = (
        f"services: {{a: {{{service}, depends-on: [b]}}, b: {{{service}}}}}\n"
        f"profiles: {{compute: {{a: {resources}, b: {resources}}}}}\n"
    )
    (component,) = read(text).components
    names = [volume.name for volume in component.volumes]
    assert len(set(names)) == 2
    assert [
        mount.volume for container in component.containers for mount in container.mounts
    ] == names
