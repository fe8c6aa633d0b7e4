"""Volumes and ephemeral storage of a service, from the storages of its profile."""

from dataclasses import dataclass

from app.spaces.ldl.deployment_section import Placement
from app.spaces.ldl.diagnostics import Findings, child_path, quote
from app.spaces.ldl.profiles import Storage
from app.spaces.ldl.services import Service
from k8s.naming.names import dns_label
from k8s.workload import Capabilities, Mount, Volume

MAX_VOLUME_NAME = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStorage:
    """A service's volumes, with the mounts and sizes of its storage.

    Attributes:
        volumes: The volumes that it mounts.
        mounts: The paths of those in its container.
        own_bytes: Ephemeral storage that it does not mount; None if the file leaves it open.
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
) -> ServiceStorage:
    """Match the service's `params.storage` with the storages of its profile.

    Args:
        service: The service as the file describes it.
        placement: Its placement, with its profile.
        capabilities: The storage classes that the cluster offers.
        shared_pod: True if other services share the pod; volume names then contain the service's.
        findings: Receives what does not match.
    """
    storages = placement.profile.storages if placement.profile else ()
    by_name = {storage.name: storage for storage in storages}
    mounted: dict[str, Volume] = {}
    mounts: list[Mount] = []
    for request in service.mounts:
        storage = by_name.get(request.storage)
        if storage is None:
            place = placement.profile.path if placement.profile else "its profile"
            findings.refuse(request.path, f"{place} has no storage named {quote(request.storage)}")
            continue
        prefix = f"{service.name}/" if shared_pod else ""
        name = dns_label(f"{prefix}{storage.name}", limit=MAX_VOLUME_NAME)
        if storage.name not in mounted:
            mounted[storage.name] = _volume(name, storage, placement, capabilities, findings)
        mounts.append(Mount(volume=name, path=request.mount, read_only=request.read_only))
    _check_paths(service, findings)
    return _service_storage(storages, mounted, tuple(mounts), findings)


def _service_storage(
    storages: tuple[Storage, ...],
    mounted: dict[str, Volume],
    mounts: tuple[Mount, ...],
    findings: Findings,
) -> ServiceStorage:
    own = [storage for storage in storages if storage.name not in mounted]
    for storage in own:
        if storage.kind != "disk":
            findings.warn(
                storage.path,
                "is not mounted (`params.storage`) and counts as ephemeral storage",
            )
    volumes = tuple(mounted.values())
    return ServiceStorage(
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
            findings.warn(
                child_path(storage.path, "attributes"), "`class` needs `persistent: true`"
            )
        return Volume(name=name, size_bytes=storage.size_bytes, kind=storage.kind)
    path = child_path(storage.path, "attributes")
    if placement.count > 1:
        findings.refuse(path, f"persistent storage cannot be shared by {placement.count} replicas")
    offered = capabilities.storage_classes
    storage_class = offered.get(storage.storage_class or "default", offered.get("*"))
    if storage_class is None:
        classes = ", ".join(sorted(offered)) or "none"
        requested = (
            f"class {quote(storage.storage_class)}"
            if storage.storage_class
            else "the default class"
        )
        findings.refuse(
            path, f"persistent storage of {requested} is not offered; offered classes: {classes}"
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
            findings.refuse(path, f"{quote(file.path)} is taken by {holder}")
    _check_models(service, holders, findings)


def _check_models(service: Service, holders: dict[str, str], findings: Findings) -> None:
    """Refuse models that are, contain, or lie in something else that the service mounts."""
    for index, model in enumerate(service.models):
        path = f"{service.path}.models[{index}].dir"
        for other, holder in holders.items():
            if model.path.startswith(f"{other}/"):
                reason = f"lies in {quote(other)}, which {holder} mounts; choose another folder"
                findings.refuse(path, f"{quote(model.path)} {reason}")
            elif other == model.path or other.startswith(f"{model.path}/"):
                findings.refuse(path, f"{quote(model.path)} is taken by {holder}")
        holders[model.path] = f"{service.path}.models[{index}]"
