"""Where a service's storages go: volumes that it mounts, or its own ephemeral storage."""

from dataclasses import dataclass

from app.spaces.ldl.deployment_section import Placement
from app.spaces.ldl.diagnostics import Findings, shown, step
from app.spaces.ldl.profiles import Storage
from app.spaces.ldl.services import Service
from k8s.naming.names import safe
from k8s.workload import Capabilities, Mount, Volume

MAX_VOLUME_NAME = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A service's storages.

    Attributes:
        volumes: What it mounts.
        mounts: Where.
        own_bytes: Ephemeral storage that it does not mount; None when the file leaves it open.
        disk_bytes: Ephemeral storage that it mounts.
        memory_bytes: Memory that it mounts.
    """

    volumes: tuple[Volume, ...] = ()
    mounts: tuple[Mount, ...] = ()
    own_bytes: int | None = None
    disk_bytes: int = 0
    memory_bytes: int = 0


def read(
    service: Service,
    placement: Placement,
    *,
    capabilities: Capabilities,
    shared_pod: bool,
    findings: Findings,
) -> Stored:
    """Match the service's `params.storage` with the storages of its profile.

    Args:
        service: Of the file.
        placement: With its profile.
        capabilities: Whose classes persistent storages get.
        shared_pod: Other services mount volumes in the same pod; names tell them apart.
        findings: Gets what does not match.
    """
    storages = placement.profile.storages if placement.profile else ()
    named = {storage.name: storage for storage in storages}
    mounted: dict[str, Volume] = {}
    mounts = []
    for request in service.mounts:
        storage = named.get(request.storage)
        if storage is None:
            where = placement.profile.path if placement.profile else "its profile"
            findings.refuse(
                request.path, f"{shown(request.storage)} is no name of a storage of {where}"
            )
            continue
        prefix = f"{service.name}/" if shared_pod else ""
        name = safe(f"{prefix}{storage.name}", limit=MAX_VOLUME_NAME)
        if storage.name not in mounted:
            mounted[storage.name] = _volume(name, storage, placement, capabilities, findings)
        mounts.append(Mount(volume=name, path=request.mount, read_only=request.read_only))
    _check_paths(service, findings)
    return _stored(storages, mounted, tuple(mounts), findings)


def _stored(
    storages: tuple[Storage, ...],
    mounted: dict[str, Volume],
    mounts: tuple[Mount, ...],
    findings: Findings,
) -> Stored:
    own = [storage for storage in storages if storage.name not in mounted]
    for storage in own:
        if storage.kind != "disk":
            findings.warn(
                storage.path,
                "is mounted nowhere (`params.storage`) and counts as ephemeral storage",
            )
    volumes = tuple(mounted.values())
    return Stored(
        volumes=volumes,
        mounts=mounts,
        own_bytes=sum(storage.size_bytes for storage in own) if own else None,
        disk_bytes=sum(volume.size_bytes for volume in volumes if volume.kind == "disk"),
        memory_bytes=sum(volume.size_bytes for volume in volumes if volume.kind == "memory"),
    )


def _volume(
    name: str,
    storage: Storage,
    placement: Placement,
    capabilities: Capabilities,
    findings: Findings,
) -> Volume:
    if storage.kind != "claim":
        if storage.storage_class not in {"", "ram", "default"}:
            findings.warn(step(storage.path, "attributes"), "`class` needs `persistent: true`")
        return Volume(name=name, size_bytes=storage.size_bytes, kind=storage.kind)
    path = step(storage.path, "attributes")
    if placement.count > 1:
        findings.refuse(path, f"persistent storage cannot be shared by {placement.count} replicas")
    offered = capabilities.storage_classes
    storage_class = offered.get(storage.storage_class or "default", offered.get("*"))
    if storage_class is None:
        classes = ", ".join(sorted(offered)) or "none"
        wanted = shown(storage.storage_class) if storage.storage_class else "the default class"
        findings.refuse(
            path, f"persistent storage of {wanted} is not offered; offered classes: {classes}"
        )
    return Volume(
        name=name, size_bytes=storage.size_bytes, kind="claim", storage_class=storage_class or ""
    )


def _check_paths(service: Service, findings: Findings) -> None:
    holders: dict[str, str] = {request.mount: request.path for request in service.mounts}
    for index, file in enumerate(service.files):
        path = f"{service.path}.config[{index}].path"
        holder = holders.setdefault(file.path, path)
        if holder != path:
            findings.refuse(path, f"{shown(file.path)} is taken by {holder}")
    _check_models(service, holders, findings)


def _check_models(service: Service, holders: dict[str, str], findings: Findings) -> None:
    """No model is, holds, or lies in something else that the service mounts."""
    for index, model in enumerate(service.models):
        path = f"{service.path}.models[{index}].dir"
        for other, holder in holders.items():
            if model.path.startswith(f"{other}/"):
                reason = f"lies in {shown(other)}, which {holder} mounts; choose another folder"
                findings.refuse(path, f"{shown(model.path)} {reason}")
            elif other == model.path or other.startswith(f"{model.path}/"):
                findings.refuse(path, f"{shown(model.path)} is taken by {holder}")
        holders[model.path] = f"{service.path}.models[{index}]"
