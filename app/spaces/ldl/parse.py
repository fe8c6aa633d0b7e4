"""A tenant's deployment file, from bytes to what must run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.spaces.ldl import (
    deployment_section,
    pod_groups,
    resource_shares,
    services,
    volumes,
)
from app.spaces.ldl.deployment_section import Placement
from app.spaces.ldl.diagnostics import (
    Findings,
    InvalidDeployment,
    Problem,
    shown,
)
from app.spaces.ldl.fields import Node, know, text
from app.spaces.ldl.pod_groups import PodGroup
from app.spaces.ldl.publishing import Publication
from app.spaces.ldl.services import Service
from app.spaces.ldl.volumes import Stored
from app.spaces.ldl.yaml_parser import parse
from k8s.workload import Capabilities, Component, Container, Port, Resources

_KEYS = frozenset({"version", "services", "profiles", "deployment", "endpoints"})
_VERSION = re.compile(r"v?2(\.[0-9]{1,3}){0,2}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a file asks to run, and what its author should know although it runs."""

    components: tuple[Component, ...]
    warnings: tuple[Problem, ...]


def read(
    document: bytes,
    *,
    files: Mapping[str, bytes] = MappingProxyType({}),
    hardware: Resources | None,
    capabilities: Capabilities,
    host: str,
) -> Deployment:
    """What the deployment file `document` asks to run.

    Args:
        document: The file's bytes.
        files: The Space's files by their paths in it; `config` takes from them.
        hardware: What the order bought, the bound of everything that the file asks for together;
            None bounds nothing.
        capabilities: What the cluster has beyond containers and one host name.
        host: The host name of the Space.

    Raises:
        Refused: The file is broken, contradictory, asks for more than was ordered or for what is
            not offered; every problem that was found, with its place in the file.
    """
    findings = Findings()
    root = Node(parse(document), "", findings)
    _check_root(root)
    every = services.read(root.get("services"), files=files, host=host)
    placed = deployment_section.read(root, every)
    running = {name: every[name] for name in placed}
    grouped = pod_groups.group(every, placed, findings)
    publication = Publication(root, running, capabilities=capabilities, host=host)
    ports = {name: publication.ports(service) for name, service in running.items()}
    stored = _stored(grouped, running, placed, capabilities, findings)
    main = publication.main[0] if publication.main else None
    shares = resource_shares.share(placed, stored, order=hardware, main=main, findings=findings)
    findings.conclude()
    components = tuple(_component(pod, running, ports, stored, shares) for pod in grouped)
    return Deployment(components, tuple(findings.warnings))


def _check_root(root: Node) -> None:
    if not isinstance(root.value, dict):
        raise InvalidDeployment(
            Problem("document", "must be a mapping with `version` and `services`")
        )
    know(root, _KEYS)
    version = (text(root.get("version")) or "").strip()
    if not version:
        root.get("version").warn('is missing; the file is read as version "2.0"')
    elif not _VERSION.fullmatch(version):
        root.get("version").refuse(f'must be "2.0", not {shown(version)}')


def _stored(
    grouped: list[PodGroup],
    running: dict[str, Service],
    placed: dict[str, Placement],
    capabilities: Capabilities,
    findings: Findings,
) -> dict[str, Stored]:
    return {
        name: volumes.read(
            running[name],
            placed[name],
            capabilities=capabilities,
            shared_pod=len(pod.services) > 1,
            findings=findings,
        )
        for pod in grouped
        for name in pod.services
    }


def _component(
    pod: PodGroup,
    running: dict[str, Service],
    ports: dict[str, tuple[Port, ...]],
    stored: dict[str, Stored],
    shares: dict[str, Resources],
) -> Component:
    return Component(
        name=pod.name,
        replicas=pod.count,
        containers=tuple(
            _container(running[name], ports[name], stored[name], shares[name])
            for name in pod.services
        ),
        volumes=tuple(volume for name in pod.services for volume in stored[name].volumes),
    )


def _container(
    service: Service, ports: tuple[Port, ...], stored: Stored, resources: Resources
) -> Container:
    return Container(
        name=service.name,
        image=service.image,
        resources=resources,
        command=service.command,
        args=service.args,
        env=service.env,
        ports=ports,
        mounts=stored.mounts,
        files=service.files,
        models=service.models,
        ready_command=service.ready_command,
    )
