"""Parser for a tenant's deployment file: from its bytes to the components that must run."""

import re
from dataclasses import dataclass
from pathlib import Path

from app.spaces.files import Files
from app.spaces.image_registries import PUBLIC, ImageRegistries
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
    quote,
)
from app.spaces.ldl.fields import Node, text, warn_unknown
from app.spaces.ldl.files_and_models import MAX_FILE_BYTES
from app.spaces.ldl.pod_groups import PodGroup
from app.spaces.ldl.publishing import Publication
from app.spaces.ldl.services import Service
from app.spaces.ldl.volumes import ServiceStorage
from app.spaces.ldl.yaml_parser import parse
from k8s.workload import Capabilities, Component, Container, File, Port, Resources

_KEYS = frozenset({"version", "services", "profiles", "deployment", "endpoints"})
_NO_FILES = Files(Path(), ())
_VERSION = re.compile(r"v?2(\.[0-9]{1,3}){0,2}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Components that a file asks to run, and warnings for its author."""

    components: tuple[Component, ...]
    warnings: tuple[Problem, ...]


def read(
    document: bytes,
    *,
    files: Files = _NO_FILES,
    hardware: Resources | None,
    capabilities: Capabilities,
    host: str,
    registries: ImageRegistries = PUBLIC,
) -> Deployment:
    """Parse and validate a deployment file.

    Args:
        document: The file's bytes.
        files: The Space's files, for `config`.
        hardware: The order's resources, which bound the sum of all that the file asks for; None:
            unbounded.
        capabilities: What the cluster offers beyond containers and one host name.
        host: The host name of the Space.
        registries: Those that images may come from.

    Raises:
        InvalidDeployment: The file is broken or contradictory, or asks for more than was ordered
            or offered; it has every problem, with its place in the file.
    """
    findings = Findings()
    root = Node(parse(document), "", findings)
    _check_root(root)
    declared = services.read(root.get("services"), files=files, host=host, registries=registries)
    placements = deployment_section.read(root, declared)
    running = {name: declared[name] for name in placements}
    groups = pod_groups.group(declared, placements, findings)
    publication = Publication(root, running, capabilities=capabilities, host=host)
    ports = {name: publication.ports(service) for name, service in running.items()}
    storages = _storages(groups, running, placements, capabilities, findings)
    main = publication.main[0] if publication.main else None
    shares = resource_shares.share(
        placements, storages, order=hardware, main=main, findings=findings
    )
    findings.raise_refusals()
    contents = _contents(running, files)
    components = tuple(
        _component(group, running, ports, storages, shares, contents=contents) for group in groups
    )
    return Deployment(components, tuple(findings.warnings))


def _check_root(root: Node) -> None:
    if not isinstance(root.value, dict):
        raise InvalidDeployment(
            Problem("document", "must be a mapping with `version` and `services`")
        )
    warn_unknown(root, _KEYS)
    version = (text(root.get("version")) or "").strip()
    if not version:
        root.get("version").warn('is missing; the file is read as version "2.0"')
    elif not _VERSION.fullmatch(version):
        root.get("version").refuse(f'must be "2.0", not {quote(version)}')


def _storages(
    groups: list[PodGroup],
    running: dict[str, Service],
    placements: dict[str, Placement],
    capabilities: Capabilities,
    findings: Findings,
) -> dict[str, ServiceStorage]:
    return {
        name: volumes.read(
            running[name],
            placements[name],
            capabilities=capabilities,
            shared_pod=len(group.services) > 1,
            findings=findings,
        )
        for group in groups
        for name in group.services
    }


def _contents(running: dict[str, Service], files: Files) -> dict[str, bytes]:
    """Return the content of each mounted file, read once; together they were bounded before."""
    names = {file.name for service in running.values() for file in service.files}
    return {name: files.read(name, max_bytes=MAX_FILE_BYTES) for name in names}


def _component(
    group: PodGroup,
    running: dict[str, Service],
    ports: dict[str, tuple[Port, ...]],
    storages: dict[str, ServiceStorage],
    shares: dict[str, Resources],
    *,
    contents: dict[str, bytes],
) -> Component:
    return Component(
        name=group.name,
        replicas=group.count,
        containers=tuple(
            _container(running[name], ports[name], storages[name], shares[name], contents)
            for name in group.services
        ),
        volumes=tuple(volume for name in group.services for volume in storages[name].volumes),
    )


def _container(
    service: Service,
    ports: tuple[Port, ...],
    storage: ServiceStorage,
    resources: Resources,
    contents: dict[str, bytes],
) -> Container:
    return Container(
        name=service.name,
        image=service.image,
        resources=resources,
        command=service.command,
        args=service.args,
        env=service.env,
        ports=ports,
        mounts=storage.mounts,
        files=tuple(
            File(name=file.name, path=file.path, content=contents[file.name])
            for file in service.files
        ),
        models=service.models,
        ready_command=service.ready_command,
    )
