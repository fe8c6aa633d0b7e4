"""Conversion of v0.3.0 Deployments into components."""

from typing import Any

import pytest

from k8s.legacy import convert
from k8s.workload import Gpu, Resources

SPACE = "0b7a9f94-2d7e-4b36-9d0e-0f3f3a7ad1f2"
NAMES = convert.LegacyNames(space_uuid=SPACE, space_name="My Space", host="a.example.com")
HARDWARE = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "30Gi", "nvidia.com/gpu": "1"}


def spec() -> dict[str, Any]:
    """Return the spec of a Deployment that v0.3.0 made of LDL."""
    main = {
        "name": f"{SPACE}-web",
        "image": "web:1",
        "command": ["serve"],
        "args": ["--all"],
        "env": [
            {"name": "A", "value": "b=c"},
            {"name": "job_uuid", "value": "x"},
            {"name": "EMPTY"},
        ],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}, {"containerPort": 53}],
        "resources": {"limits": HARDWARE, "requests": HARDWARE},
        "volumeMounts": [{"name": f"{SPACE}-app", "mountPath": "/etc/app/"}],
    }
    sidecar = {
        "name": f"{SPACE}-db",
        "image": "db:1",
        "resources": {},
        "readinessProbe": {"exec": {"command": ["ready"]}},
    }
    pod = {
        "containers": [sidecar, main],
        "nodeSelector": {"NVIDIA-A4000": "true"},
        "volumes": [{"name": f"{SPACE}-app", "configMap": {"name": f"{SPACE}-app"}}],
    }
    return {"replicas": 1, "template": {"spec": pod}}


def test_ldl() -> None:
    """Services have their names, what they run, their files, and the hardware of the order."""
    maps = {f"{SPACE}-app": {"app.ini": "x"}}
    component = convert.component(spec(), NAMES, port=8080, config_maps=maps)
    sidecar, main = component.containers
    assert (component.name, component.replicas, sidecar.name, main.name) == ("web", 1, "db", "web")
    assert (main.command, main.args) == (("serve",), ("--all",))
    assert main.env == (("A", "b=c"), ("EMPTY", ""))
    assert [(port.number, port.public, port.hosts) for port in main.ports] == [
        (8080, "host", ("a.example.com",)),
        (53, None, ()),
    ]
    assert [(file.name, file.path, file.content) for file in main.files] == [
        ("app.ini", "/etc/app/app.ini", b"x")
    ]
    assert main.resources == Resources(
        cpu_millis=2000,
        memory_bytes=4 << 30,
        storage_bytes=30 << 30,
        gpu=Gpu(count=1, models=("NVIDIA-A4000",)),
    )
    assert sidecar.ready_command == ("ready",)
    assert sidecar.resources == Resources(
        cpu_millis=500, memory_bytes=512 << 20, storage_bytes=1 << 30
    )


def test_a_dockerfile() -> None:
    """The one service is called as our own build of the same Space would be."""
    given = spec()
    [*_, main] = given["template"]["spec"]["containers"]
    given["template"]["spec"]["containers"] = [{**main, "name": f"pod-{SPACE}"}]
    component = convert.component(given, NAMES, port=0, config_maps={})
    assert component.name == "my-space-42e6cdb2"
    assert component.containers[0].ports[0].public == "host"


@pytest.mark.parametrize("part", ["template", "containers", "image", "ports"])
def test_what_v030_never_wrote(part: str) -> None:
    """A Deployment of another shape is an error, and no guess."""
    given = spec()
    pod = given["template"]["spec"]
    if part == "template":
        del given["template"]
    elif part == "containers":
        pod["containers"] = []
    else:
        del pod["containers"][1][part]
    with pytest.raises((AttributeError, LookupError, TypeError, ValueError)):
        convert.component(given, NAMES, port=0, config_maps={})
