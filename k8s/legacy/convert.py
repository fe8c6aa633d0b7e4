"""Conversion of a v0.3.0 Deployment into a component, as if it were deployed again. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from k8s.inventory import gpus, quantities
from k8s.naming import names
from k8s.workload import Component, Container, File, Gpu, Port, Resources

_Document = Mapping[str, Any]

# v0.3.0 set no resources on services that others depend on; the tenants' LimitRange sets these.
_DEFAULT_RESOURCES = {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "1Gi"}
_PROVIDER_VARIABLES = {"space_uuid", "space_name", "result_url", "job_uuid", "wallet_address"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyNames:
    """The Space's names, and the host name that routes to it."""

    space_uuid: str
    space_name: str
    host: str


def component(
    spec: _Document, space: LegacyNames, *, port: int, config_maps: Mapping[str, Mapping[str, str]]
) -> Component:
    """Convert a Deployment. The host name routes to its last container.

    Args:
        spec: The spec of the Deployment.
        space: The names of the Space.
        port: The port that the host name routes to; 0: the container's first port.
        config_maps: The data of the ConfigMaps that it mounts, by name.

    Raises:
        AttributeError, LookupError, TypeError, ValueError: v0.3.0 never writes it like that.
    """
    pod = spec["template"]["spec"]
    *others, main = [_container(c, pod, space, config_maps) for c in pod["containers"]]
    number = port or main.ports[0].number
    public = Port(number=number, service_port=number, public="host", hosts=(space.host,))
    ports = (public, *(port for port in main.ports if port.number != number))
    containers = (*others, replace(main, ports=ports))
    return Component(name=main.name, containers=containers, replicas=int(spec.get("replicas", 1)))


def _container(
    container: _Document,
    pod: _Document,
    space: LegacyNames,
    config_maps: Mapping[str, Mapping[str, str]],
) -> Container:
    probe = (container.get("readinessProbe") or {}).get("exec") or {}
    return Container(
        name=_name(container["name"], space),
        image=container["image"],
        resources=_resources(container.get("resources") or {}, pod),
        command=tuple(container.get("command") or ()),
        args=tuple(container.get("args") or ()),
        env=tuple(
            (variable["name"], variable.get("value", ""))
            for variable in container.get("env") or ()
            if variable["name"] not in _PROVIDER_VARIABLES and "valueFrom" not in variable
        ),
        ports=tuple(_ports(container)),
        files=tuple(_files(container, pod, config_maps)),
        ready_command=tuple(probe.get("command") or ()),
    )


def _name(name: str, space: LegacyNames) -> str:
    """Undo v0.3.0's naming: `pod-<Space>` for a Dockerfile, `<Space>-<name>` for LDL services."""
    if name == f"pod-{space.space_uuid}":
        return names.dns_label(space.space_name)
    return name.removeprefix(f"{space.space_uuid}-")


def _resources(resources: _Document, pod: _Document) -> Resources:
    amounts = quantities.parse_requests(
        _DEFAULT_RESOURCES | (resources.get("limits") or {}) | (resources.get("requests") or {})
    )
    models = tuple(key for key in pod.get("nodeSelector") or () if gpus.is_product(key))
    return Resources(
        cpu_millis=amounts.cpu_millis,
        memory_bytes=amounts.memory_bytes,
        storage_bytes=amounts.storage_bytes,
        gpu=Gpu(count=amounts.gpus, models=models) if amounts.gpus else None,
    )


def _ports(container: _Document) -> Iterator[Port]:
    for port in container.get("ports") or ():
        number = int(port["containerPort"])
        protocol = port.get("protocol", "TCP")
        if protocol in {"TCP", "UDP"}:
            yield Port(number=number, service_port=number, protocol=protocol)


def _files(
    container: _Document, pod: _Document, config_maps: Mapping[str, Mapping[str, str]]
) -> Iterator[File]:
    """Yield the files of mounted ConfigMaps: v0.3.0 mounted each as a folder of its keys."""
    volumes = {
        volume["name"]: volume["configMap"]["name"]
        for volume in pod.get("volumes") or ()
        if volume.get("configMap")
    }
    for mount in container.get("volumeMounts") or ():
        for key, text in config_maps.get(volumes.get(mount["name"], ""), {}).items():
            folder = mount["mountPath"].rstrip("/")
            yield File(name=key, path=f"{folder}/{key}", content=text.encode())
