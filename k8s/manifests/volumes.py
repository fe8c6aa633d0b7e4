"""What a pod finds on its disks: the Space's files, volumes that end with it, and claims."""

import base64
from collections.abc import Iterator
from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests import model_downloads
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import names
from k8s.workload import Component, Container, File, Volume

CONTENT = "content"
MAX_FILE_BYTES = 1 << 20


def config_maps(frame: Scope) -> list[Manifest]:
    """One ConfigMap for each file of the Space that a service reads."""
    found: dict[str, tuple[File, Manifest]] = {}
    for component, container in frame.services():
        for file in container.files:
            seen, _ = found.setdefault(
                file.name, (file, _config_map(frame, component, container, file))
            )
            if seen.content != file.content:
                raise Unsupported(
                    f"services.{container.name}.config",
                    f"{file.name!r} has one content here and another one elsewhere",
                )
    return [manifest for _, manifest in found.values()]


def _config_map(frame: Scope, component: Component, container: Container, file: File) -> Manifest:
    if len(file.content) > MAX_FILE_BYTES:
        raise Unsupported(
            f"services.{container.name}.config", f"{file.name!r} is larger than 1 MiB"
        )
    try:
        values = {"data": {CONTENT: file.content.decode()}, "binary_data": None}
    except UnicodeDecodeError:
        encoded = base64.b64encode(file.content).decode()
        values = {"data": None, "binary_data": {CONTENT: encoded}}
    name = names.config_map(frame.workload.space_uuid, file.name)
    return frame.fill("config-map", name, component, container.name, **values)


def claims(frame: Scope) -> list[Manifest]:
    """One PersistentVolumeClaim for each volume that outlives its pod."""
    return [
        frame.fill(
            "persistent-volume-claim",
            claim_name(frame, component, volume),
            component,
            component.name,
            storage_class=volume.storage_class or None,
            size=str(volume.size_bytes),
        )
        for component in frame.workload.components
        for volume in component.volumes
        if volume.kind == "claim"
    ]


def claim_name(frame: Scope, component: Component, volume: Volume) -> str:
    """`<space_uuid>-<component>-<volume>`; hashed where hyphens would make it ambiguous."""
    parts = component.name, volume.name
    word = ("/" if any("-" in part for part in parts) else "-").join(parts)
    return names.object_name("", frame.workload.space_uuid, word)


def volumes(frame: Scope, component: Component) -> list[dict[str, Any]]:
    """The volumes of the component's pods."""
    files = {file.name for container in component.containers for file in container.files}
    return [
        *({"name": _volume(one.name)} | _kind(frame, component, one) for one in component.volumes),
        *(_file_volume(frame, file) for file in sorted(files)),
        *model_downloads.volumes(component),
    ]


def _kind(frame: Scope, component: Component, volume: Volume) -> dict[str, Any]:
    if volume.kind == "claim":
        name = claim_name(frame, component, volume)
        return {"persistentVolumeClaim": {"claimName": name}}
    medium = {"medium": "Memory"} if volume.kind == "memory" else {}
    return {"emptyDir": {"sizeLimit": str(volume.size_bytes), **medium}}


def _file_volume(frame: Scope, file: str) -> dict[str, Any]:
    name = names.config_map(frame.workload.space_uuid, file)
    return {"name": _file(file), "configMap": {"name": name}}


def mounts(component: Component, container: Container) -> list[dict[str, Any]]:
    """Where the container sees volumes and files; raises `Unsupported` when two meet."""
    known = {volume.name for volume in component.volumes}
    found: dict[str, dict[str, Any]] = {}
    for where, path, mount in _mounts(container):
        if ":" in path or not path.startswith("/") or path in found:
            raise Unsupported(where, f"{path!r} is no path, or the path of another mount too")
        found[path] = {**mount, "mountPath": path}
    for one in container.mounts:
        if one.volume not in known:
            raise Unsupported(
                f"services.{container.name}.params.storage", f"no storage is named {one.volume!r}"
            )
    return list(found.values())


def _mounts(container: Container) -> Iterator[tuple[str, str, dict[str, Any]]]:
    where = f"services.{container.name}"
    for mount in container.mounts:
        only = {"readOnly": True} if mount.read_only else {}
        yield f"{where}.params.storage", mount.path, {"name": _volume(mount.volume), **only}
    for file in container.files:
        yield f"{where}.config", file.path, {"name": _file(file.name), "subPath": CONTENT}
    for path, fetched in model_downloads.mounts(container):
        yield f"{where}.models", path, fetched


def _volume(name: str) -> str:
    return f"volume-{names.dns_label(name, limit=names.MAX_LABEL - len('volume-'))}"


def _file(name: str) -> str:
    return f"file-{names.dns_label(name, limit=names.MAX_LABEL - len('file-'))}"
