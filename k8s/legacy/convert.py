"""A Deployment of v0.3.0 as a component: what would have to run, were it deployed again. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from k8s.inventory import gpus, quantities
from k8s.naming import names
from k8s.workload import Component, Container, File, Gpu, Port, Resources

_Document = Mapping[str, Any]

# What v0.3.0 gave to services that others depend on: nothing. The tenants' LimitRange gives this.
_UNSAID = {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "1Gi"}
_OURS = {"space_uuid", "space_name", "result_url", "job_uuid", "wallet_address"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyNames:
    """What the Space is called, and the host name that leads to it."""

    space_uuid: str
    space_name: str
    host: str


def component(
    spec: _Document, called: LegacyNames, *, port: int, config_maps: Mapping[str, Mapping[str, str]]
) -> Component:
    """Return what a Deployment runs. The last container is the one that the host name leads to.

    Args:
        spec: The Deployment's.
        called: The Space.
        port: Where the host name leads to; 0: the container's first port.
        config_maps: The data of the ConfigMaps that it mounts, by name.

    Raises:
        AttributeError, LookupError, TypeError, ValueError: v0.3.0 never wrote it so.
    """
    pod = spec["template"]["spec"]
    found = [_container(one, pod, called, config_maps) for one in pod["containers"]]
    main = found[-1]
    front = port or main.ports[0].number
    opened = Port(number=front, service_port=front, public="host", hosts=(called.host,))
    ports = (opened, *(one for one in main.ports if one.number != front))
    containers = (*found[:-1], replace(main, ports=ports))
    return Component(name=main.name, containers=containers, replicas=int(spec.get("replicas", 1)))


def _container(
    one: _Document,
    pod: _Document,
    called: LegacyNames,
    config_maps: Mapping[str, Mapping[str, str]],
) -> Container:
    probe = (one.get("readinessProbe") or {}).get("exec") or {}
    return Container(
        name=_name(one["name"], called),
        image=one["image"],
        resources=_resources(one.get("resources") or {}, pod),
        command=tuple(one.get("command") or ()),
        args=tuple(one.get("args") or ()),
        env=tuple(
            (each["name"], each.get("value", ""))
            for each in one.get("env") or ()
            if each["name"] not in _OURS and "valueFrom" not in each
        ),
        ports=tuple(_ports(one)),
        files=tuple(_files(one, pod, config_maps)),
        ready_command=tuple(probe.get("command") or ()),
    )


def _name(written: str, called: LegacyNames) -> str:
    """v0.3.0 called the service of a Dockerfile `pod-<Space>`, those of LDL `<Space>-<name>`."""
    if written == f"pod-{called.space_uuid}":
        return names.dns_label(called.space_name)
    return written.removeprefix(f"{called.space_uuid}-")


def _resources(written: _Document, pod: _Document) -> Resources:
    said = {**_UNSAID, **(written.get("limits") or {}), **(written.get("requests") or {})}
    found = quantities.parse_requests(said)
    models = tuple(key for key in pod.get("nodeSelector") or () if gpus.is_product(key))
    return Resources(
        cpu_millis=found.cpu_millis,
        memory_bytes=found.memory_bytes,
        storage_bytes=found.storage_bytes,
        gpu=Gpu(count=found.gpus, models=models) if found.gpus else None,
    )


def _ports(one: _Document) -> Iterator[Port]:
    for port in one.get("ports") or ():
        number = int(port["containerPort"])
        protocol = port.get("protocol", "TCP")
        if protocol in {"TCP", "UDP"}:
            yield Port(number=number, service_port=number, protocol=protocol)


def _files(
    one: _Document, pod: _Document, config_maps: Mapping[str, Mapping[str, str]]
) -> Iterator[File]:
    """v0.3.0 mounted a ConfigMap as a folder in which each of its keys is a file."""
    volumes = {
        volume["name"]: volume["configMap"]["name"]
        for volume in pod.get("volumes") or ()
        if volume.get("configMap")
    }
    for mount in one.get("volumeMounts") or ():
        for key, text in config_maps.get(volumes.get(mount["name"], ""), {}).items():
            folder = mount["mountPath"].rstrip("/")
            yield File(name=key, path=f"{folder}/{key}", content=text.encode())
