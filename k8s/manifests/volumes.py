"""Volumes and mounts of pods: files of the Space, ephemeral volumes, and claims."""

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


def config_maps(scope: Scope) -> list[Manifest]:
    """Build one ConfigMap for each file of the Space that a service mounts."""
    manifests: dict[str, tuple[File, Manifest]] = {}
    for component, container in scope.services():
        for file in container.files:
            first, _ = manifests.setdefault(
                file.name, (file, _config_map(scope, component, container, file))
            )
            if first.content != file.content:
                raise Unsupported(
                    f"services.{container.name}.config",
                    f"{file.name!r} has different content in another service",
                )
    return [manifest for _, manifest in manifests.values()]


def _config_map(scope: Scope, component: Component, container: Container, file: File) -> Manifest:
    if len(file.content) > MAX_FILE_BYTES:
        raise Unsupported(
            f"services.{container.name}.config", f"{file.name!r} is larger than 1 MiB"
        )
    try:
        values = {"data": {CONTENT: file.content.decode()}, "binary_data": None}
    except UnicodeDecodeError:
        encoded = base64.b64encode(file.content).decode()
        values = {"data": None, "binary_data": {CONTENT: encoded}}
    name = names.config_map(scope.workload.space_uuid, file.name)
    return scope.fill("config-map", name, component, container.name, **values)


def claims(scope: Scope) -> list[Manifest]:
    """Build one PersistentVolumeClaim for each volume that outlives its pod."""
    return [
        scope.fill(
            "persistent-volume-claim",
            claim_name(scope, component, volume),
            component,
            component.name,
            storage_class=volume.storage_class or None,
            size=str(volume.size_bytes),
        )
        for component in scope.workload.components
        for volume in component.volumes
        if volume.kind == "claim"
    ]


def claim_name(scope: Scope, component: Component, volume: Volume) -> str:
    """Return `<space_uuid>-<component>-<volume>`, hashed where hyphens would make it ambiguous."""
    parts = component.name, volume.name
    word = ("/" if any("-" in part for part in parts) else "-").join(parts)
    return names.object_name("", scope.workload.space_uuid, word)


def volumes(scope: Scope, component: Component) -> list[dict[str, Any]]:
    """Build the volumes of the component's pods."""
    files = {file.name for container in component.containers for file in container.files}
    return [
        *({"name": _volume_name(v.name)} | _source(scope, component, v) for v in component.volumes),
        *(_file_volume(scope, file) for file in sorted(files)),
        *model_downloads.volumes(component),
    ]


def _source(scope: Scope, component: Component, volume: Volume) -> dict[str, Any]:
    if volume.kind == "claim":
        name = claim_name(scope, component, volume)
        return {"persistentVolumeClaim": {"claimName": name}}
    medium = {"medium": "Memory"} if volume.kind == "memory" else {}
    return {"emptyDir": {"sizeLimit": str(volume.size_bytes), **medium}}


def _file_volume(scope: Scope, file: str) -> dict[str, Any]:
    name = names.config_map(scope.workload.space_uuid, file)
    return {"name": _file_name(file), "configMap": {"name": name}}


def mounts(component: Component, container: Container) -> list[dict[str, Any]]:
    """Build the mounts of a container; raise `Unsupported` when two share a path."""
    volume_names = {volume.name for volume in component.volumes}
    by_path: dict[str, dict[str, Any]] = {}
    for setting, path, mount in _mounts(container):
        if ":" in path or not path.startswith("/") or path in by_path:
            raise Unsupported(setting, f"{path!r} is not a path, or is the path of another mount")
        by_path[path] = {**mount, "mountPath": path}
    for volume_mount in container.mounts:
        if volume_mount.volume not in volume_names:
            raise Unsupported(
                f"services.{container.name}.params.storage",
                f"no storage is named {volume_mount.volume!r}",
            )
    return list(by_path.values())


def _mounts(container: Container) -> Iterator[tuple[str, str, dict[str, Any]]]:
    service = f"services.{container.name}"
    for mount in container.mounts:
        read_only = {"readOnly": True} if mount.read_only else {}
        yield (
            f"{service}.params.storage",
            mount.path,
            {"name": _volume_name(mount.volume), **read_only},
        )
    for file in container.files:
        yield f"{service}.config", file.path, {"name": _file_name(file.name), "subPath": CONTENT}
    for path, model_mount in model_downloads.mounts(container):
        yield f"{service}.models", path, model_mount


def _volume_name(name: str) -> str:
    return f"volume-{names.dns_label(name, limit=names.MAX_LABEL - len('volume-'))}"


def _file_name(name: str) -> str:
    return f"file-{names.dns_label(name, limit=names.MAX_LABEL - len('file-'))}"
